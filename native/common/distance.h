// Squared L2 distance with the widest registers of the machine it runs on. Debian compiles faiss for the oldest x86-64
// (SSE2): its own distance, and so its own scanners, take five times as long.
#pragma once

#include <cstddef>
#include <cstring>

#include "clones.h"

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
