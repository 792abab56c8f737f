// Trainings and what keeps the lists tidy, on threads of libuv's pool.
#pragma once

#include <faiss/impl/IDSelector.h>
#include <napi.h>
#include <omp.h>

#include <stdexcept>
#include <thread>
#include <tuple>

#include "state.h"

extern "C" void openblas_set_num_threads(int) __attribute__((weak));

namespace kaomon {

// Frees what it is given on a pool thread: giving gigabytes back takes long enough to be felt.
class Disposal : public Napi::AsyncWorker {
public:
  Disposal(Napi::Env env, std::shared_ptr<Lists> lists, Blocks blocks)
      : AsyncWorker(env, "kaomonDisposal"), lists_(std::move(lists)), blocks_(std::move(blocks)) {}
  void Execute() override {
    lists_.reset();
    blocks_.clear();
  }

private:
  std::shared_ptr<Lists> lists_;
  Blocks blocks_;
};

// Moves vectors from the tail into inverted lists: into new ones (nlist > 0) or into those that are there (0).
class Job : public Napi::AsyncWorker {
public:
  Job(Napi::Env env, std::shared_ptr<State> state, size_t nlist, int threads)
      : AsyncWorker(env, "kaomonJob"), deferred(Napi::Promise::Deferred::New(env)), state_(std::move(state)),
        nlist_(nlist), threads_(threads), dead_(state_->dead) {
    std::tie(std::ignore, lists_) = state_->snapshot();
    // All but the one that is written to.
    for (const auto &block : *state_->blocks)
      if (block->full() || block != state_->blocks->back()) moved_.push_back(block);
  }

  void Execute() override {
    Cancel::asked = &state_->cancelled;
    omp_set_num_threads(threads_);
    if (openblas_set_num_threads) openblas_set_num_threads(threads_);
    try {
      if (nlist_ > 0) build();
      else append();
    } catch (const std::exception &error) {
      SetError(error.what());
    }
    Cancel::asked = nullptr;
  }

  void OnOK() override {
    state_->busy = false;
    // What was removed while the job ran may have been copied before.
    for (const auto &block : moved_)
      for (size_t i = 0; i < block->count.load(std::memory_order_relaxed); i++) {
        const Label label = block->labels[i].load(std::memory_order_relaxed);
        if (label < 0) state_->dead.insert(original(label));
      }
    if (purged_)
      for (Label label : dead_) state_->dead.erase(label);
    std::shared_ptr<Lists> old;
    if (nlist_ > 0) old = state_->replaceLists(built_);
    lists_.reset();
    Blocks left;
    std::unordered_set<const Block *> gone;
    for (const auto &block : moved_) gone.insert(block.get());
    for (const auto &block : *state_->blocks)
      if (!gone.count(block.get())) left.push_back(block);
    state_->replaceBlocks(std::move(left));
    (new Disposal(Env(), std::move(old), std::move(moved_)))->Queue();
    deferred.Resolve(Env().Undefined());
  }
  void OnError(const Napi::Error &error) override {
    state_->busy = false;
    deferred.Reject(error.Value());
  }

  Napi::Promise::Deferred deferred;

private:
  struct Item {
    const float *vector;
    Label label;
  };

  // All that lives in what this job moves. Blocks stay while it holds them, and only jobs write to lists, one at a
  // time: the pointers are good until it ends.
  std::vector<Item> collect(bool withLists) const {
    std::vector<Item> items;
    if (withLists && lists_) {
      const faiss::IndexIVFFlat &ivf = *lists_->ivf;
      items.reserve(ivf.ntotal + moved_.size() * BLOCK);
      for (size_t list = 0; list < ivf.nlist; list++) {
        const auto *codes = reinterpret_cast<const float *>(ivf.invlists->get_codes(list));
        const faiss::idx_t *labels = ivf.invlists->get_ids(list);
        const size_t size = ivf.invlists->list_size(list);
        for (size_t i = 0; i < size; i++)
          if (!dead_.count(labels[i])) items.push_back({codes + i * state_->d, labels[i]});
      }
    }
    for (const auto &block : moved_)
      for (size_t i = 0; i < block->count.load(std::memory_order_acquire); i++) {
        const Label label = block->labels[i].load(std::memory_order_relaxed);
        if (label >= 0) items.push_back({block->vectors + i * state_->d, label});
      }
    return items;
  }

