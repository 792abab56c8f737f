// A function compiled several times over, for wider registers and narrower ones; the machine's is taken when it is loaded.
#pragma once

#if defined(__x86_64__)
#define KAOMON_CLONES __attribute__((target_clones("arch=skylake-avx512", "arch=haswell", "default")))
#else
#define KAOMON_CLONES
#endif
