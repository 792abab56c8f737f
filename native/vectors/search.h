// Searching, on the threads of libuv's pool.
#pragma once

#include <napi.h>

#include <condition_variable>
#include <thread>
#include <tuple>

#include "distance.h"
#include "state.h"

namespace kaomon {

// A search is spread over this many threads of libuv's pool (it has four) once there is enough to read.
constexpr size_t MAX_PARTS = 2;
constexpr size_t FLOATS_WORTH_A_PART = 4 << 20;
// Vectors in a list, as the wrapper chooses their number.
constexpr size_t ABOUT_A_LIST = 128;

// One search, shared by the pool threads that work on it: each takes piece after piece until none is left. The first
// piece is the choice of lists, where there are any; then come the blocks of the tail; then the chosen lists. Lists
// are read here and not by faiss, which would read them all on one thread, and at a fifth of the speed: the distance
// that it is linked with (kaomon_distance.h) is not the one that its scanner of lists was compiled with.
struct Search {
  Search(std::shared_ptr<State> of, const float *vector, size_t k, Napi::Promise::Deferred deferred)
      : state(std::move(of)), query(vector, vector + state->d), k(k), nearest(k), inLists(k), deferred(deferred) {
    std::tie(blocks, lists) = state->snapshot();
    nprobe = lists ? std::min(lists->ivf->nlist, state->nprobe.load()) : 0;
  }

  size_t total() const { return blocks->size() + (lists ? 1 + nprobe : 0); }

  // Vectors that are read, about. How many the lists hold is not asked: a job may be writing there.
  size_t reads() const {
    return blocks->size() * BLOCK + (lists ? lists->ivf->nlist + nprobe * ABOUT_A_LIST : 0);
  }

  void work() {
    Nearest mine(k), mineInLists(k);
    size_t done = 0;
    const size_t pieces = total();
    const size_t choices = lists ? 1 : 0;
    for (size_t piece; (piece = next.fetch_add(1)) < pieces; done++) {
      if (piece < choices) chooseLists();
      else if (piece - choices < blocks->size()) scanBlock(*(*blocks)[piece - choices], mine);
      else scanList(piece - choices - blocks->size(), mineInLists);
    }
    std::lock_guard<std::mutex> lock(mutex);
    for (const Found &found : mine.heap()) nearest.offer(found.distance, found.label);
    for (const Found &found : mineInLists.heap()) inLists.offer(found.distance, found.label);
    finished += done;
  }

  std::shared_ptr<State> state;
  std::vector<float> query;
  const size_t k;
  std::shared_ptr<const Blocks> blocks;
  std::shared_ptr<Lists> lists;
  std::atomic<size_t> next{0};

  std::mutex mutex;
  Nearest nearest;
  // Apart from those of the tail: removed ones may be among them and must not take the others' places.
  Nearest inLists;
  size_t finished = 0;

  // Main thread only.
  Napi::Promise::Deferred deferred;
  bool answered = false;

private:
  void scanBlock(const Block &block, Nearest &mine) const {
    const size_t d = state->d;
    const size_t count = block.count.load(std::memory_order_acquire);
    for (size_t i = 0; i < count; i++) {
      const float distance = squaredDistance(query.data(), block.vectors + i * d, d);
      if (!(distance <= mine.limit())) continue;
      const Label label = block.labels[i].load(std::memory_order_relaxed);
      if (label >= 0) mine.offer(distance, label);
    }
  }

  // The lists whose centres are nearest, the nearest first. Centres never change; no lock is needed for them.
  void chooseLists() {
    std::vector<Found> centres;
    try {
      const faiss::IndexIVFFlat &ivf = *lists->ivf;
      const float *centre = dynamic_cast<const faiss::IndexFlat &>(*ivf.quantizer).get_xb();
      centres.resize(ivf.nlist);
      for (size_t list = 0; list < ivf.nlist; list++)
        centres[list] = {squaredDistance(query.data(), centre + list * state->d, state->d), static_cast<Label>(list)};
      std::partial_sort(centres.begin(), centres.begin() + nprobe, centres.end());
      centres.resize(nprobe);
    } catch (...) {
      choose({});
      throw;
    }
    choose(std::move(centres));
  }

  void choose(std::vector<Found> centres) {
    std::lock_guard<std::mutex> lock(chosenMutex_);
    chosen_ = std::move(centres);
    isChosen_ = true;
    becameChosen_.notify_all();
  }

  // Waits for the choice: whoever takes a list has seen that another thread is at it, for a millisecond or so.
  void scanList(size_t probe, Nearest &mine) {
    size_t list;
    {
      std::unique_lock<std::mutex> lock(chosenMutex_);
      becameChosen_.wait(lock, [this] { return isChosen_; });
      if (probe >= chosen_.size()) return;
      list = static_cast<size_t>(chosen_[probe].label);
    }
    const size_t d = state->d;
    std::shared_lock<std::shared_mutex> lock(lists->mutex);
    const faiss::InvertedLists *all = lists->ivf->invlists;
    const size_t count = all->list_size(list);
    faiss::InvertedLists::ScopedCodes codes(all, list);
    faiss::InvertedLists::ScopedIds ids(all, list);
    const float *vectors = reinterpret_cast<const float *>(codes.get());
    for (size_t i = 0; i < count; i++) {
      const float distance = squaredDistance(query.data(), vectors + i * d, d);
      if (distance <= mine.limit()) mine.offer(distance, ids[i]);
    }
  }

  size_t nprobe = 0;
  std::mutex chosenMutex_;
  std::condition_variable becameChosen_;
  std::vector<Found> chosen_;
  bool isChosen_ = false;
};

class SearchPart : public Napi::AsyncWorker {
public:
  SearchPart(Napi::Env env, std::shared_ptr<Search> search) : AsyncWorker(env, "kaomonSearch"), search_(search) {}
  void Execute() override {
    search_->work();
    std::lock_guard<std::mutex> lock(search_->mutex);
    if (search_->finished == search_->total()) complete_ = true;
  }
  // The part that ends last answers; one that had to wait for a thread until all was done delays nobody.
  void OnOK() override {
    if (search_->answered || !complete_) return;
    search_->answered = true;
    Napi::Env env = Env();
    const std::vector<Found> found = search_->nearest.sorted(search_->inLists.heap());
    auto labels = Napi::Float64Array::New(env, found.size());
    auto distances = Napi::Float32Array::New(env, found.size());
    for (size_t i = 0; i < found.size(); i++) {
      labels[i] = static_cast<double>(found[i].label);
      distances[i] = found[i].distance;
    }
    auto result = Napi::Object::New(env);
    result.Set("labels", labels);
    result.Set("distances", distances);
    search_->deferred.Resolve(result);
  }
  void OnError(const Napi::Error &error) override {
    if (search_->answered) return;
    search_->answered = true;
    search_->deferred.Reject(error.Value());
  }

private:
  std::shared_ptr<Search> search_;
  bool complete_ = false;
};

} // namespace kaomon
