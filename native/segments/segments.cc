// The vectors of a snapshot, in files that all processes of a machine map and search; src/gallery/base/ wraps it. Any number
// of threads may load it.
//
// - map: a file's bytes as they lie in the disk's cache.
// - MappedVectors: a matrix of vectors, searched exactly or by lists of 8-bit codes, on libuv's threads.
// - ListTraining: makes the file of such lists.
#include <napi.h>

#include <algorithm>
#include <memory>
#include <thread>

#include "arguments.h"
#include "list_training.h"
#include "search.h"
#include "work.h"

namespace kaomon {

// A search is spread over this many threads of libuv's pool (it has four) once there is enough to read.
constexpr size_t MAX_PARTS = 2;
constexpr size_t BYTES_WORTH_A_PART = 8 << 20;
// The square of a vector's length, at most: embeddings have a length of about 1.
constexpr float MOST_SQUARED = 1e30f;

// map(path): ArrayBuffer, until it is collected. Writes would go to pages of the process's own and never to the file.
static Napi::Value map(const Napi::CallbackInfo &info) {
  const Napi::Env env = info.Env();
  const File file(Arguments(info).text(0));
  const size_t bytes = file.size();
  if (bytes == 0) return Napi::ArrayBuffer::New(env, 0);
  void *start = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE, file.number(), 0);
  if (start == MAP_FAILED) file.fail("cannot map");
  try {
    return Napi::ArrayBuffer::New(env, start, bytes, [bytes](Napi::Env, void *data) { munmap(data, bytes); });
  } catch (...) {
    munmap(start, bytes);
    throw;
  }
}

// The class that JavaScript sees.
class MappedVectors : public Napi::ObjectWrap<MappedVectors> {
public:
  static void Init(Napi::Env env, Napi::Object exports) {
    exports.Set("MappedVectors", DefineClass(env, "MappedVectors",
                                             {
                                                 InstanceMethod("openLists", &MappedVectors::openLists),
                                                 InstanceMethod("setNprobe", &MappedVectors::setNprobe),
                                                 InstanceMethod("search", &MappedVectors::search),
                                                 InstanceMethod("remove", &MappedVectors::remove),
                                                 InstanceMethod("vectorAt", &MappedVectors::vectorAt),
                                                 InstanceMethod("copyRows", &MappedVectors::copyRows),
                                                 InstanceMethod("close", &MappedVectors::close),
                                             }));
  }

  // new MappedVectors(path, length, rows)
  explicit MappedVectors(const Napi::CallbackInfo &info) : ObjectWrap(info), open_(std::make_shared<Open>()) {
    const Arguments args(info);
    const std::string path = args.text(0);
    const size_t d = args.whole(1, 1, MOST_NUMBERS), rows = args.whole(2, 0, MOST_ROWS);
    open_->segment = std::make_shared<Segment>(path, d, rows);
  }

private:
  Segment &segment(const Napi::CallbackInfo &info) const {
    if (open_->closed) throw Napi::Error::New(info.Env(), "The vectors were closed.");
    return *open_->segment;
  }

  // openLists(path): Promise of { lists, nprobe, recall }; searches that begin afterwards read them
  Napi::Value openLists(const Napi::CallbackInfo &info) {
    segment(info);
    auto opening = new OpeningLists(info.Env(), open_, Arguments(info).text(0));
    const Napi::Promise promise = opening->deferred.Promise();
    opening->Queue();
    return promise;
  }

  // setNprobe(count): lists that a search reads, instead of as many as the file says
  Napi::Value setNprobe(const Napi::CallbackInfo &info) {
    segment(info).nprobe = Arguments(info).whole(0, 1);
    return info.Env().Undefined();
  }

