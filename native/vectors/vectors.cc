// The vectors of a gallery, searched off the thread that calls: what IndexFlatL2 and IndexIVFFlat do, without ever
// holding the event loop. Compiled into faiss-node's binary; src/gallery/index/ wraps it. One thread of a process may
// load it: faiss-node keeps its classes in variables of the process.
//
// - New vectors go to the *tail*: blocks of 1,024 that are only appended to, scanned exactly. The main thread alone
//   writes there and takes no lock that a search holds: a search works on the list of blocks as it was when it began.
// - `train` puts the tail into faiss's inverted lists (IndexIVFFlat), `tidy` adds to them what was added since. Both
//   run on a thread of libuv's pool; searches go on meanwhile and wait only while one block is written into the lists.
// - A removed vector is marked in its block; in the lists it stays until `tidy` or `train`, and the wrapper, which
//   knows every label that lives, leaves it out. Labels grow and are never used twice.
#include "faiss_node.h"

#include <napi.h>

#include "arguments.h"
#include "job.h"
#include "search.h"

namespace kaomon {

// The numbers in a vector, at most, and the square of its length: larger ones overflow in faiss, which answers -1 where it
// should name a list then. Embeddings have a length of about 1.
constexpr size_t MOST_NUMBERS = 1 << 16;
constexpr float MOST_SQUARED = 1e30f;

// The class that JavaScript sees.
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
      : ObjectWrap(info), state_(std::make_shared<State>(Arguments(info).whole(0, 1, MOST_NUMBERS))) {}

private:
  const float *vectorOf(const Arguments &args) const {
    const View<float> vector = args.array<float>(0);
    args.require(vector.length == state_->d, "The vector is not as long as those of the index.");
    float squared = 0;
    for (size_t i = 0; i < vector.length; i++) squared += vector.data[i] * vector.data[i];
    // Nor is NaN at most anything.
    args.require(squared <= MOST_SQUARED, "The vector holds numbers that are not finite, or far too large.");
    return vector.data;
  }

  // add(vector): the label
  Napi::Value add(const Napi::CallbackInfo &info) {
    const float *vector = vectorOf(Arguments(info));
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
    const Arguments args(info);
    args.require(nextLabel_ > 0, "There is nothing to remove.");
    const Label label = static_cast<Label>(args.whole(0, 0, static_cast<size_t>(nextLabel_ - 1)));
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
    const Arguments args(info);
    const float *query = vectorOf(args);
    auto search = std::make_shared<Search>(state_, query, args.whole(1, 1), Napi::Promise::Deferred::New(info.Env()));
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

  // More would only wait for one another.
  static int threadsAt(const Arguments &args, size_t i) {
    return static_cast<int>(std::min<size_t>(args.whole(i, 1), std::max(1u, std::thread::hardware_concurrency())));
  }

  // train(lists, threads): Promise; the old lists serve until the new ones take their place; none when all is gone
  Napi::Value train(const Napi::CallbackInfo &info) {
    const Arguments args(info);
    return start(info, args.whole(0, 1), threadsAt(args, 1));
  }

  // tidy(threads): Promise; full blocks go into the lists, removed vectors leave them
  Napi::Value tidy(const Napi::CallbackInfo &info) { return start(info, 0, threadsAt(Arguments(info), 0)); }

  // setNprobe(count): lists that a search reads
  Napi::Value setNprobe(const Napi::CallbackInfo &info) {
    state_->nprobe = Arguments(info).whole(0, 1);
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

static Napi::Object initVectors(Napi::Env env, Napi::Object exports) {
  Init(env, exports);
  kaomon::Vectors::Init(env, exports);
  return exports;
}

NODE_API_MODULE(vectors, initVectors)
