// Making a file of lists. Vectors are read from their file in portions, several times over: memory holds the centres, four
// bytes a row, and a portion for each thread.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <mutex>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "centres.h"
#include "checksum.h"
#include "codes.h"
#include "file.h"
#include "lists.h"
#include "measuring.h"

namespace kaomon {

class Training : private Measuring {
public:
  explicit Training(TrainingPlan plan) : Measuring(std::move(plan)) {}

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

  ListsHeader header_{};
};

} // namespace kaomon
