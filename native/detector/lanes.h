// Registers of the machine that the loops are compiled for. Everything here is each file's own: the linker must not
// take for one machine what was compiled for another.
#pragma once

#include <cstddef>
#include <cstdint>

#define KAOMON_INLINE inline __attribute__((always_inline))
#define KAOMON_UNROLL _Pragma("GCC unroll 16")

namespace kaomon {
namespace KAOMON_KERNEL {
namespace {

// KAOMON_LANES: floats of a register, KAOMON_REGISTERS: how many there are.
constexpr size_t LANES = KAOMON_LANES;
constexpr bool IS_WIDE = KAOMON_REGISTERS >= 32;
typedef float Vector __attribute__((vector_size(4 * KAOMON_LANES)));
typedef float Loose __attribute__((vector_size(4 * KAOMON_LANES), aligned(4), may_alias));
typedef int32_t Mask __attribute__((vector_size(4 * KAOMON_LANES)));
typedef uint32_t Four __attribute__((vector_size(16)));
typedef uint32_t LooseFour __attribute__((vector_size(16), aligned(4), may_alias));
typedef int32_t FourInts __attribute__((vector_size(16)));
typedef double FourDoubles __attribute__((vector_size(32)));
typedef float FourFloats __attribute__((vector_size(16)));

KAOMON_INLINE Vector load(const float *from) { return *reinterpret_cast<const Loose *>(from); }
KAOMON_INLINE void store(float *to, Vector value) { *reinterpret_cast<Loose *>(to) = value; }
// Not a sum with zero: that would turn -0 into 0, so that the compiler had to add.
KAOMON_INLINE Vector all(float value) { return value - Vector{}; }
KAOMON_INLINE Vector larger(Vector a, Vector b) { return a > b ? a : b; }
KAOMON_INLINE Vector prelu(Vector value, Vector slope) { return value > Vector{} ? value : value * slope; }

constexpr size_t smaller(size_t a, size_t b) { return a < b ? a : b; }
constexpr size_t toLine(size_t numbers) { return (numbers + 15) / 16 * 16; }

KAOMON_INLINE Four loadFour(const uint32_t *from) { return *reinterpret_cast<const LooseFour *>(from); }

// The mean of a window's channels. A window sums to less than 2^31.
KAOMON_INLINE FourFloats meanOf(Four sum, double scale) {
  const FourDoubles means = __builtin_convertvector((FourInts)sum, FourDoubles) * scale;
  return __builtin_convertvector(means, FourFloats);
}

} // namespace
} // namespace KAOMON_KERNEL
} // namespace kaomon
