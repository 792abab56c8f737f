// Compares the loops for each kind of machine with the plain ones, without Node: run on another machine, or under an
// emulator of one (native/check-arm64.mjs). Ends with a status other than 0 where they differ.
#include <cmath>
#include <cstdio>
#include <vector>

#include "kernels.h"
#include "memory.h"

namespace {

using namespace kaomon;

// As docs/models.md asks of any two ways to run a network.
constexpr float TOLERANCE = 1e-4f;

// A made number from 0 to 1 (Marsaglia's xorshift).
uint32_t state = 2463534242u;
float drawn() {
  state ^= state << 13, state ^= state >> 17, state ^= state << 5;
  return static_cast<float>(state >> 8) / (1 << 24);
}

// Weights of a size at which sums stay near 1.
std::vector<float> weightsOf(size_t count) {
  std::vector<float> weights(count);
  for (float &one : weights) one = (drawn() - 0.5f) * 0.3f;
  return weights;
}

struct Picture {
  std::vector<uint32_t> sums;
  Table table;

  Picture(size_t width, size_t height) : sums((width + 1) * (height + 1) * 3 + 1) {
    const size_t line = (width + 1) * 3;
    for (size_t y = 1; y <= height; y++)
      for (size_t i = 3; i < line; i++) {
        const uint32_t *upper = &sums[(y - 1) * line];
        const uint32_t value = static_cast<uint32_t>(drawn() * 256);
        sums[y * line + i] = value + sums[y * line + i - 3] + upper[i] - upper[i - 3];
      }
    table = {sums.data(), width, height};
  }
};

float *packed(Memory<float> &memory, size_t length, void (*pack)(const float *, float *),
              const std::vector<float> &weights) {
  float *to = memory.atLeast(length);
  pack(weights.data(), to);
  return to;
}

// What P-Net says of every window.
std::vector<float> windowsBy(const Windows &loops, const std::vector<float> &weights, const Picture &picture,
                             size_t width, size_t height) {
  Memory<float> memory, floats;
  Memory<uint32_t> integers;
  const float *with = packed(memory, loops.packed, loops.pack, weights);
  const size_t rows = windowsAlong(height), room = rows * windowsAlong(width);
  std::vector<float> out(room * CANDIDATE);
  const size_t found =
      loops.scan(with, floats.atLeast(loops.floats(width)), integers.atLeast(loops.integers(width, picture.table.width)),
                 picture.table, {width, height, 0, rows}, -INFINITY, out.data(), room);
  out.resize(found == room ? out.size() : 0);
  return out;
}

std::vector<float> scoresBy(const Faces &loops, const std::vector<float> &weights, const Picture &picture,
                            const std::vector<Region> &regions) {
  Memory<float> memory, floats;
  const float *with = packed(memory, loops.packed, loops.pack, weights);
  std::vector<float> out(regions.size() * SCORES);
  loops.score(with, floats.atLeast(loops.floats), picture.table, regions.data(), regions.size(), out.data());
  return out;
}

// The farthest two numbers are apart, by the larger's size where that is above 1.
float farthest(const std::vector<float> &a, const std::vector<float> &b) {
  if (a.size() != b.size() || a.empty()) return INFINITY;
  float most = 0;
  for (size_t i = 0; i < a.size(); i++) {
    const float apart = std::fabs(a[i] - b[i]) / std::fmax(1, std::fabs(a[i]));
    if (!(apart <= most)) most = apart;
  }
  return most;
}

} // namespace

int main() {
  const std::vector<Kernel> kernels = kernelsHere();
  const Kernel &plain = kernels.back();
  const auto pnet = weightsOf(WINDOW_WEIGHTS), rnet = weightsOf(plain.refine->weights),
             onet = weightsOf(plain.output->weights);
  int status = 0;
  for (const Kernel &kernel : kernels) {
    float most = 0;
    size_t numbers = 0;
    const auto compare = [&](const std::vector<float> &a, const std::vector<float> &b) {
      const float apart = farthest(a, b);
      if (!(apart <= most)) most = apart;
      numbers += a.size();
    };
    const size_t sides[][4] = {{12, 12, 12, 12}, {13, 29, 13, 29},     {40, 31, 12, 12},
                               {97, 66, 55, 41}, {333, 217, 333, 217}, {640, 360, 211, 119}};
    for (const auto &[wide, high, width, height] : sides) {
      const Picture picture(wide, high);
      compare(windowsBy(*kernel.windows, pnet, picture, width, height),
              windowsBy(*plain.windows, pnet, picture, width, height));
      for (size_t count = 1; count <= MOST_FACES; count += 5) {
        std::vector<Region> regions;
        for (size_t i = 0; i < count; i++) {
          const size_t x = static_cast<size_t>(drawn() * (wide - 8)), y = static_cast<size_t>(drawn() * (high - 8));
          regions.push_back({x, y, 1 + static_cast<size_t>(drawn() * (wide - x - 1)),
                             1 + static_cast<size_t>(drawn() * (high - y - 1))});
        }
        compare(scoresBy(*kernel.refine, rnet, picture, regions), scoresBy(*plain.refine, rnet, picture, regions));
        compare(scoresBy(*kernel.output, onet, picture, regions), scoresBy(*plain.output, onet, picture, regions));
      }
    }
    const bool agrees = most <= TOLERANCE;
    std::printf("%s: %zu numbers, %.2g apart at most%s\n", kernel.name, numbers, static_cast<double>(most),
                agrees ? "" : ": TOO FAR");
    if (!agrees) status = 1;
  }
  return status;
}
