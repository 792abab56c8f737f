// Finding the lists of a training, or taking over those of an older file, and sorting all rows into them.
#pragma once

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <utility>
#include <vector>

#include "centres.h"
#include "lists.h"
#include "portions.h"

namespace kaomon {

class Sorting : protected Portions {
protected:
  using Portions::Portions;

  static constexpr int KMEANS_ROUNDS = 8;
  // Rows from which centres are found.
  static constexpr size_t SAMPLED_A_GROUP = 256;
  static constexpr size_t SAMPLED_A_LIST = 40;
  // Groups in which a row's list is looked for: those whose centres are nearest.
  static constexpr size_t GROUPS_A_ROW = 8;
  // As long as the number of rows has not changed by this factor, an older file's centres are as good as new ones.
  static constexpr size_t GROWTH = 2;

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

  size_t trainedRows_ = 0;
  std::vector<float> groupCentres_, centres_;
  std::vector<uint32_t> groupFirst_;
  // The rows, list by list.
  std::vector<uint32_t> order_;
  std::vector<size_t> listFirst_;
};

} // namespace kaomon
