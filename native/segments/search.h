// A search of a segment, spread over the threads of libuv's pool in stages: centres are compared, lists are read, what is
// nearest by codes is compared exactly; or all rows of some ranges are compared exactly.
#pragma once

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "codes.h"
#include "distance.h"
#include "lists.h"
#include "nearest.h"
#include "segment.h"

namespace kaomon {

struct Rows {
  size_t first, end;
};

// Ranges with no more rows than this are read exactly: about as many bytes as a search of the lists of a million.
constexpr size_t FEW_ROWS = 25000;
constexpr size_t EXACT_PIECE = 1024;
constexpr size_t CENTRES_PIECE = 512;
constexpr size_t CODES_PIECE = 64 << 10;
// Codes whose vectors are read, at least and for each row that is wanted.
constexpr size_t LEAST_CANDIDATES = 64;
constexpr size_t CANDIDATES_A_ROW = 8;
// So much longer is the search that has found too few.
constexpr size_t WIDENING = 4;

class Search {
public:
  // @param isByLists even if there are few rows
  Search(std::shared_ptr<const Segment> of, const float *vector, size_t k, std::vector<Rows> ranges, size_t nprobe,
         bool isByLists = false)
      : segment_(std::move(of)), lists_(segment_->lists), query_(vector, segment_->d), k_(std::clamp<size_t>(k, 1, std::max<size_t>(1, segment_->rows))),
        ranges_(std::move(ranges)), wanted_(std::max(LEAST_CANDIDATES, CANDIDATES_A_ROW * k_)), nearest_(k_),
        candidates_(wanted_) {
    size_t rows = 0;
    for (const Rows &range : ranges_) rows += range.end - range.first;
    if (!lists_ || (!isByLists && (rows <= FEW_ROWS || wanted_ > rows / 4))) {
      starts_.push_back(0);
      for (const Rows &range : ranges_)
        starts_.push_back(starts_.back() + (range.end - range.first + EXACT_PIECE - 1) / EXACT_PIECE);
      reads_ = rows * segment_->d * sizeof(float);
      begin(Kind::Exact, starts_.back());
    } else {
      isAll_ = rows == segment_->rows;
      nextProbe_ = std::min(nprobe, lists_->count());
      order_.resize(lists_->count());
      const size_t bytes = segment_->rows * lists_->stride / lists_->count() + 1;
      listsAPiece_ = std::max<size_t>(1, CODES_PIECE / bytes);
      reads_ = lists_->count() * lists_->stride + nextProbe_ * bytes;
      begin(Kind::Choose, pieces(lists_->count(), CENTRES_PIECE));
    }
  }

  // Bytes that it reads, about.
  size_t reads() const { return reads_; }

  // Does what is left to do, with whoever else calls it at the same time. @returns whether this call ended it
  bool work() {
    try {
      return takePart();
    } catch (...) {
      // Whoever waits for this thread's pieces need not.
      std::lock_guard<std::mutex> lock(mutex_);
      stage_.reset();
      changed_.notify_all();
      throw;
    }
  }

  // Once it has ended.
  const std::vector<Found> &found() const { return found_; }
  // How many lists are nearer than this one. Instead of `work`.
  uint32_t rankOf(uint32_t list) {
    order_.resize(lists_->count());
    for (size_t piece = 0; piece < pieces(lists_->count(), CENTRES_PIECE); piece++) choose(piece);
    const auto own = order_[list];
    return static_cast<uint32_t>(
        std::count_if(order_.begin(), order_.end(), [&](const auto &other) { return other < own; }));
  }

private:
  enum class Kind { Exact, Choose, Scan };
  struct Stage {
    Kind kind;
    size_t pieces;
    std::atomic<size_t> next{0};
    // Under the mutex.
    size_t finished = 0;
  };

  static size_t pieces(size_t things, size_t aPiece) { return (things + aPiece - 1) / aPiece; }

  void begin(Kind kind, size_t pieces) {
    stage_ = std::make_shared<Stage>();
    stage_->kind = kind;
    stage_->pieces = pieces;
  }

  bool takePart() {
    std::unique_lock<std::mutex> lock(mutex_);
    while (stage_) {
      const std::shared_ptr<Stage> stage = stage_;
      lock.unlock();
      Nearest mine(stage->kind == Kind::Exact ? k_ : wanted_);
      size_t done = 0;
      for (size_t piece; (piece = stage->next.fetch_add(1)) < stage->pieces; done++) {
        if (stage->kind == Kind::Exact) compare(piece, mine);
        else if (stage->kind == Kind::Choose) choose(piece);
        else scan(piece, mine);
      }
      lock.lock();
      Nearest &all = stage->kind == Kind::Exact ? nearest_ : candidates_;
      for (const Found &found : mine.heap()) all.offer(found.distance, found.label);
      stage->finished += done;
      if (stage->finished < stage->pieces) {
        // Whoever took the last piece is at it.
        changed_.wait(lock, [&] { return stage_ != stage; });
      } else if (stage_ == stage) {
        advance(stage->kind);
        changed_.notify_all();
        if (!stage_) return true;
      }
    }
    return false;
  }

  // Under the mutex, all pieces done.
  void advance(Kind kind) {
    if (kind == Kind::Exact) {
      found_ = nearest_.sorted({});
      stage_.reset();
      return;
    }
    // Too few, and there are lists that were not read: further.
    if (kind == Kind::Scan) {
      const bool enough = candidates_.heap().size() >= k_ || probed_ + nextProbe_ >= order_.size();
      probed_ += nextProbe_;
      if (enough) {
        stage_.reset();
        compareCandidates();
        return;
      }
      nextProbe_ = std::min(order_.size() - probed_, probed_ * (WIDENING - 1));
    }
    const auto first = order_.begin() + static_cast<ptrdiff_t>(probed_);
    const auto end = first + static_cast<ptrdiff_t>(nextProbe_);
    if (end != order_.end()) std::nth_element(first, end, order_.end());
    // The nearest lists come first, so that most of the others' rows are soon out of question.
    const auto nearest = first + static_cast<ptrdiff_t>(std::min<size_t>(nextProbe_, 32));
    if (nearest != end) std::nth_element(first, nearest, end);
    begin(Kind::Scan, pieces(nextProbe_, listsAPiece_));
  }

