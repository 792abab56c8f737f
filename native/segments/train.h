// Making a file of lists. Vectors are read from their file in portions, several times over: memory holds the centres, four
// bytes a row, and a portion for each thread.
#pragma once

#include <atomic>
#include <cmath>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "centres.h"
#include "lists.h"
#include "search.h"

namespace kaomon {

struct TrainingPlan {
  std::string vectors, to, from;
  size_t d, rows, lists, threads;
};

struct Trained {
  size_t lists, nprobe;
  float recall;
  bool isReused;
};

class Training {
public:
  explicit Training(TrainingPlan plan) : plan_(std::move(plan)) {}

  // The share that is done.
  double progress() const { return done_; }
  void cancel() { cancelled_ = true; }

  Trained run() {
    const File vectors(plan_.vectors);
    if (vectors.size() != plan_.rows * plan_.d * sizeof(float))
      throw std::runtime_error("not as long as its rows: " + plan_.vectors);
    vectors_ = &vectors;
    const bool isReused = takeCentres();
    const File to = File::made(plan_.to);
    try {
      if (!isReused) findLists();
      for (int round = isReused ? ROUNDS - 1 : 0; round < ROUNDS; round++) {
        sortIn(isReused ? 0 : 0.25 + 0.25 * round, isReused ? 0.6 : 0.25);
        if (round + 1 < ROUNDS) moveCentres();
      }
      write(to);
      Trained trained = measure();
      trained.isReused = isReused;
      header_.nprobe = static_cast<uint32_t>(trained.nprobe);
      header_.recall = trained.recall;
      writeHeader(to);
      done_ = 1;
      return trained;
    } catch (...) {
      to.remove();
      throw;
    }
  }

private:
  // How often all rows are sorted in; before the last time centres move to the middle of their rows. Measured: a third
  // time saves a search hardly anything.
  static constexpr int ROUNDS = 2;
  static constexpr int KMEANS_ROUNDS = 8;
  // Rows from which centres are found.
  static constexpr size_t SAMPLED_A_GROUP = 256;
  static constexpr size_t SAMPLED_A_LIST = 40;
  // Groups in which a row's list is looked for: those whose centres are nearest.
  static constexpr size_t GROUPS_A_ROW = 8;
  static constexpr size_t PORTION_BYTES = 4 << 20;
  // The seed of all that is drawn: the same vectors give the same file.
  static constexpr uint64_t SEED = 15;
  // As long as the number of rows has not changed by this factor, an older file's centres are as good as new ones.
  static constexpr size_t GROWTH = 2;

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

  bool takeCentres() {
    if (plan_.from.empty()) return false;
    try {
      const Lists old(plan_.from);
      const Counts &counts = old.header.counts;
      const size_t trained = old.header.trainedRows;
      if (counts.length != plan_.d || counts.lists > plan_.rows || plan_.rows > trained * GROWTH ||
          plan_.rows * GROWTH < trained)
        return false;
      centres_.assign(old.centres, old.centres + counts.lists * plan_.d);
      groupCentres_.assign(old.groupCentres, old.groupCentres + counts.groups * plan_.d);
      groupFirst_.assign(old.groupFirst, old.groupFirst + counts.groups + 1);
      trainedRows_ = trained;
      return true;
    } catch (const std::exception &) {
      // Missing, damaged: found anew.
      return false;
    }
  }

