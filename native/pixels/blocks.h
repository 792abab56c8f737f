// The means of a JPEG's blocks, summed up in cells, from its entropy-coded data (ITU-T T.81, annexes C and F): as
// src/vision/jpeg-blocks.ts, which says what the arguments are, and its table of codes src/vision/huffman.ts.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace kaomon {

// Bits of a code that is found by one look; of the longest code; coefficients of a block, its mean among them.
constexpr unsigned QUICK = 9, LONGEST = 16, BLOCK = 64;
constexpr size_t QUICK_CODES = 1 << QUICK, VALUES = 256;
constexpr unsigned MOST_COMPONENTS = 3, MOST_SAMPLING = 4;

// The codes of one class, by what of them was checked. Numbers of the packed table: quick, steps, limits, offsets, values.
struct Codes {
  static constexpr size_t SIZE = 2 * QUICK_CODES + 2 * (LONGEST + 1) + VALUES;

  // @returns whether they are such that no shift and no step is longer than it may be
  bool take(const int32_t *packed) {
    for (size_t i = 0; i < QUICK_CODES; i++) {
      const uint32_t code = static_cast<uint32_t>(packed[i]);
      const uint32_t step = static_cast<uint32_t>(packed[QUICK_CODES + i]);
      if (code >> 8 > QUICK || (code != 0 && code >> 8 == 0)) return false;
      if (step >> 8 > 2 * BLOCK || (step & 255) > QUICK + LONGEST - 1) return false;
      if (step != 0 && (step >> 8 == 0 || (step & 255) == 0)) return false;
      quick[i] = static_cast<uint16_t>(code);
      steps[i] = static_cast<uint16_t>(step);
    }
    packed += 2 * QUICK_CODES;
    std::memcpy(limits, packed, sizeof limits);
    std::memcpy(offsets, packed + LONGEST + 1, sizeof offsets);
    packed += 2 * (LONGEST + 1);
    for (size_t i = 0; i < VALUES; i++) {
      if (packed[i] < 0 || packed[i] > 255) return false;
      values[i] = static_cast<uint8_t>(packed[i]);
    }
    return true;
  }

  uint16_t quick[QUICK_CODES], steps[QUICK_CODES];
  int32_t limits[LONGEST + 1], offsets[LONGEST + 1];
  uint8_t values[VALUES];
};

// Behind the data are zeros without an end, of which `padding` counts those that it holds.
class BitReader {
public:
  BitReader(const uint8_t *bytes, size_t length, size_t at) : bytes_(bytes), length_(length), next_(at) {}

  // How far a block's mean is from the last one's. @returns whether that is a number
  bool difference(const Codes &codes, int32_t *value) {
    need(2 * LONGEST);
    const int length = symbol(codes);
    if (length < 0 || length > static_cast<int>(LONGEST)) return false;
    *value = 0;
    if (length == 0) return true;
    const int32_t bits = static_cast<int32_t>(bits_ >> (64 - length));
    drop(static_cast<unsigned>(length));
    // Half of the numbers of so many bits are negative.
    *value = bits < 1 << (length - 1) ? bits - (1 << length) + 1 : bits;
    return true;
  }

  // Passes over a block's other coefficients. @returns whether that was possible
  bool skipBlock(const Codes &codes) {
    unsigned k = 1;
    while (k < BLOCK) {
      need(2 * LONGEST);
      const unsigned step = codes.steps[bits_ >> (64 - QUICK)];
      if (step != 0) {
        k += step >> 8;
        drop(step & 255);
        continue;
      }
      const int value = symbol(codes);
      if (value < 0) return false;
      k += passedBy(static_cast<unsigned>(value));
      drop(static_cast<unsigned>(value) & 15);
    }
    return k == BLOCK || k > 2 * BLOCK;
  }

  bool isOver() const { return count_ < padding_; }

  // Goes on behind the marker that must come now, after less than a byte. @returns whether it came
  bool restart() {
    if (isOver() || count_ - padding_ >= 8) return false;
    bits_ = 0;
    count_ = padding_ = 0;
    while (next_ + 1 < length_ && bytes_[next_] == 0xff && bytes_[next_ + 1] == 0xff) next_++;
    const bool isThere = next_ + 1 < length_ && bytes_[next_] == 0xff && (bytes_[next_ + 1] & 0xf8) == 0xd0;
    next_ += 2;
    return isThere;
  }

private:
  // Makes so many bits, at most 57.
  void need(unsigned bits) {
    if (count_ < bits) fill();
  }

