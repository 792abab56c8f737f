// The vectors of a gallery, searched off the thread that calls: what IndexFlatL2 and IndexIVFFlat do, without ever
// holding the event loop. Compiled into faiss-node's binary (see scripts/native.mjs); src/gallery/index/ wraps it.
//
// - New vectors go to the *tail*: blocks of 1,024 that are only appended to, scanned exactly. The main thread alone
//   writes there and takes no lock that a search holds: a search works on the list of blocks as it was when it began.
// - `train` puts the tail into faiss's inverted lists (IndexIVFFlat), `tidy` adds to them what was added since. Both
//   run on a thread of libuv's pool; searches go on meanwhile and wait only while one block is written into the lists.
// - A removed vector is marked in its block; in the lists it stays until `tidy` or `train`, and the wrapper, which
//   knows every label that lives, leaves it out. Labels grow and are never used twice.
#pragma once

#include <faiss/IndexFlat.h>
#include <faiss/IndexIVFFlat.h>
#include <faiss/impl/AuxIndexStructures.h>
#include <faiss/impl/FaissException.h>
#include <faiss/impl/IDSelector.h>
#include <napi.h>
#include <omp.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <thread>
#include <unordered_set>
#include <vector>

#include "kaomon_distance.h"

extern "C" void openblas_set_num_threads(int) __attribute__((weak));