  // Groups by a small sample, and in each of them lists by its share of a larger one.
  void findLists() {
    const size_t d = plan_.d, rows = plan_.rows;
    trainedRows_ = rows;
    const size_t groups = std::max<size_t>(1, static_cast<size_t>(std::lround(std::sqrt(double(plan_.lists)))));
    // Evenly spread over all: neighbours in the order of people are often of one person.
    const size_t few = std::min(rows, groups * SAMPLED_A_GROUP);
    std::vector<float> sample(few * d);
    for (size_t i = 0; i < few; i++) {
      if (cancelled_) throw Cancelled();
      readRow(i * rows / few, sample.data() + i * d);
    }
    groupCentres_ = findCentres(sample.data(), few, d, groups, KMEANS_ROUNDS, SEED, plan_.threads, cancelled_);
    sample = {};
    done_ = 0.02;

    const size_t many = std::min(rows, plan_.lists * SAMPLED_A_LIST);
    std::vector<uint32_t> groupOf(many);
    const Panels panels(groupCentres_.data(), groups, d);
    constexpr size_t PIECE = 1024;
    inParallel(plan_.threads, (many + PIECE - 1) / PIECE, cancelled_, [&](size_t piece) {
      const size_t first = piece * PIECE, count = std::min(many - first, PIECE);
      std::vector<float> vectors(count * d), out;
      for (size_t i = 0; i < count; i++) readRow((first + i) * rows / many, vectors.data() + i * d);
      compareAll(
          panels, count, out, [&](size_t i) { return vectors.data() + i * d; },
          [&](size_t i, const float *products) {
            float score;
            groupOf[first + i] = static_cast<uint32_t>(std::min(
                groups - 1, nearestCentre(products, panels.halves.data(), panels.halves.size(), &score)));
          });
    });
    std::vector<size_t> firsts;
    const std::vector<uint32_t> order = sortedBy(groupOf, groups, firsts);
    // As many lists for a group as is its share of the sample.
    std::vector<size_t> lists(groups);
    for (size_t group = 0; group < groups; group++) {
      const auto upTo = [&](size_t end) { return end * plan_.lists / many; };
      lists[group] = upTo(firsts[group + 1]) - upTo(firsts[group]);
      if (lists[group] == 0) lists[group] = 1;
    }
    done_ = 0.05;

    std::vector<std::vector<float>> found(groups);
    std::atomic<size_t> finished{0};
    inParallel(plan_.threads, groups, cancelled_, [&](size_t group) {
      const size_t count = firsts[group + 1] - firsts[group];
      if (count == 0) {
        found[group].assign(groupCentres_.data() + group * d, groupCentres_.data() + (group + 1) * d);
      } else {
        std::vector<float> members(count * d);
        for (size_t i = 0; i < count; i++)
          readRow(size_t{order[firsts[group] + i]} * rows / many, members.data() + i * d);
        found[group] =
            findCentres(members.data(), count, d, lists[group], KMEANS_ROUNDS, SEED + group, 1, cancelled_);
      }
      done_ = 0.05 + 0.2 * double(++finished) / double(groups);
    });
    groupFirst_ = {0};
    for (const std::vector<float> &some : found) {
      centres_.insert(centres_.end(), some.begin(), some.end());
      groupFirst_.push_back(static_cast<uint32_t>(centres_.size() / d));
    }
  }

  // Counting sort: the places of equal keys lie together, in ascending order.
  static std::vector<uint32_t> sortedBy(const std::vector<uint32_t> &keys, size_t count, std::vector<size_t> &firsts) {
    firsts.assign(count + 1, 0);
    for (uint32_t key : keys) firsts[key + 1]++;
    for (size_t i = 0; i < count; i++) firsts[i + 1] += firsts[i];
    std::vector<size_t> next(firsts.begin(), firsts.end() - 1);
    std::vector<uint32_t> order(keys.size());
    for (size_t i = 0; i < keys.size(); i++) order[next[keys[i]]++] = static_cast<uint32_t>(i);
    return order;
  }

  size_t listCount() const { return centres_.size() / plan_.d; }

