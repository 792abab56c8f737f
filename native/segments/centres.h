// Comparing many vectors with many centres, and finding centres (k-means).
#pragma once

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <mutex>
#include <numeric>
#include <random>
#include <stdexcept>
#include <system_error>
#include <thread>
#include <vector>

#include "clones.h"
#include "codes.h"

namespace kaomon {

struct Cancelled : std::runtime_error {
  Cancelled() : std::runtime_error("The training was cancelled.") {}
};

// Calls use(piece) for each piece on so many threads, this one among them; rethrows what one of them threw.
template <class Use>
void inParallel(size_t threads, size_t pieces, const std::atomic<bool> &cancelled, const Use &use) {
  std::atomic<size_t> next{0};
  std::atomic<bool> failed{false};
  std::exception_ptr failure;
  std::mutex mutex;
  const auto work = [&] {
    try {
      for (size_t piece; !failed && (piece = next.fetch_add(1)) < pieces;) {
        if (cancelled) throw Cancelled();
        use(piece);
      }
    } catch (...) {
      const std::lock_guard<std::mutex> lock(mutex);
      if (!failed.exchange(true)) failure = std::current_exception();
    }
  };
  std::vector<std::thread> others;
  for (size_t i = 1; i < std::min(threads, pieces); i++) {
    try {
      others.emplace_back(work);
    } catch (const std::system_error &) {
      // Fewer, then.
      break;
    }
  }
  work();
  for (std::thread &other : others) other.join();
  if (failure) std::rethrow_exception(failure);
}

typedef float Lane16 __attribute__((vector_size(64)));
typedef int32_t Index16 __attribute__((vector_size(64)));

// Centres, 32 side by side, so that a vector is compared with all of them at once.
struct alignas(64) Panel {
  Lane16 left, right;
};
constexpr size_t PANEL = 32;
// Vectors that are compared at once.
constexpr size_t TILE = 4;

struct Panels {
  Panels() = default;
  Panels(const float *centres, size_t count, size_t d)
      : d(d), count(count), width((count + PANEL - 1) / PANEL), numbers(width * d), halves(width * PANEL, HUGE_VALF) {
    for (size_t i = 0; i < count; i++) {
      const float *centre = centres + i * d;
      auto *column = reinterpret_cast<float *>(numbers.data() + i / PANEL * d) + i % PANEL;
      for (size_t number = 0; number < d; number++) column[number * PANEL] = centre[number];
      halves[i] = squaredNorm(centre, d) / 2;
    }
  }
  size_t d = 0, count = 0, width = 0;
  std::vector<Panel> numbers;
  // Half of the squared length of each; infinite where there is none.
  std::vector<float> halves;
};

// The products of TILE vectors with all centres: out[vector * width * PANEL + centre].
KAOMON_CLONES void tileProducts(const float *const *vectors, const Panel *panels, size_t width, size_t d, float *out) {
  const float *a = vectors[0], *b = vectors[1], *c = vectors[2], *e = vectors[3];
  for (size_t at = 0; at < width; at++, panels += d) {
    Lane16 sums[TILE][2] = {};
    for (size_t i = 0; i < d; i++) {
      const Lane16 left = panels[i].left, right = panels[i].right;
      sums[0][0] += left * a[i];
      sums[0][1] += right * a[i];
      sums[1][0] += left * b[i];
      sums[1][1] += right * b[i];
      sums[2][0] += left * c[i];
      sums[2][1] += right * c[i];
      sums[3][0] += left * e[i];
      sums[3][1] += right * e[i];
    }
    for (size_t vector = 0; vector < TILE; vector++)
      __builtin_memcpy(out + (vector * width + at) * PANEL, sums[vector], sizeof sums[vector]);
  }
}

// The nearest centre by products: the largest product less half of the squared length; of equals the first.
KAOMON_CLONES size_t nearestCentre(const float *products, const float *halves, size_t count, float *score) {
  Lane16 best = {};
  Index16 where = {}, now = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  best -= HUGE_VALF;
  for (size_t i = 0; i < count; i += 16, now += 16) {
    Lane16 product, half;
    __builtin_memcpy(&product, products + i, sizeof product);
    __builtin_memcpy(&half, halves + i, sizeof half);
    product -= half;
    const Index16 isBetter = product > best;
    best = isBetter ? product : best;
    where = isBetter ? now : where;
  }
  size_t lane = 0;
  for (size_t i = 1; i < 16; i++)
    if (best[i] > best[lane] || (best[i] == best[lane] && where[i] < where[lane])) lane = i;
  *score = best[lane];
  return static_cast<size_t>(where[lane]);
}

// Calls use(i, products) for each of `count` vectors, vectorOf(i).
template <class VectorOf, class Use>
void compareAll(const Panels &panels, size_t count, std::vector<float> &out, const VectorOf &vectorOf, const Use &use) {
  out.resize(TILE * panels.width * PANEL);
  for (size_t first = 0; first < count; first += TILE) {
    const float *tile[TILE];
    for (size_t i = 0; i < TILE; i++) tile[i] = vectorOf(std::min(first + i, count - 1));
    tileProducts(tile, panels.numbers.data(), panels.width, panels.d, out.data());
    for (size_t i = 0; i < TILE && first + i < count; i++) use(first + i, out.data() + i * panels.width * PANEL);
  }
}

// `count` centres of `points` vectors that lie one behind another, by Lloyd's algorithm from points that are drawn.
inline std::vector<float> findCentres(const float *vectors, size_t points, size_t d, size_t count, int rounds,
                                      uint64_t seed, size_t threads, const std::atomic<bool> &cancelled) {
  std::mt19937_64 random(seed);
  std::vector<uint32_t> drawn(points);
  std::iota(drawn.begin(), drawn.end(), 0);
  count = std::min(count, points);
  std::vector<float> centres(count * d);
  for (size_t i = 0; i < count; i++) {
    std::swap(drawn[i], drawn[i + random() % (points - i)]);
    std::copy_n(vectors + drawn[i] * d, d, centres.data() + i * d);
  }
  std::vector<uint32_t> nearest(points);
  constexpr size_t PIECE = 1024;
  for (int round = 0; round < rounds; round++) {
    const Panels panels(centres.data(), count, d);
    inParallel(threads, (points + PIECE - 1) / PIECE, cancelled, [&](size_t piece) {
      std::vector<float> out;
      const size_t first = piece * PIECE, n = std::min(points - first, PIECE);
      compareAll(
          panels, n, out, [&](size_t i) { return vectors + (first + i) * d; },
          [&](size_t i, const float *products) {
            float score;
            const size_t centre = nearestCentre(products, panels.halves.data(), panels.halves.size(), &score);
            // A vector with NaN is near nothing.
            nearest[first + i] = static_cast<uint32_t>(score > -HUGE_VALF ? centre : count);
          });
    });
    std::vector<float> sums(count * d);
    std::vector<uint32_t> sizes(count);
    for (size_t i = 0; i < points; i++) {
      if (nearest[i] >= count) continue;
      float *sum = sums.data() + nearest[i] * d;
      for (size_t number = 0; number < d; number++) sum[number] += vectors[i * d + number];
      sizes[nearest[i]]++;
    }
    for (size_t i = 0; i < count; i++) {
      float *centre = centres.data() + i * d;
      if (sizes[i] > 0)
        for (size_t number = 0; number < d; number++) centre[number] = sums[i * d + number] / float(sizes[i]);
      // Nobody is near it: it begins again elsewhere.
      else std::copy_n(vectors + random() % points * d, d, centre);
    }
  }
  return centres;
}

} // namespace kaomon