namespace kaomon {

using Label = int64_t;
constexpr size_t BLOCK = 1024;
// A search is spread over this many threads of libuv's pool (it has four) once there is enough to read.
constexpr size_t MAX_PARTS = 2;
constexpr size_t FLOATS_WORTH_A_PART = 4 << 20;
// Vectors in a list, as the wrapper chooses their number.
constexpr size_t ABOUT_A_LIST = 128;

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
  // Held to write by jobs, to read by searches; the main thread takes it never.
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

// One search, shared by the pool threads that work on it: each takes piece after piece until none is left. The first
// piece is the choice of lists, where there are any; then come the blocks of the tail; then the chosen lists. Lists
// are read here and not by faiss, which would read them all on one thread, and at a fifth of the speed: the distance
// that it is linked with (kaomon_distance.h) is not the one that its scanner of lists was compiled with.
struct Search {
  Search(std::shared_ptr<State> state, const Floats &query, size_t k, Napi::Promise::Deferred deferred)
      : state(std::move(state)), query(query.data, query.data + query.length), k(k), nearest(k), inLists(k),
        deferred(deferred) {
    std::tie(blocks, lists) = this->state->snapshot();
    nprobe = lists ? std::min(lists->ivf->nlist, this->state->nprobe.load()) : 0;
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
      for (size_t i = first; i < first + n; i++) sizes[assigned[i]]++;
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

// The class that JavaScript sees. Its callers check lengths and numbers (src/gallery/index/faiss-index.ts).
class Vectors : public Napi::ObjectWrap<Vectors> {
public:
  static void Init(Napi::Env env, Napi::Object exports) {
    Cancel::instance = std::make_unique<Cancel>();
    exports.Set("KaomonVectors", DefineClass(env, "KaomonVectors",
                                             {
                                                 InstanceMethod("add", &Vectors::add),
                                                 InstanceMethod("remove", &Vectors::remove),
                                                 InstanceMethod("search", &Vectors::search),
                                                 InstanceMethod("train", &Vectors::train),
                                                 InstanceMethod("tidy", &Vectors::tidy),
                                                 InstanceMethod("setNprobe", &Vectors::setNprobe),
                                                 InstanceMethod("info", &Vectors::info),
                                                 InstanceMethod("cancel", &Vectors::cancel),
                                             }));
  }

  explicit Vectors(const Napi::CallbackInfo &info)
      : ObjectWrap(info), state_(std::make_shared<State>(info[0].As<Napi::Number>().Uint32Value())) {}

private:
  const float *vectorOf(const Napi::CallbackInfo &info) const {
    if (!isFloat32Array(info[0]) || info[0].As<Napi::Float32Array>().ElementLength() != state_->d)
      throw Napi::TypeError::New(info.Env(), "Expected a Float32Array of the index's length.");
    return info[0].As<Napi::Float32Array>().Data();
  }

  // add(vector): the label
  Napi::Value add(const Napi::CallbackInfo &info) {
    const float *vector = vectorOf(info);
    const Blocks &blocks = *state_->blocks;
    if (blocks.empty() || blocks.back()->full()) {
      Blocks next = blocks;
      next.push_back(std::make_shared<Block>(state_->d));
      state_->replaceBlocks(std::move(next));
    }
    state_->blocks->back()->append(vector, state_->d, nextLabel_);
    return Napi::Number::New(info.Env(), static_cast<double>(nextLabel_++));
  }

  // remove(label): nobody finds it from the next search on
  Napi::Value remove(const Napi::CallbackInfo &info) {
    const Label label = info[0].As<Napi::Number>().Int64Value();
    const Blocks &blocks = *state_->blocks;
    // Labels ascend through the blocks.
    auto after = std::upper_bound(blocks.begin(), blocks.end(), label, [](Label wanted, const auto &block) {
      return wanted < original(block->labels[0].load(std::memory_order_relaxed));
    });
    if (after != blocks.begin()) {
      const size_t at = after - blocks.begin() - 1;
      Block &block = *blocks[at];
      const size_t count = block.count.load(std::memory_order_relaxed);
      auto place = std::lower_bound(block.labels, block.labels + count, label, [](const auto &one, Label wanted) {
        return original(one.load(std::memory_order_relaxed)) < wanted;
      });
      if (place != block.labels + count && place->load(std::memory_order_relaxed) == label) {
        place->store(~label, std::memory_order_relaxed);
        block.live--;
        if (!state_->busy) shrink(at);
        return info.Env().Undefined();
      }
    }
    state_->dead.insert(label);
    return info.Env().Undefined();
  }

  // Two neighbours that fit into one block become one, so that a gallery that shrinks gives memory back.
  void shrink(size_t at) {
    const Blocks &blocks = *state_->blocks;
    for (size_t left = at == 0 ? 0 : at - 1; left <= at && left + 1 < blocks.size(); left++) {
      const Block &a = *blocks[left], &b = *blocks[left + 1];
      if (a.live + b.live > BLOCK * 3 / 4) continue;
      auto merged = std::make_shared<Block>(state_->d);
      for (const Block *from : {&a, &b})
        for (size_t i = 0; i < from->count.load(std::memory_order_relaxed); i++) {
          const Label label = from->labels[i].load(std::memory_order_relaxed);
          if (label >= 0) merged->append(from->vectors + i * state_->d, state_->d, label);
        }
      Blocks next;
      for (size_t i = 0; i < blocks.size(); i++) {
        if (i == left) {
          if (merged->live > 0) next.push_back(merged);
        } else if (i != left + 1) next.push_back(blocks[i]);
      }
      state_->replaceBlocks(std::move(next));
      return;
    }
  }

  // search(query, k): Promise of { labels, distances }, k of them or fewer, removed ones of the lists among them
  Napi::Value search(const Napi::CallbackInfo &info) {
    vectorOf(info);
    const size_t k = info[1].As<Napi::Number>().Uint32Value();
    auto search = std::make_shared<Search>(state_, Floats(info[0]), k, Napi::Promise::Deferred::New(info.Env()));
    const size_t worth = search->reads() * state_->d / FLOATS_WORTH_A_PART;
    const size_t parts = std::clamp<size_t>(worth, 1, std::min<size_t>(MAX_PARTS, std::thread::hardware_concurrency()));
    for (size_t part = 0; part < parts; part++) (new SearchPart(info.Env(), search))->Queue();
    return search->deferred.Promise();
  }

  Napi::Value start(const Napi::CallbackInfo &info, size_t nlist, int threads) {
    if (state_->busy) throw Napi::Error::New(info.Env(), "A training is under way.");
    state_->busy = true;
    auto job = new Job(info.Env(), state_, nlist, threads);
    job->Queue();
    return job->deferred.Promise();
  }

  // train(lists, threads): Promise; the old lists serve until the new ones take their place; none when all is gone
  Napi::Value train(const Napi::CallbackInfo &info) {
    return start(info, std::max(1u, info[0].As<Napi::Number>().Uint32Value()), info[1].As<Napi::Number>().Int32Value());
  }

  // tidy(threads): Promise; full blocks go into the lists, removed vectors leave them
  Napi::Value tidy(const Napi::CallbackInfo &info) { return start(info, 0, info[0].As<Napi::Number>().Int32Value()); }

  Napi::Value setNprobe(const Napi::CallbackInfo &info) {
    state_->nprobe = std::max(1u, info[0].As<Napi::Number>().Uint32Value());
    return info.Env().Undefined();
  }

  // info(): { lists, blocks, dead }: inverted lists, blocks of the tail, removed ones that may still be in the lists
  Napi::Value info(const Napi::CallbackInfo &info) {
    auto result = Napi::Object::New(info.Env());
    result.Set("lists", static_cast<double>(state_->lists ? state_->lists->ivf->nlist : 0));
    result.Set("blocks", static_cast<double>(state_->blocks->size()));
    result.Set("dead", static_cast<double>(state_->dead.size()));
    return result;
  }

  Napi::Value cancel(const Napi::CallbackInfo &info) {
    state_->cancelled = true;
    return info.Env().Undefined();
  }

  std::shared_ptr<State> state_;
  Label nextLabel_ = 0;
};
} // namespace kaomon
