// Pillow's BILINEAR, which is a triangle that grows as the picture shrinks.
#pragma once

#include "lanes.h"

namespace kaomon {

// Weights are whole numbers of 2^-PRECISION.
constexpr int PRECISION = 22;

// What each of the output's columns (or rows) is made of: `count` of the input's from `first` on, times the weights
// `values[taps * i]` and on.
struct Taps {
  const int32_t *first, *count, *values;
  size_t taps;
};

// Pillow's two passes, see Resampler.resize. columns: width * rectHeight * 3 bytes; sums: width * 3 numbers.
KAOMON_CLONES void triangle(const uint8_t *data, size_t length, size_t stride, size_t corner, size_t rectHeight,
                            const Taps &across, const Taps &down, size_t width, size_t height, uint8_t *columns,
                            uint8_t *out, uint32_t *sums) {
  for (size_t y = 0; y < rectHeight; y++) {
    const size_t row = corner + y * stride * 3;
    uint8_t *to = columns + y * width * 3;
    for (size_t x = 0; x < width; x++, to += 3) {
      size_t from = row + static_cast<size_t>(across.first[x]) * 3;
      const int32_t *weight = across.values + x * across.taps;
      Four sum = Four{} + (1u << (PRECISION - 1));
      for (int32_t tap = 0; tap < across.count[x]; tap++, from += 3) {
        const Four pixel = from + 4 <= length ? widen(data + from)
                                              : Four{data[from], data[from + 1], data[from + 2], 0};
        sum += pixel * static_cast<uint32_t>(weight[tap]);
      }
      for (int c = 0; c < 3; c++) to[c] = static_cast<uint8_t>(sum[c] >> PRECISION);
    }
  }
  const size_t line = width * 3;
  for (size_t y = 0; y < height; y++, out += line) {
    for (size_t x = 0; x < line; x++) sums[x] = 1u << (PRECISION - 1);
    for (int32_t tap = 0; tap < down.count[y]; tap++) {
      const uint8_t *from = columns + (down.first[y] + tap) * line;
      const uint32_t weight = static_cast<uint32_t>(down.values[y * down.taps + tap]);
      for (size_t x = 0; x < line; x++) sums[x] += from[x] * weight;
    }
    for (size_t x = 0; x < line; x++) out[x] = static_cast<uint8_t>(sums[x] >> PRECISION);
  }
}

} // namespace kaomon
