// Summed-area tables, and the means that are taken from them.
#pragma once

#include "lanes.h"

namespace kaomon {

// sums: (width + 1) * (height + 1) * 3 numbers and one more. Each pixel is written four lanes wide; the fourth is the
// next pixel's first and written anew.
KAOMON_CLONES void sumTable(const uint8_t *data, size_t length, size_t width, size_t height, uint32_t *sums) {
  const size_t line = (width + 1) * 3;
  std::memset(sums, 0, line * sizeof *sums);
  for (size_t y = 0; y < height; y++) {
    uint32_t *row = sums + (y + 1) * line;
    row[0] = row[1] = row[2] = 0;
    const uint8_t *from = data + y * width * 3;
    Four across = {};
    for (size_t x = 0; x < width; x++, from += 3) {
      if (from + 4 <= data + length) across += widen(from);
      else across += Four{from[0], from[1], from[2], 0};
      const Four sum = across + load(row + (x + 1) * 3 - line);
      std::memcpy(row + (x + 1) * 3, &sum, sizeof sum);
    }
  }
}

struct Rows {
  size_t from, to, regionHeight, height;
};

// Means of windows, see AreaTable.resample. corner: of the region's first pixel in the table.
KAOMON_CLONES void areaMeans(const uint32_t *sums, size_t line, size_t corner, const int32_t *from, const int32_t *to,
                             size_t width, const Rows &rows, float *out) {
  const size_t plane = width * (rows.to - rows.from);
  for (size_t y = rows.from; y < rows.to; y++) {
    const size_t low = y * rows.regionHeight / rows.height;
    const size_t high = ((y + 1) * rows.regionHeight + rows.height - 1) / rows.height;
    const uint32_t *upper = sums + corner + low * line;
    const uint32_t *lower = sums + corner + high * line;
    int32_t wide = 0;
    double scale = 0;
    for (size_t x = 0; x < width; x++, out++) {
      const int32_t left = from[x];
      const int32_t right = to[x];
      // Windows have two or three sizes: a division is seldom.
      if (right - left != wide) {
        wide = right - left;
        scale = 3.0 / (static_cast<double>(high - low) * wide);
      }
      const Four sum = load(lower + right) - load(upper + right) - load(lower + left) + load(upper + left);
      const FourFloats means = __builtin_convertvector(__builtin_convertvector(sum, FourDoubles) * scale, FourFloats);
      out[0] = means[0];
      out[plane] = means[1];
      out[2 * plane] = means[2];
    }
  }
}

} // namespace kaomon
