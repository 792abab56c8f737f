// What a training is to do, and reading its vectors from their file: in portions by several threads, or a row at a time.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "centres.h"
#include "file.h"

namespace kaomon {

struct TrainingPlan {
  std::string vectors, to, from;
  size_t d, rows, lists, threads;
  // The recall for which enough lists are read.
  double recall;
};

class Portions {
protected:
  explicit Portions(TrainingPlan plan) : plan_(std::move(plan)) {}

  static constexpr size_t PORTION_BYTES = 4 << 20;
  // The seed of all that is drawn: the same vectors give the same file.
  static constexpr uint64_t SEED = 15;

  // Rows in order, several threads: use(first, count, vectors)
  template <class Use> void eachPortion(double before, double share, const Use &use) {
    const size_t d = plan_.d, rows = plan_.rows, portion = portionRows();
    std::atomic<size_t> done{0};
    inParallel(plan_.threads, (rows + portion - 1) / portion, cancelled_, [&](size_t piece) {
      const size_t first = piece * portion, count = std::min(rows - first, portion);
      std::vector<float> vectors(count * d);
      vectors_->read(vectors.data(), vectors.size() * sizeof(float), first * d * sizeof(float));
      use(first, count, vectors.data());
      done_ = before + share * double(done += count) / double(rows);
    });
  }
  size_t portionRows() const { return std::max<size_t>(1, PORTION_BYTES / (plan_.d * sizeof(float))); }
  void readRow(size_t row, float *to) const {
    vectors_->read(to, plan_.d * sizeof(float), row * plan_.d * sizeof(float));
  }

  const TrainingPlan plan_;
  std::atomic<bool> cancelled_{false};
  std::atomic<double> done_{0};
  const File *vectors_ = nullptr;
};

} // namespace kaomon
