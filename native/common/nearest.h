// The nearest of many vectors.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <unordered_set>
#include <vector>

namespace kaomon {

using Label = int64_t;

struct Found {
  float distance;
  Label label;
  bool operator<(const Found &other) const {
    return distance < other.distance || (distance == other.distance && label < other.label);
  }
};

// The k nearest so far, as a heap with the farthest on top.
class Nearest {
public:
  explicit Nearest(size_t k) : k_(k) {}
  float limit() const { return heap_.size() < k_ ? HUGE_VALF : heap_.front().distance; }
  void offer(float distance, Label label) {
    if (heap_.size() == k_) {
      if (!(Found{distance, label} < heap_.front())) return;
      std::pop_heap(heap_.begin(), heap_.end());
      heap_.pop_back();
    }
    heap_.push_back({distance, label});
    std::push_heap(heap_.begin(), heap_.end());
  }
  // What was found, nearest first; a label that was found in the tail and in the lists counts once.
  std::vector<Found> sorted(const std::vector<Found> &others) const {
    std::vector<Found> all(heap_);
    all.insert(all.end(), others.begin(), others.end());
    std::sort(all.begin(), all.end());
    std::unordered_set<Label> seen;
    std::vector<Found> first;
    for (const Found &found : all) {
      if (first.size() == k_) break;
      if (seen.insert(found.label).second) first.push_back(found);
    }
    return first;
  }
  const std::vector<Found> &heap() const { return heap_; }

private:
  size_t k_;
  std::vector<Found> heap_;
};

} // namespace kaomon
