// What a search reads: vectors that are mapped, their lists, and which rows were removed.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "file.h"
#include "lists.h"

namespace kaomon {

// What searches share with the segment; it outlives the JavaScript object when they do.
struct Segment {
  Segment(const std::string &path, size_t d, size_t rows)
      : d(d), rows(rows), file(path), vectors(checked()), dead_((rows + 63) / 64) {}

  bool isDead(size_t row) const {
    return dead_[row / 64].load(std::memory_order_relaxed) >> (row % 64) & 1;
  }
  void remove(size_t first, size_t end) {
    for (size_t row = first; row < end;) {
      const size_t stop = std::min(end, (row / 64 + 1) * 64), bits = stop - row;
      dead_[row / 64].fetch_or((bits == 64 ? ~uint64_t{0} : (uint64_t{1} << bits) - 1) << (row % 64),
                               std::memory_order_relaxed);
      row = stop;
    }
  }
  const float *vectorAt(size_t row) const { return vectors.at<float>(row * d * sizeof(float)); }

  const size_t d, rows;
  const File file;
  const Mapping vectors;
  std::shared_ptr<const Lists> lists;
  size_t nprobe = 0;

private:
  const File &checked() const {
    if (file.size() != rows * d * sizeof(float))
      throw std::runtime_error("not as long as its rows: " + file.path());
    return file;
  }

  std::vector<std::atomic<uint64_t>> dead_;
};

} // namespace kaomon
