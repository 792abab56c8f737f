// Four lanes: the three channels of a pixel and one that nobody reads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "clones.h"

namespace kaomon {

typedef uint32_t Four __attribute__((vector_size(16)));
typedef uint8_t FourBytes __attribute__((vector_size(4)));
typedef double FourDoubles __attribute__((vector_size(32)));
typedef float FourFloats __attribute__((vector_size(16)));

inline Four load(const uint32_t *from) {
  Four four;
  std::memcpy(&four, from, sizeof four);
  return four;
}

// A pixel of three bytes and the byte behind it.
inline Four widen(const uint8_t *from) {
  FourBytes bytes;
  std::memcpy(&bytes, from, sizeof bytes);
  return __builtin_convertvector(bytes, Four);
}

} // namespace kaomon