  // Calls use(first, n, vectors, labels) for portions that lie one behind another, as faiss takes them.
  template <class Use> void eachPortion(const std::vector<Item> &items, Use use) const {
    const size_t d = state_->d;
    std::vector<float> vectors(BLOCK * d);
    std::vector<faiss::idx_t> labels(BLOCK);
    for (size_t first = 0; first < items.size(); first += BLOCK) {
      if (state_->cancelled) throw std::runtime_error("The index was closed.");
      const size_t n = std::min(BLOCK, items.size() - first);
      for (size_t i = 0; i < n; i++) {
        std::copy_n(items[first + i].vector, d, vectors.data() + i * d);
        labels[i] = items[first + i].label;
      }
      use(first, n, vectors.data(), labels.data());
    }
  }

  void build() {
    const size_t d = state_->d;
    const std::vector<Item> items = collect(true);
    purged_ = true;
    if (items.empty()) return;
    const size_t nlist = std::min(nlist_, items.size());
    // Evenly spread over all: neighbours in the order of enrolment are often of one person.
    const size_t points = std::min(items.size(), nlist * POINTS_A_LIST);
    std::vector<float> sample(points * d);
    for (size_t i = 0; i < points; i++)
      std::copy_n(items[i * items.size() / points].vector, d, sample.data() + i * d);

    built_ = std::make_shared<Lists>();
    auto quantizer = std::make_unique<faiss::IndexFlatL2>(d);
    built_->ivf = std::make_unique<faiss::IndexIVFFlat>(quantizer.get(), d, nlist);
    faiss::IndexIVFFlat &ivf = *built_->ivf;
    quantizer.release();
    ivf.own_fields = true;
    ivf.cp.niter = ITERATIONS;
    ivf.cp.min_points_per_centroid = 1;
    ivf.train(points, sample.data());
    sample = {};

    std::vector<faiss::idx_t> assigned(items.size());
    std::vector<size_t> sizes(nlist);
    eachPortion(items, [&](size_t first, size_t n, const float *vectors, const faiss::idx_t *) {
      ivf.quantizer->assign(n, vectors, assigned.data() + first);
      for (size_t i = first; i < first + n; i++) sizes.at(static_cast<size_t>(assigned[i]))++;
    });
    // Each list at its size at once: growing by doubling would take up to twice the memory.
    for (size_t list = 0; list < nlist; list++) {
      ivf.invlists->resize(list, sizes[list]);
      ivf.invlists->resize(list, 0);
    }
    eachPortion(items, [&](size_t first, size_t n, const float *vectors, const faiss::idx_t *labels) {
      ivf.add_core(n, vectors, labels, assigned.data() + first);
    });
  }

  void append() {
    if (!lists_) throw std::runtime_error("There are no lists yet.");
    faiss::IndexIVFFlat &ivf = *lists_->ivf;
    std::vector<faiss::idx_t> assigned(BLOCK);
    eachPortion(collect(false), [&](size_t, size_t n, const float *vectors, const faiss::idx_t *labels) {
      ivf.quantizer->assign(n, vectors, assigned.data());
      std::unique_lock<std::shared_mutex> lock(lists_->mutex);
      ivf.add_core(n, vectors, labels, assigned.data());
    });
    if (dead_.empty()) return;
    const std::vector<faiss::idx_t> labels(dead_.begin(), dead_.end());
    const faiss::IDSelectorBatch selector(labels.size(), labels.data());
    std::unique_lock<std::shared_mutex> lock(lists_->mutex);
    ivf.remove_ids(selector);
    purged_ = true;
  }

  static constexpr size_t POINTS_A_LIST = 40;
  static constexpr int ITERATIONS = 8;

  std::shared_ptr<State> state_;
  const size_t nlist_;
  const int threads_;
  const std::unordered_set<Label> dead_;
  std::shared_ptr<Lists> lists_, built_;
  Blocks moved_;
  bool purged_ = false;
};

} // namespace kaomon