  void fill() {
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    // Of eight bytes of which none is special as many as fit.
    if (next_ + 8 <= length_ && padding_ == 0) {
      uint64_t eight;
      std::memcpy(&eight, bytes_ + next_, sizeof eight);
      const uint64_t inverse = ~eight;
      if (((inverse - 0x0101010101010101u) & ~inverse & 0x8080808080808080u) == 0) {
        const unsigned taken = (64 - count_) >> 3;
        const uint64_t mask = ~uint64_t{0} << (64 - 8 * taken);
        bits_ |= (__builtin_bswap64(eight) & mask) >> count_;
        next_ += taken;
        count_ += 8 * taken;
        return;
      }
    }
#endif
    while (count_ <= 56) {
      uint64_t byte = 0;
      if (next_ < length_ && bytes_[next_] != 0xff) byte = bytes_[next_++];
      else if (next_ + 1 < length_ && bytes_[next_ + 1] == 0) {
        byte = 0xff;
        next_ += 2;
      } else padding_ += 8;
      bits_ |= byte << (56 - count_);
      count_ += 8;
    }
  }

  void drop(unsigned length) {
    bits_ <<= length;
    count_ -= length;
  }

  // Needs the bits of the longest code. @returns the code's value; -1: there is no such code
  int symbol(const Codes &codes) {
    const unsigned found = codes.quick[bits_ >> (64 - QUICK)];
    if (found != 0) {
      drop(found >> 8);
      return static_cast<int>(found & 255);
    }
    const int32_t ahead = static_cast<int32_t>(bits_ >> (64 - LONGEST));
    for (unsigned length = QUICK + 1; length <= LONGEST; length++) {
      if (ahead >= codes.limits[length]) continue;
      drop(length);
      const int64_t at = int64_t{codes.offsets[length]} + (ahead >> (LONGEST - length));
      return at >= 0 && at < static_cast<int64_t>(VALUES) ? codes.values[at] : -1;
    }
    return -1;
  }

  // How many coefficients a value passes over: those that are zero and the one behind them.
  static unsigned passedBy(unsigned value) {
    if (value == 0) return 2 * BLOCK;
    // A number of no bits, unless it is sixteen zeros.
    if ((value & 15) == 0 && value != 0xf0) return BLOCK;
    return (value >> 4) + 1;
  }

  const uint8_t *bytes_;
  size_t length_, next_;
  // The next bits, from the highest on; behind them zeros.
  uint64_t bits_ = 0;
  unsigned count_ = 0, padding_ = 0;
};

struct Sampling {
  unsigned across, down;
};

struct Units {
  size_t across, down, restart;
};

// The cells of the first component's blocks; checked: each sum lies in the array.
struct Cells {
  const int32_t *columnOf, *rowOf;
  size_t stride;
  uint32_t *sums, *counts;
};

// codes: of each component those of its means and of its other coefficients. @returns whether all was there
inline bool blockSums(BitReader &reader, const Sampling *sampling, const Codes *codes, size_t components,
                      const Units &units, const Cells &cells) {
  uint32_t means[MOST_COMPONENTS] = {};
  size_t left = 0, top = 0, sinceRestart = 0;
  for (size_t down = 0; down < units.down; down++, top += sampling[0].down, left = 0)
    for (size_t across = 0; across < units.across; across++, left += sampling[0].across) {
      if (units.restart > 0 && sinceRestart == units.restart) {
        if (!reader.restart()) return false;
        std::memset(means, 0, sizeof means);
        sinceRestart = 0;
      }
      sinceRestart++;
      for (size_t i = 0; i < components; i++)
        for (unsigned row = 0; row < sampling[i].down; row++)
          for (unsigned column = 0; column < sampling[i].across; column++) {
            int32_t difference;
            if (!reader.difference(codes[2 * i], &difference) || !reader.skipBlock(codes[2 * i + 1])) return false;
            means[i] += static_cast<uint32_t>(difference);
            if (i > 0) continue;
            const size_t cell = static_cast<size_t>(cells.rowOf[top + row]) * cells.stride +
                                static_cast<size_t>(cells.columnOf[left + column]);
            cells.sums[cell] += means[0];
            cells.counts[cell]++;
          }
      if (reader.isOver()) return false;
    }
  return true;
}

} // namespace kaomon
