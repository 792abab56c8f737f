// Measuring how many of a training's lists a search has to read: what is found by lists against what is found exactly.
#pragma once

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <random>
#include <utility>
#include <vector>

#include "centres.h"
#include "clones.h"
#include "lists.h"
#include "search.h"
#include "segment.h"
#include "sorting.h"

namespace kaomon {

struct Trained {
  size_t lists, nprobe;
  float recall;
  bool isReused;
};

class Measuring : protected Sorting {
protected:
  using Sorting::Sorting;

  // Faces of the same person as that of a row, about as alike as two faces of one person are (0.5 squared L2 between
  // vectors of length 1): each is looked for exactly, then by lists.
  Trained measure() {
    const size_t d = plan_.d, rows = plan_.rows, count = std::min(PROBES, rows);
    std::mt19937_64 random(SEED);
    const auto uniform = [&] { return double(random() >> 11) * 0x1p-53; };
    std::vector<float> probes(count * d);
    for (size_t i = 0; i < count; i++) {
      float *probe = probes.data() + i * d;
      readRow(i * rows / count, probe);
      const float length = std::sqrt(squaredNorm(probe, d));
      if (!std::isfinite(length)) {
        std::fill_n(probe, d, 0.f);
        continue;
      }
      const double noise = NOISE * length / std::sqrt(double(d));
      for (size_t number = 0; number < d; number++)
        probe[number] +=
            static_cast<float>(noise * std::sqrt(-2 * std::log(1 - uniform())) * std::cos(2 * M_PI * uniform()));
      const float made = std::sqrt(squaredNorm(probe, d));
      if (made > 0)
        for (size_t number = 0; number < d; number++) probe[number] *= length / made;
    }
    const std::vector<uint32_t> nearest = nearestOf(probes, count);

    auto segment = std::make_shared<Segment>(plan_.vectors, d, rows);
    segment->lists = std::make_shared<const Lists>(plan_.to);
    std::vector<uint32_t> listOf(rows);
    for (size_t list = 0; list < listCount(); list++)
      for (size_t i = listFirst_[list]; i < listFirst_[list + 1]; i++) listOf[order_[i]] = static_cast<uint32_t>(list);
    // How many lists had to be read for each.
    std::vector<uint32_t> needed(count);
    inParallel(plan_.threads, count, cancelled_, [&](size_t i) {
      Search search(segment, probes.data() + i * d, 1, {{0, rows}}, 1);
      needed[i] = search.rankOf(listOf[nearest[i]]) + 1;
    });
    std::sort(needed.begin(), needed.end());
    size_t nprobe = needed[static_cast<size_t>(std::ceil(plan_.recall * double(count))) - 1];
    for (;;) {
      std::atomic<size_t> right{0};
      inParallel(plan_.threads, count, cancelled_, [&](size_t i) {
        const float *probe = probes.data() + i * d;
        Search search(segment, probe, 1, {{0, rows}}, nprobe, true);
        search.work();
        // Another row at the same distance is as good.
        const float exact = squaredDistance(probe, segment->vectorAt(nearest[i]), d);
        if (!search.found().empty() && search.found()[0].distance <= exact * 1.00001f + 1e-12f) right++;
      });
      const float recall = static_cast<float>(right) / static_cast<float>(count);
      if (recall >= float(plan_.recall) || nprobe >= listCount()) return {listCount(), nprobe, recall, false};
      nprobe = std::min(listCount(), nprobe + nprobe / 4 + 1);
    }
  }

  static constexpr size_t PROBES = 500;
  static constexpr double NOISE = 0.92;

  // The nearest row of each of `count` vectors, exactly.
  std::vector<uint32_t> nearestOf(const std::vector<float> &probes, size_t count) {
    const size_t d = plan_.d;
    const Panels panels(probes.data(), count, d);
    const size_t width = panels.halves.size();
    struct Best {
      std::vector<float> scores;
      std::vector<uint32_t> rows;
    };
    Best all{std::vector<float>(width, -HUGE_VALF), std::vector<uint32_t>(width)};
    std::mutex mutex;
    eachPortion(0.85, 0.12, [&](size_t first, size_t rows, const float *vectors) {
      Best mine{std::vector<float>(width, -HUGE_VALF), std::vector<uint32_t>(width)};
      std::vector<float> out;
      compareAll(
          panels, rows, out, [&](size_t i) { return vectors + i * d; },
          [&](size_t i, const float *products) {
            const float half = squaredNorm(vectors + i * d, d) / 2;
            takeBetter(products, half, static_cast<uint32_t>(first + i), width, mine.scores.data(), mine.rows.data());
          });
      const std::lock_guard<std::mutex> lock(mutex);
      for (size_t i = 0; i < width; i++)
        if (mine.scores[i] > all.scores[i] || (mine.scores[i] == all.scores[i] && mine.rows[i] < all.rows[i])) {
          all.scores[i] = mine.scores[i];
          all.rows[i] = mine.rows[i];
        }
    });
    return std::move(all.rows);
  }

  KAOMON_CLONES static void takeBetter(const float *products, float half, uint32_t row, size_t count, float *scores, uint32_t *rows) {
    for (size_t i = 0; i < count; i++) {
      const float score = products[i] - half;
      const bool isBetter = score > scores[i];
      scores[i] = isBetter ? score : scores[i];
      rows[i] = isBetter ? row : rows[i];
    }
  }
};

} // namespace kaomon