  // search(query, k, ranges, threads): Promise of { rows, distances }. `ranges`: first and end of each, ascending; none: all
  // rows. `threads`: the most it takes; none: as many as are worth it
  Napi::Value search(const Napi::CallbackInfo &info) {
    const Segment &in = segment(info);
    const Arguments args(info);
    const View<float> query = args.array<float>(0);
    args.require(query.length == in.d, "The vector is not as long as those of the segment.");
    // Nor is NaN at most anything.
    args.require(squaredNorm(query.data, in.d) <= MOST_SQUARED,
                 "The vector holds numbers that are not finite, or far too large.");
    const size_t k = args.whole(1, 1);
    std::vector<Rows> ranges;
    if (info.Length() < 3 || info[2].IsUndefined()) {
      ranges.push_back({0, in.rows});
    } else {
      const View<int32_t> numbers = args.array<int32_t>(2);
      args.require(numbers.length % 2 == 0, "A range has no end.");
      int64_t last = 0;
      for (size_t i = 0; i < numbers.length; i++) {
        const int64_t number = numbers.data[i];
        args.require(number >= last && number <= static_cast<int64_t>(in.rows),
                     "The ranges do not ascend, or end behind the last row.");
        last = number;
      }
      for (size_t i = 0; i < numbers.length; i += 2)
        if (numbers.data[i + 1] > numbers.data[i])
          ranges.push_back({static_cast<size_t>(numbers.data[i]), static_cast<size_t>(numbers.data[i + 1])});
    }
    const size_t most = info.Length() < 4 || info[3].IsUndefined() ? MAX_PARTS : args.whole(3, 1, MAX_PARTS);
    auto search = std::make_shared<Search>(open_->segment, query.data, k, std::move(ranges), in.nprobe);
    auto answer =
        std::make_shared<SearchPart::Answer>(SearchPart::Answer{Napi::Promise::Deferred::New(info.Env())});
    const size_t parts = std::clamp<size_t>(search->reads() / BYTES_WORTH_A_PART, 1,
                                            std::clamp<size_t>(std::thread::hardware_concurrency(), 1, most));
    for (size_t part = 0; part < parts; part++) (new SearchPart(info.Env(), open_, search, answer))->Queue();
    return answer->deferred.Promise();
  }

  // remove(first, count): no search that begins afterwards finds these rows
  Napi::Value remove(const Napi::CallbackInfo &info) {
    Segment &in = segment(info);
    const Arguments args(info);
    const size_t first = args.whole(0, 0, in.rows), count = args.whole(1, 0, in.rows - first);
    in.remove(first, first + count);
    return info.Env().Undefined();
  }

  // vectorAt(row): Float32Array, a copy
  Napi::Value vectorAt(const Napi::CallbackInfo &info) {
    const Segment &in = segment(info);
    const Arguments args(info);
    args.require(in.rows > 0, "There are no rows.");
    const size_t row = args.whole(0, 0, in.rows - 1), bytes = in.d * sizeof(float);
    auto copy = Napi::Float32Array::New(info.Env(), in.d);
    in.file.read(copy.Data(), bytes, row * bytes);
    return copy;
  }

  // copyRows(first, count, into: Float32Array, at): rows that follow each other, to the row `at` of a matrix
  void copyRows(const Napi::CallbackInfo &info) {
    const Segment &in = segment(info);
    const Arguments args(info);
    const size_t first = args.whole(0, 0, in.rows), count = args.whole(1, 0, in.rows - first);
    const View<float> into = args.array<float>(2);
    const size_t room = into.length / in.d, at = args.whole(3, 0, room);
    args.require(count <= room - at, "The rows do not fit.");
    const size_t bytes = in.d * sizeof(float);
    in.file.read(into.data + at * in.d, count * bytes, first * bytes);
  }

  // close(): Promise, when the searches that run have ended and the files are given back
  Napi::Value close(const Napi::CallbackInfo &info) {
    segment(info);
    open_->closed = true;
    open_->closing.push_back(Napi::Promise::Deferred::New(info.Env()));
    const Napi::Promise promise = open_->closing.back().Promise();
    if (open_->running == 0) (new Closing(info.Env(), *open_))->Queue();
    return promise;
  }

  std::shared_ptr<Open> open_;
};

} // namespace kaomon

static Napi::Object initSegments(Napi::Env env, Napi::Object exports) {
  exports.Set("map", Napi::Function::New(env, kaomon::map));
  kaomon::MappedVectors::Init(env, exports);
  kaomon::ListTraining::Init(env, exports);
  return exports;
}

NODE_API_MODULE(segments, initSegments)
