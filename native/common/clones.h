// A function compiled several times over, for wider registers and narrower ones; the machine's is taken when it is loaded.
// By level, not by name: g++ takes a processor's name for that processor alone, and every other one, newer or of another
// maker, would get the narrowest registers. Levels are known from g++ 12 on.
#pragma once

#if defined(__x86_64__) && defined(__GNUC__) && __GNUC__ >= 12
#define KAOMON_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#elif defined(__x86_64__)
#define KAOMON_CLONES __attribute__((target_clones("arch=skylake-avx512", "arch=haswell", "default")))
#else
#define KAOMON_CLONES
#endif