  // Each row to its nearest centre, looked for in the groups that are nearest.
  void sortIn(double before, double share) {
    const size_t d = plan_.d, groups = groupFirst_.size() - 1, tried = std::min(groups, GROUPS_A_ROW);
    const Panels groupPanels(groupCentres_.data(), groups, d);
    std::vector<Panels> panels;
    for (size_t group = 0; group < groups; group++)
      panels.emplace_back(centres_.data() + groupFirst_[group] * d, groupFirst_[group + 1] - groupFirst_[group], d);
    std::vector<uint32_t> listOf(plan_.rows);
    eachPortion(before, share, [&](size_t first, size_t count, const float *vectors) {
      std::vector<float> out, best(count, -HUGE_VALF);
      std::vector<std::vector<uint32_t>> members(groups);
      std::vector<std::pair<float, uint32_t>> scores(groups);
      compareAll(
          groupPanels, count, out, [&](size_t i) { return vectors + i * d; },
          [&](size_t i, const float *products) {
            for (size_t group = 0; group < groups; group++) {
              const float score = groupPanels.halves[group] - products[group];
              scores[group] = {std::isnan(score) ? HUGE_VALF : score, static_cast<uint32_t>(group)};
            }
            std::nth_element(scores.begin(), scores.begin() + static_cast<ptrdiff_t>(tried - 1), scores.end());
            for (size_t j = 0; j < tried; j++) members[scores[j].second].push_back(static_cast<uint32_t>(i));
          });
      for (size_t group = 0; group < groups; group++) {
        const std::vector<uint32_t> &of = members[group];
        if (of.empty()) continue;
        compareAll(
            panels[group], of.size(), out, [&](size_t i) { return vectors + of[i] * d; },
            [&](size_t i, const float *products) {
              float score;
              const std::vector<float> &halves = panels[group].halves;
              const size_t nearest = nearestCentre(products, halves.data(), halves.size(), &score);
              // NaN is nearer than nothing: such a row stays in the first list.
              if (!(score > best[of[i]]) || nearest >= panels[group].count) return;
              best[of[i]] = score;
              listOf[first + of[i]] = static_cast<uint32_t>(groupFirst_[group] + nearest);
            });
      }
    });
    order_ = sortedBy(listOf, listCount(), listFirst_);
  }

  // Each list with its rows' vectors, a portion at a time: use(first, count, vectors), places in the order.
  template <class Use> void eachOf(size_t list, const Use &use) const {
    const size_t d = plan_.d, portion = portionRows(), end = listFirst_[list + 1];
    std::vector<float> vectors(std::min(portion, end - listFirst_[list]) * d);
    for (size_t first = listFirst_[list]; first < end; first += portion) {
      if (cancelled_) throw Cancelled();
      const size_t count = std::min(portion, end - first);
      for (size_t i = 0; i < count; i++) readRow(order_[first + i], vectors.data() + i * d);
      use(first, count, vectors.data());
    }
  }

  void moveCentre(size_t list, const std::vector<double> &sum) {
    const size_t size = listFirst_[list + 1] - listFirst_[list];
    bool isFinite = size > 0;
    for (double number : sum) isFinite = isFinite && std::isfinite(number);
    if (!isFinite) return;
    for (size_t i = 0; i < plan_.d; i++) centres_[list * plan_.d + i] = static_cast<float>(sum[i] / double(size));
  }
  void addAll(std::vector<double> &sum, size_t count, const float *vectors) const {
    for (size_t i = 0; i < count; i++)
      for (size_t number = 0; number < plan_.d; number++) sum[number] += vectors[i * plan_.d + number];
  }

  void moveCentres() {
    constexpr size_t PIECE = 16;
    inParallel(plan_.threads, (listCount() + PIECE - 1) / PIECE, cancelled_, [&](size_t piece) {
      for (size_t list = piece * PIECE; list < std::min(listCount(), (piece + 1) * PIECE); list++) {
        std::vector<double> sum(plan_.d);
        eachOf(list, [&](size_t, size_t count, const float *vectors) { addAll(sum, count, vectors); });
        moveCentre(list, sum);
      }
    });
  }

