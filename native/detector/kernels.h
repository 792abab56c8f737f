// The loops that this machine can run.
#pragma once

#include <vector>

#include "kernel.h"

namespace kaomon {

#define KAOMON_DECLARE(name)                                                                                           \
  namespace name {                                                                                                     \
  extern const Windows windows;                                                                                        \
  extern const Faces refine, output;                                                                                   \
  }
#if defined(__x86_64__)
KAOMON_DECLARE(avx512)
KAOMON_DECLARE(avx2)
#elif defined(__aarch64__)
KAOMON_DECLARE(neon)
#endif
KAOMON_DECLARE(plain)
#undef KAOMON_DECLARE

// The fastest first.
inline std::vector<Kernel> kernelsHere() {
  std::vector<Kernel> here;
#if defined(__x86_64__)
  // Asks the system, too: registers that it does not save are not there.
  __builtin_cpu_init();
  const bool has256 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  if (has256 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw"))
    here.push_back({"avx512", &avx512::windows, &avx512::refine, &avx512::output});
  if (has256) here.push_back({"avx2", &avx2::windows, &avx2::refine, &avx2::output});
#elif defined(__aarch64__)
  // Every such processor has them.
  here.push_back({"neon", &neon::windows, &neon::refine, &neon::output});
#endif
  here.push_back({"plain", &plain::windows, &plain::refine, &plain::output});
  return here;
}

} // namespace kaomon