  void compare(size_t piece, Nearest &mine) const {
    const size_t at = static_cast<size_t>(std::upper_bound(starts_.begin(), starts_.end(), piece) - starts_.begin()) - 1;
    const size_t first = ranges_[at].first + (piece - starts_[at]) * EXACT_PIECE;
    const size_t end = std::min(ranges_[at].end, first + EXACT_PIECE);
    for (size_t row = first; row < end; row++) {
      const float distance = squaredDistance(query_.numbers.data(), segment_->vectorAt(row), segment_->d);
      if (distance <= mine.limit() && !segment_->isDead(row)) mine.offer(distance, static_cast<Label>(row));
    }
  }

  void choose(size_t piece) {
    const size_t first = piece * CENTRES_PIECE, end = std::min(lists_->count(), first + CENTRES_PIECE);
    int32_t sums[CENTRES_PIECE];
    products(query_.codes.data(), lists_->centreCodes + first * lists_->stride, lists_->stride, end - first, sums);
    for (size_t i = first; i < end; i++) {
      const float distance = lists_->centreSquares[i] -
                             2 * query_.scale * lists_->centreScales[i] * static_cast<float>(sums[i - first]);
      order_[i] = {std::isnan(distance) ? HUGE_VALF : distance, static_cast<uint32_t>(i)};
    }
  }

  void scan(size_t piece, Nearest &mine) const {
    const size_t first = probed_ + piece * listsAPiece_;
    const size_t end = std::min(probed_ + nextProbe_, first + listsAPiece_);
    for (size_t at = first; at < end; at++) {
      const size_t list = order_[at].second;
      scanList(lists_->listFirst[list], lists_->listFirst[list + 1], mine);
    }
  }

  // Rows ascend in a list: those of a range lie together.
  void scanList(size_t first, size_t end, Nearest &mine) const {
    if (isAll_) return scanCodes(first, end, mine);
    const uint32_t *rows = lists_->rows;
    auto range = ranges_.begin();
    while (first < end) {
      range = std::lower_bound(range, ranges_.end(), rows[first],
                               [](const Rows &one, uint32_t row) { return one.end <= row; });
      if (range == ranges_.end()) return;
      first = static_cast<size_t>(std::lower_bound(rows + first, rows + end, range->first) - rows);
      const size_t stop = static_cast<size_t>(std::lower_bound(rows + first, rows + end, range->end) - rows);
      scanCodes(first, stop, mine);
      first = stop;
    }
  }

  void scanCodes(size_t first, size_t end, Nearest &mine) const {
    constexpr size_t BATCH = 64;
    int32_t sums[BATCH];
    const Lists &lists = *lists_;
    const float factor = 2 * query_.scale;
    float limit = mine.limit();
    for (; first < end; first += BATCH) {
      const size_t count = std::min(BATCH, end - first);
      products(query_.codes.data(), lists.codes + first * lists.stride, lists.stride, count, sums);
      for (size_t i = 0; i < count; i++) {
        const size_t place = first + i;
        const float distance =
            query_.squared + lists.squares[place] - factor * lists.scales[place] * static_cast<float>(sums[i]);
        if (!(distance <= limit) || segment_->isDead(lists.rows[place])) continue;
        mine.offer(distance, lists.rows[place]);
        limit = mine.limit();
      }
    }
  }

  // From the nearest by codes on, until no other can be among the k. Vectors are read from the file, not from its pages:
  // what was looked at once would stay in this process's memory.
  void compareCandidates() {
    const float root = std::sqrt(static_cast<float>(segment_->d));
    const float half = 0.5f * lists_->header.largestScale * root;
    const float length = std::sqrt(lists_->header.largestSquare);
    const float doubt = 2.02f * (std::sqrt(query_.squared) * half + (length + half) * query_.scale * root) +
                        1e-5f * (query_.squared + lists_->header.largestSquare);
    std::vector<float> vector(segment_->d);
    for (const Found &candidate : candidates_.sorted({})) {
      if (candidate.distance - doubt > nearest_.limit()) break;
      const size_t bytes = segment_->d * sizeof(float);
      segment_->file.read(vector.data(), bytes, static_cast<size_t>(candidate.label) * bytes);
      const float distance = squaredDistance(query_.numbers.data(), vector.data(), segment_->d);
      if (distance <= nearest_.limit()) nearest_.offer(distance, candidate.label);
    }
    found_ = nearest_.sorted({});
  }

  const std::shared_ptr<const Segment> segment_;
  const std::shared_ptr<const Lists> lists_;
  const Query query_;
  const size_t k_;
  const std::vector<Rows> ranges_;
  const size_t wanted_;
  size_t reads_ = 0;
  // Exact: the first piece of each range.
  std::vector<size_t> starts_;
  // Lists: by how near they are; of those the first `probed_` were read and `nextProbe_` come next.
  std::vector<std::pair<float, uint32_t>> order_;
  bool isAll_ = false;
  size_t probed_ = 0, nextProbe_ = 0, listsAPiece_ = 1;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::shared_ptr<Stage> stage_;
  Nearest nearest_, candidates_;
  std::vector<Found> found_;
};

} // namespace kaomon