  // The lists with their codes; a centre becomes the mean of its rows.
  void write(const File &to) {
    const size_t d = plan_.d, rows = plan_.rows, lists = listCount(), stride = strideOf(d);
    header_ = {};
    std::memcpy(header_.magic, LISTS_MAGIC, sizeof header_.magic);
    header_.version = LISTS_VERSION;
    header_.counts = {rows, static_cast<uint32_t>(d), static_cast<uint32_t>(lists),
                      static_cast<uint32_t>(groupFirst_.size() - 1)};
    header_.trainedRows = trainedRows_;
    header_.nprobe = 1;
    const Layout layout(header_.counts);
    // Of its whole length at once: what is not written afterwards is zeros.
    to.resize(layout.end);

    constexpr size_t PIECE = 16;
    std::mutex mutex;
    std::atomic<size_t> finished{0};
    inParallel(plan_.threads, (lists + PIECE - 1) / PIECE, cancelled_, [&](size_t piece) {
      float largestScale = 0, largestSquare = 0;
      for (size_t list = piece * PIECE; list < std::min(lists, (piece + 1) * PIECE); list++) {
        std::vector<double> sum(d);
        eachOf(list, [&](size_t first, size_t count, const float *vectors) {
          addAll(sum, count, vectors);
          std::vector<int8_t> codes(count * stride);
          std::vector<float> scales(count), squares(count);
          for (size_t i = 0; i < count; i++) {
            scales[i] = encode(vectors + i * d, d, codes.data() + i * stride);
            squares[i] = squaredNorm(vectors + i * d, d);
            largestScale = std::max(largestScale, scales[i]);
            if (squares[i] > largestSquare) largestSquare = squares[i];
          }
          to.write(codes.data(), codes.size(), layout.at[CODES] + first * stride);
          to.write(scales.data(), count * 4, layout.at[SCALES] + first * 4);
          to.write(squares.data(), count * 4, layout.at[SQUARES] + first * 4);
        });
        moveCentre(list, sum);
      }
      const std::lock_guard<std::mutex> lock(mutex);
      header_.largestScale = std::max(header_.largestScale, largestScale);
      header_.largestSquare = std::max(header_.largestSquare, largestSquare);
      done_ = 0.75 + 0.1 * double(++finished * PIECE) / double(lists);
    });
    std::vector<float> scales(lists), squares(lists);
    std::vector<int8_t> codes(lists * stride);
    for (size_t list = 0; list < lists; list++) {
      scales[list] = encode(centres_.data() + list * d, d, codes.data() + list * stride);
      squares[list] = squaredNorm(centres_.data() + list * d, d);
    }
    const std::vector<uint32_t> listFirst(listFirst_.begin(), listFirst_.end());
    const auto put = [&](Section section, const auto &numbers) {
      to.write(numbers.data(), layout.bytes[section], layout.at[section]);
    };
    put(GROUP_CENTRES, groupCentres_);
    put(GROUP_FIRST, groupFirst_);
    put(CENTRES, centres_);
    put(CENTRE_SCALES, scales);
    put(CENTRE_SQUARES, squares);
    put(CENTRE_CODES, codes);
    put(LIST_FIRST, listFirst);
    put(ROWS, order_);
    for (size_t i = 0; i < SECTIONS; i++) header_.sums[i] = checksumOf(layout.at[i], layout.whole[i]);
    writeHeader(to);
  }

  // Of what was written: read again.
  uint64_t checksumOf(uint64_t at, uint64_t bytes) const {
    const File file(plan_.to);
    const Mapping map(file);
    map.populate(file, at, bytes);
    return checksum(map.at<char>(at), bytes);
  }

  void writeHeader(const File &to) {
    header_.sum = header_.ownSum();
    to.write(&header_, sizeof header_, 0);
    to.sync();
  }

