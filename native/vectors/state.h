// Where an index keeps its vectors, and what its searches and jobs share with it.
#pragma once

#include <faiss/IndexFlat.h>
#include <faiss/IndexIVFFlat.h>
#include <faiss/impl/AuxIndexStructures.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <new>
#include <shared_mutex>
#include <unordered_set>
#include <utility>
#include <vector>

#include "nearest.h"

namespace kaomon {

constexpr size_t BLOCK = 1024;

// Part of the tail: vectors in the order in which they were added.
struct Block {
  explicit Block(size_t d) : vectors(static_cast<float *>(std::aligned_alloc(64, BLOCK * d * sizeof(float)))) {
    if (!vectors) throw std::bad_alloc();
  }
  ~Block() { std::free(vectors); }
  Block(const Block &) = delete;
  Block &operator=(const Block &) = delete;

  bool full() const { return count.load(std::memory_order_relaxed) == BLOCK; }
  void append(const float *vector, size_t d, Label label) {
    const size_t at = count.load(std::memory_order_relaxed);
    std::copy_n(vector, d, vectors + at * d);
    labels[at].store(label, std::memory_order_relaxed);
    live++;
    count.store(at + 1, std::memory_order_release);
  }

  float *vectors;
  std::atomic<size_t> count{0};
  // In ascending order; ~label once it is removed.
  std::atomic<Label> labels[BLOCK];
  // The main thread's own count.
  size_t live = 0;
};
using Blocks = std::vector<std::shared_ptr<Block>>;

inline Label original(Label label) { return label < 0 ? ~label : label; }

struct Lists {
  std::unique_ptr<faiss::IndexIVFFlat> ivf;
  // Held to write by jobs, to read by searches; never taken by the main thread.
  mutable std::shared_mutex mutex;
};

// Ends a training in the middle when its index is closed: faiss asks this one object, from the thread that trains.
struct Cancel : faiss::InterruptCallback {
  static inline thread_local const std::atomic<bool> *asked = nullptr;
  bool want_interrupt() override { return asked && asked->load(); }
};

// What searches and jobs share with the index; it outlives the JavaScript object when they do.
struct State {
  explicit State(size_t d) : d(d), blocks(std::make_shared<const Blocks>()) {}

  const size_t d;
  std::atomic<bool> cancelled{false};
  std::atomic<size_t> nprobe{1};

  std::pair<std::shared_ptr<const Blocks>, std::shared_ptr<Lists>> snapshot() const {
    std::lock_guard<std::mutex> lock(mutex_);
    return {blocks, lists};
  }
  // Main thread only. The old ones are returned, so that a pool thread can free them.
  void replaceBlocks(Blocks next) {
    auto made = std::make_shared<const Blocks>(std::move(next));
    std::lock_guard<std::mutex> lock(mutex_);
    blocks = std::move(made);
  }
  std::shared_ptr<Lists> replaceLists(std::shared_ptr<Lists> next) {
    std::lock_guard<std::mutex> lock(mutex_);
    std::swap(lists, next);
    return next;
  }

  // Written under the mutex by the main thread alone, which may therefore read them without it.
  std::shared_ptr<const Blocks> blocks;
  std::shared_ptr<Lists> lists;
  // Main thread only: labels that the lists still hold and nobody may find.
  std::unordered_set<Label> dead;
  // Main thread only: a job is under way.
  bool busy = false;

private:
  mutable std::mutex mutex_;
};

} // namespace kaomon
