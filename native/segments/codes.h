// Vectors in 8 bits a number, each with a scale of its own, and their products with a query of 16 bits a number.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "clones.h"

namespace kaomon {

constexpr int LARGEST_CODE = 127;

// Bytes from one code to the next: whole registers, the rest zeros.
inline size_t strideOf(size_t d) { return (d + 63) / 64 * 64; }

// @returns the scale: number = code * scale
inline float encode(const float *vector, size_t d, int8_t *codes) {
  float largest = 0;
  for (size_t i = 0; i < d; i++) largest = std::max(largest, std::fabs(vector[i]));
  std::fill(codes, codes + strideOf(d), 0);
  // Nor is NaN above anything.
  if (!(largest > 1e-30f && largest < HUGE_VALF)) return 0;
  const float scale = largest / LARGEST_CODE;
  for (size_t i = 0; i < d; i++) {
    const float code = std::nearbyint(vector[i] / scale);
    codes[i] = code >= -LARGEST_CODE && code <= LARGEST_CODE ? static_cast<int8_t>(code) : int8_t{0};
  }
  return scale;
}

inline float squaredNorm(const float *vector, size_t d) {
  float sum = 0;
  for (size_t i = 0; i < d; i++) sum += vector[i] * vector[i];
  return sum;
}

struct Query {
  Query(const float *vector, size_t d)
      : numbers(vector, vector + d), codes(strideOf(d)), squared(squaredNorm(vector, d)) {
    float largest = 0;
    for (float number : numbers) largest = std::max(largest, std::fabs(number));
    if (!(largest > 1e-30f)) return;
    // The sum of all products fits 32 bits, whatever the codes are.
    const double most = std::min<double>(INT16_MAX, double(INT32_MAX) / LARGEST_CODE / double(codes.size()));
    scale = static_cast<float>(largest / most);
    for (size_t i = 0; i < d; i++)
      codes[i] = static_cast<int16_t>(std::clamp(std::trunc(double(numbers[i]) / scale), -most, most));
  }

  std::vector<float> numbers;
  std::vector<int16_t> codes;
  float squared;
  float scale = 0;
};

// The products of the query with `count` codes that lie one behind another.
KAOMON_CLONES void products(const int16_t *query, const int8_t *codes, size_t stride, size_t count, int32_t *out) {
  // The processor's own look ahead ends with each page of 4 KB.
  constexpr size_t AHEAD = 4096;
  for (size_t row = 0; row < count; row++, codes += stride) {
    for (size_t line = 0; line < stride; line += 64) __builtin_prefetch(codes + line + AHEAD);
    int32_t sum = 0;
    // A count that the compiler knows to fill registers.
    for (size_t i = 0; i < stride / 64 * 64; i++) sum += int32_t{query[i]} * int32_t{codes[i]};
    out[row] = sum;
  }
}

} // namespace kaomon