  // Faces of the same person as that of a row, about as alike as two faces of one person are (0.5 squared L2 between
  // vectors of length 1): each is looked for exactly, then by lists.
  Trained measure() {
    const size_t d = plan_.d, rows = plan_.rows, count = std::min(PROBES, rows);
    std::mt19937_64 random(SEED);
    const auto uniform = [&] { return double(random() >> 11) * 0x1p-53; };
    std::vector<float> probes(count * d);
    for (size_t i = 0; i < count; i++) {
      float *probe = probes.data() + i * d;
      readRow(i * rows / count, probe);
      const float length = std::sqrt(squaredNorm(probe, d));
      if (!std::isfinite(length)) {
        std::fill_n(probe, d, 0.f);
        continue;
      }
      const double noise = NOISE * length / std::sqrt(double(d));
      for (size_t number = 0; number < d; number++)
        probe[number] +=
            static_cast<float>(noise * std::sqrt(-2 * std::log(1 - uniform())) * std::cos(2 * M_PI * uniform()));
      const float made = std::sqrt(squaredNorm(probe, d));
      if (made > 0)
        for (size_t number = 0; number < d; number++) probe[number] *= length / made;
    }
    const std::vector<uint32_t> nearest = nearestOf(probes, count);

    auto segment = std::make_shared<Segment>(plan_.vectors, d, rows);
    segment->lists = std::make_shared<const Lists>(plan_.to);
    std::vector<uint32_t> listOf(rows);
    for (size_t list = 0; list < listCount(); list++)
      for (size_t i = listFirst_[list]; i < listFirst_[list + 1]; i++) listOf[order_[i]] = static_cast<uint32_t>(list);
    // How many lists had to be read for each.
    std::vector<uint32_t> needed(count);
    inParallel(plan_.threads, count, cancelled_, [&](size_t i) {
      Search search(segment, probes.data() + i * d, 1, {{0, rows}}, 1);
      needed[i] = search.rankOf(listOf[nearest[i]]) + 1;
    });
    std::sort(needed.begin(), needed.end());
    size_t nprobe = needed[static_cast<size_t>(std::ceil(TARGET * double(count))) - 1];
    for (;;) {
      std::atomic<size_t> right{0};
      inParallel(plan_.threads, count, cancelled_, [&](size_t i) {
        const float *probe = probes.data() + i * d;
        Search search(segment, probe, 1, {{0, rows}}, nprobe, true);
        search.work();
        // Another row at the same distance is as good.
        const float exact = squaredDistance(probe, segment->vectorAt(nearest[i]), d);
        if (!search.found().empty() && search.found()[0].distance <= exact * 1.00001f + 1e-12f) right++;
      });
      const float recall = static_cast<float>(right) / static_cast<float>(count);
      if (recall >= TARGET || nprobe >= listCount()) return {listCount(), nprobe, recall, false};
      nprobe = std::min(listCount(), nprobe + nprobe / 4 + 1);
    }
  }

  static constexpr size_t PROBES = 500;
  static constexpr double NOISE = 0.92;
  static constexpr double TARGET = 0.995;

  // The nearest row of each of `count` vectors, exactly.
  std::vector<uint32_t> nearestOf(const std::vector<float> &probes, size_t count) {
    const size_t d = plan_.d;
    const Panels panels(probes.data(), count, d);
    const size_t width = panels.halves.size();
    struct Best {
      std::vector<float> scores;
      std::vector<uint32_t> rows;
    };
    Best all{std::vector<float>(width, -HUGE_VALF), std::vector<uint32_t>(width)};
    std::mutex mutex;
    eachPortion(0.85, 0.12, [&](size_t first, size_t rows, const float *vectors) {
      Best mine{std::vector<float>(width, -HUGE_VALF), std::vector<uint32_t>(width)};
      std::vector<float> out;
      compareAll(
          panels, rows, out, [&](size_t i) { return vectors + i * d; },
          [&](size_t i, const float *products) {
            const float half = squaredNorm(vectors + i * d, d) / 2;
            takeBetter(products, half, static_cast<uint32_t>(first + i), width, mine.scores.data(), mine.rows.data());
          });
      const std::lock_guard<std::mutex> lock(mutex);
      for (size_t i = 0; i < width; i++)
        if (mine.scores[i] > all.scores[i] || (mine.scores[i] == all.scores[i] && mine.rows[i] < all.rows[i])) {
          all.scores[i] = mine.scores[i];
          all.rows[i] = mine.rows[i];
        }
    });
    return std::move(all.rows);
  }

  KAOMON_CLONES static void takeBetter(const float *products, float half, uint32_t row, size_t count, float *scores, uint32_t *rows) {
    for (size_t i = 0; i < count; i++) {
      const float score = products[i] - half;
      const bool isBetter = score > scores[i];
      scores[i] = isBetter ? score : scores[i];
      rows[i] = isBetter ? row : rows[i];
    }
  }

  const TrainingPlan plan_;
  std::atomic<bool> cancelled_{false};
  std::atomic<double> done_{0};
  const File *vectors_ = nullptr;
  size_t trainedRows_ = 0;
  std::vector<float> groupCentres_, centres_;
  std::vector<uint32_t> groupFirst_;
  // The rows, list by list.
  std::vector<uint32_t> order_;
  std::vector<size_t> listFirst_;
  ListsHeader header_{};
};

} // namespace kaomon
