// A square out of a turned, scaled and moved picture.
#pragma once

#include <cmath>

#include "lanes.h"

namespace kaomon {

constexpr int PHASES = 256;
constexpr int WARP_SHIFT = 2 * 13 - 4;

// Into the clones, with their registers.
#define KAOMON_INLINE inline __attribute__((always_inline))

struct Image {
  const uint8_t *data;
  size_t length;
  int32_t width, height;
};

// Black outside.
KAOMON_INLINE Four pixelAt(const Image &image, int32_t x, int32_t y) {
  if (x < 0 || y < 0 || x >= image.width || y >= image.height) return Four{};
  const uint8_t *from = image.data + (static_cast<size_t>(y) * image.width + x) * 3;
  return Four{from[0], from[1], from[2], 0};
}

KAOMON_INLINE bool bilinear(const Image &image, double x, double y, uint8_t *out) {
  const double left = std::floor(x), top = std::floor(y);
  if (!(left >= -1 && top >= -1 && left < image.width && top < image.height)) return false;
  const double fx = x - left, fy = y - top;
  const int32_t column = static_cast<int32_t>(left), row = static_cast<int32_t>(top);
  const size_t from = (static_cast<size_t>(row) * image.width + column) * 3;
  const size_t line = static_cast<size_t>(image.width) * 3;
  Four corner[4];
  if (column >= 0 && row >= 0 && column + 1 < image.width && row + 1 < image.height &&
      from + line + 7 <= image.length) {
    const uint8_t *upper = image.data + from;
    corner[0] = widen(upper), corner[1] = widen(upper + 3), corner[2] = widen(upper + line),
    corner[3] = widen(upper + line + 3);
  } else {
    for (int i = 0; i < 4; i++) corner[i] = pixelAt(image, column + (i & 1), row + (i >> 1));
  }
  const FourDoubles above = __builtin_convertvector(corner[0], FourDoubles) * (1 - fx) +
                            __builtin_convertvector(corner[1], FourDoubles) * fx;
  const FourDoubles below = __builtin_convertvector(corner[2], FourDoubles) * (1 - fx) +
                            __builtin_convertvector(corner[3], FourDoubles) * fx;
  typedef int32_t FourInts __attribute__((vector_size(16)));
  const FourInts mean = __builtin_convertvector(above * (1 - fy) + below * fy + 0.5, FourInts);
  for (int c = 0; c < 3; c++) out[c] = static_cast<uint8_t>(mean[c]);
  return true;
}

KAOMON_INLINE bool filtered(const Image &image, double x, double y, const int32_t *weights, int32_t taps,
                            uint8_t *out) {
  const double atX = std::floor(x * PHASES + 0.5), atY = std::floor(y * PHASES + 0.5);
  const double reach = taps / 2 * PHASES;
  if (!(atX > -reach && atX < (image.width - 1.0) * PHASES + reach)) return false;
  if (!(atY > -reach && atY < (image.height - 1.0) * PHASES + reach)) return false;
  const int32_t column = static_cast<int32_t>(atX), row = static_cast<int32_t>(atY);
  const int32_t left = (column >> 8) - taps / 2 + 1, top = (row >> 8) - taps / 2 + 1;
  const int32_t *across = weights + (column & 255) * taps, *down = weights + (row & 255) * taps;
  const int32_t fromX = left < 0 ? -left : 0, toX = image.width - left < taps ? image.width - left : taps;
  const int32_t fromY = top < 0 ? -top : 0, toY = image.height - top < taps ? image.height - top : taps;
  if (fromX >= toX || fromY >= toY) return false;
  // A pixel is read as four bytes: the picture's last one has but three.
  const bool isLast = left + toX == image.width && top + toY == image.height;
  Four all = Four{} + (1u << (WARP_SHIFT - 1));
  for (int32_t j = fromY; j < toY; j++) {
    const uint8_t *from = image.data + (static_cast<size_t>(top + j) * image.width + left + fromX) * 3;
    const int32_t to = isLast ? toX - 1 : toX;
    Four sum = isLast ? pixelAt(image, left + to, top + j) * static_cast<uint32_t>(across[to]) : Four{};
    for (int32_t i = fromX; i < to; i++, from += 3) sum += widen(from) * static_cast<uint32_t>(across[i]);
    all += (sum >> 4) * static_cast<uint32_t>(down[j]);
  }
  for (int c = 0; c < 3; c++) out[c] = static_cast<uint8_t>(all[c] >> WARP_SHIFT);
  return true;
}

// A square out of a turned, scaled and moved picture, see PixelLoops.warp. Compiled without fused multiplications
// (CMakeLists.txt): they would round otherwise than JavaScript does.
KAOMON_CLONES bool warp(const Image image, double a, double b, double x0, double y0, const int32_t *weights,
                        int32_t taps, int32_t size, uint8_t *out) {
  bool isInside = false;
  std::memset(out, 0, static_cast<size_t>(size) * size * 3);
  for (int32_t y = 0; y < size; y++) {
    for (int32_t x = 0; x < size; x++, out += 3) {
      const double centreX = a * x - b * y + x0, centreY = b * x + a * y + y0;
      if (taps > 0 ? filtered(image, centreX, centreY, weights, taps, out) : bilinear(image, centreX, centreY, out))
        isInside = true;
    }
  }
  return isInside;
}

} // namespace kaomon
