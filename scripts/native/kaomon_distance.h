// Squared L2 distance with the widest registers of the machine it runs on. Debian compiles faiss for the oldest
// x86-64 (SSE2), at a fifth of the speed: scripts/native.mjs has the linker put this in the place of faiss's own.
#pragma once

#include <cstddef>
#include <cstring>

#include "kaomon_clones.h"

namespace kaomon {

typedef float Sixteen __attribute__((vector_size(64)));

// Four sums that do not wait for one another.
KAOMON_CLONES float squaredDistance(const float *x, const float *y, size_t d) {
  Sixteen sums[4] = {};
  size_t i = 0;
  for (; i + 64 <= d; i += 64)
    for (int part = 0; part < 4; part++) {
      Sixteen a, b;
      std::memcpy(&a, x + i + 16 * part, sizeof a);
      std::memcpy(&b, y + i + 16 * part, sizeof b);
      a -= b;
      sums[part] += a * a;
    }
  const Sixteen all = (sums[0] + sums[1]) + (sums[2] + sums[3]);
  float sum = 0;
  for (int lane = 0; lane < 16; lane++) sum += all[lane];
  for (; i < d; i++) sum += (x[i] - y[i]) * (x[i] - y[i]);
  return sum;
}

} // namespace kaomon

extern "C" float __wrap__ZN5faiss11fvec_L2sqrEPKfS1_m(const float *x, const float *y, size_t d) {
  return kaomon::squaredDistance(x, y, d);
}
