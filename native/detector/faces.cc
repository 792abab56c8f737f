// MTCNN's second and third network, over a few parts of a picture. Compiled once for each kind of machine
// (CMakeLists.txt).
//
// Maps are [y][x][channel], vectors lie along the output channels, the sums of several pixels stay in registers. What
// is pooled is pooled as soon as its rows are there.
#include "kernel.h"
#include "lanes.h"

namespace kaomon {
namespace KAOMON_KERNEL {
namespace {

// Pixels whose sums are kept at once, by two vectors of output channels.
constexpr size_t MOST_PIXELS = IS_WIDE ? 12 : 6;
constexpr size_t inBlocks(size_t pixels) { return (pixels + MOST_PIXELS - 1) / MOST_PIXELS; }

// A layer's weights: biases and slopes, then [block of outputs][tap][input][output of the block]. OUT: as they are kept,
// in whole vectors, the last of them zeros.
template <size_t INPUTS, size_t OUT, size_t TAPS> struct Layer {
  static constexpr size_t VECTORS = OUT / LANES;
  static constexpr size_t TOGETHER = VECTORS % 2 == 0 ? 2 : VECTORS % 3 == 0 ? 3 : 1;
  static constexpr size_t BLOCK = TOGETHER * LANES;
  static constexpr size_t PACKED = 2 * OUT + OUT * INPUTS * TAPS;

  // at: what reads a weight by output, tap and input; given: outputs that there are
  template <class At>
  static void pack(size_t given, const At &at, const float *bias, const float *slope, float *to) {
    for (size_t o = 0; o < OUT; o++) *to++ = o < given ? bias[o] : 0;
    for (size_t o = 0; o < OUT; o++) *to++ = o < given && slope ? slope[o] : 1;
    for (size_t block = 0; block < OUT; block += BLOCK)
      for (size_t tap = 0; tap < TAPS; tap++)
        for (size_t c = 0; c < INPUTS; c++)
          for (size_t o = block; o < block + BLOCK; o++) *to++ = o < given ? at(o, tap, c) : 0;
  }
};

// One block of outputs for WIDE x HIGH pixels. PIXEL, LINE: numbers from one pixel or row of the input to the next
template <class L, size_t INPUTS, size_t SIDE, size_t WIDE, size_t HIGH, size_t PIXEL, size_t LINE>
KAOMON_INLINE void convolve(const float *in, const float *packed, size_t block, float *out, size_t outPixel,
                            size_t outLine) {
  constexpr size_t PIXELS = WIDE * HIGH, N = L::TOGETHER;
  const size_t first = block * L::BLOCK;
  Vector sum[PIXELS][N];
  KAOMON_UNROLL for (size_t n = 0; n < N; n++) {
    const Vector bias = load(packed + first + n * LANES);
    KAOMON_UNROLL for (size_t p = 0; p < PIXELS; p++) sum[p][n] = bias;
  }
  const float *slopes = packed + L::VECTORS * LANES + first;
  const float *weights = packed + 2 * L::VECTORS * LANES + first * INPUTS * SIDE * SIDE;
  for (size_t ky = 0; ky < SIDE; ky++)
    for (size_t kx = 0; kx < SIDE; kx++) {
      const float *from = in + ky * LINE + kx * PIXEL;
      for (size_t c = 0; c < INPUTS; c++, from++, weights += L::BLOCK) {
        Vector weight[N];
        KAOMON_UNROLL for (size_t n = 0; n < N; n++) weight[n] = load(weights + n * LANES);
        KAOMON_UNROLL for (size_t p = 0; p < PIXELS; p++) {
          const Vector value = all(from[p / WIDE * LINE + p % WIDE * PIXEL]);
          KAOMON_UNROLL for (size_t n = 0; n < N; n++) sum[p][n] += value * weight[n];
        }
      }
    }
  KAOMON_UNROLL for (size_t n = 0; n < N; n++) {
    const Vector slope = load(slopes + n * LANES);
    KAOMON_UNROLL for (size_t p = 0; p < PIXELS; p++)
      store(out + p / WIDE * outLine + p % WIDE * outPixel + first + n * LANES, prelu(sum[p][n], slope));
  }
}

// A 3x3 convolution of a map IN wide and high with STORED channels, of which INPUTS are read, with PReLU and pooling.
template <size_t IN, size_t STORED, size_t INPUTS, size_t OUT, size_t POOL> struct Pooled {
  using L = Layer<INPUTS, OUT, 9>;
  static constexpr size_t CONVOLVED = IN - 2;
  static constexpr size_t SIDE = (CONVOLVED - POOL + 1) / 2 + 1;
  static constexpr size_t LINE = CONVOLVED * OUT;
  static constexpr size_t RING = 3 * LINE, SIZE = SIDE * SIDE * OUT;
  // Blocks of pixels overlap where the row does not fall into whole ones.
  static constexpr size_t WIDE = (CONVOLVED + inBlocks(CONVOLVED) - 1) / inBlocks(CONVOLVED);

  static void row(const float *in, const float *packed, float *out) {
    for (size_t block = 0; block < OUT / L::BLOCK; block++)
      for (size_t x = 0; x < CONVOLVED; x += WIDE) {
        const size_t at = smaller(x, CONVOLVED - WIDE);
        convolve<L, INPUTS, 3, WIDE, 1, STORED, IN * STORED>(in + at * STORED, packed, block, out + at * OUT, OUT, 0);
      }
  }

  static void pool(const float *const rows[3], size_t count, float *out) {
    for (size_t x = 0; x < SIDE; x++, out += OUT) {
      const size_t columns = smaller(POOL, CONVOLVED - 2 * x);
      for (size_t o = 0; o < OUT; o += LANES) {
        Vector most = load(rows[0] + 2 * x * OUT + o);
        for (size_t y = 0; y < count; y++)
          for (size_t k = y == 0 ? 1 : 0; k < columns; k++) most = larger(most, load(rows[y] + (2 * x + k) * OUT + o));
        store(out + o, most);
      }
    }
  }

  static void run(const float *in, const float *packed, float *ring, float *out) {
    size_t made = 0;
    for (size_t y = 0; y < SIDE; y++) {
      const size_t end = smaller(2 * y + POOL, CONVOLVED);
      for (; made < end; made++) row(in + made * IN * STORED, packed, ring + made % 3 * LINE);
      const float *rows[3];
      for (size_t k = 0; k < 3; k++) rows[k] = ring + (2 * y + k) % 3 * LINE;
      pool(rows, end - 2 * y, out + y * SIDE * OUT);
    }
  }

  static void pack(const float *&from, size_t given, float *to) {
    const float *weights = from, *bias = weights + given * INPUTS * 9, *slope = bias + given;
    from = slope + given;
    L::pack(given, [=](size_t o, size_t tap, size_t c) { return weights[(o * INPUTS + c) * 9 + tap]; }, bias, slope,
            to);
  }
};

// A 2x2 convolution of a map of 4x4, with PReLU: 3x3 pixels.
template <size_t INPUTS, size_t OUT> struct Last {
  using L = Layer<INPUTS, OUT, 4>;
  static constexpr size_t SIZE = 9 * OUT, HIGH = IS_WIDE ? 3 : 2;

  static void run(const float *in, const float *packed, float *out) {
    for (size_t block = 0; block < OUT / L::BLOCK; block++)
      for (size_t y = 0; y < 3; y += HIGH) {
        const size_t at = smaller(y, 3 - HIGH);
        convolve<L, INPUTS, 2, 3, HIGH, INPUTS, 4 * INPUTS>(in + at * 4 * INPUTS, packed, block, out + at * 3 * OUT,
                                                            OUT, 3 * OUT);
      }
  }

  static void pack(const float *&from, float *to) {
    const float *weights = from, *bias = weights + OUT * INPUTS * 4, *slope = bias + OUT;
    from = slope + OUT;
    L::pack(OUT, [=](size_t o, size_t tap, size_t c) { return weights[(o * INPUTS + c) * 4 + tap]; }, bias, slope, to);
  }
};

// A dense layer over several faces, whose numbers lie INPUTS apart. CHANNELS: of a map that was flattened channel by
// channel where the weights were made, but lies here pixel by pixel; 1: not a map
template <size_t INPUTS, size_t OUT, size_t CHANNELS> struct Dense {
  using L = Layer<INPUTS, OUT, 1>;
  static constexpr size_t FACES = IS_WIDE ? 8 : 4;

  static void run(const float *in, const float *packed, size_t count, float *out) {
    for (size_t block = 0; block < OUT / L::BLOCK; block++) {
      if (count == 1) convolve<L, INPUTS, 1, 1, 1, INPUTS, 0>(in, packed, block, out, OUT, 0);
      else
        for (size_t i = 0; i < count; i += FACES)
          convolve<L, INPUTS, 1, FACES, 1, INPUTS, 0>(in + i * INPUTS, packed, block, out + i * OUT, OUT, 0);
    }
  }

  static void pack(const float *&from, size_t given, bool bends, float *to) {
    const float *weights = from, *bias = weights + INPUTS * given, *slope = bends ? bias + given : nullptr;
    from = bias + given * (bends ? 2 : 1);
    L::pack(given,
            [=](size_t o, size_t, size_t i) {
              return weights[(i % CHANNELS * (INPUTS / CHANNELS) + i / CHANNELS) * given + o];
            },
            bias, slope, to);
  }
};

// A region of the picture, scaled to SIDE x SIDE: to the last bit AreaTable.resample's. out: [y][x][4], of which the
// last is nothing
template <size_t SIDE> void cut(const Table &table, const Region &region, float *out) {
  const size_t line = (table.width + 1) * 3;
  const uint32_t *sums = table.sums + region.y * line + region.x * 3;
  for (size_t y = 0; y < SIDE; y++) {
    const size_t low = y * region.height / SIDE, high = ((y + 1) * region.height + SIDE - 1) / SIDE;
    const uint32_t *upper = sums + low * line, *lower = sums + high * line;
    for (size_t x = 0; x < SIDE; x++, out += 4) {
      const size_t left = x * region.width / SIDE, right = ((x + 1) * region.width + SIDE - 1) / SIDE;
      const Four sum =
          loadFour(lower + right * 3) - loadFour(upper + right * 3) - loadFour(lower + left * 3) + loadFour(upper + left * 3);
      const FourFloats mean = meanOf(sum, 1.0 / (static_cast<double>(high - low) * static_cast<double>(right - left)));
      for (size_t c = 0; c < 4; c++) out[c] = mean[c];
    }
  }
}

constexpr size_t ROOM = MOST_FACES + 8;
constexpr size_t largest(size_t a, size_t b) { return a > b ? a : b; }

struct Refine {
  static constexpr size_t SIDE = 24;
  using First = Pooled<24, 4, 3, 32, 3>;
  using Second = Pooled<First::SIDE, 32, 28, 48, 3>;
  using Third = Last<48, 64>;
  using Fourth = Dense<576, 128, 64>;
  using Heads = Dense<128, 16, 1>;
  static constexpr size_t AT_SECOND = First::L::PACKED, AT_THIRD = AT_SECOND + Second::L::PACKED,
                          AT_FOURTH = AT_THIRD + Third::L::PACKED, AT_HEADS = AT_FOURTH + Fourth::L::PACKED,
                          PACKED = AT_HEADS + Heads::L::PACKED;
  static constexpr size_t WEIGHTS = 28 * 29 + 48 * (28 * 9 + 2) + 64 * (48 * 4 + 2) + 576 * 128 + 256 + 128 * 5 + 5;
  static constexpr size_t MAPS = First::SIZE + Second::SIZE, RING = largest(First::RING, Second::RING);
  static constexpr size_t FEATURES = 576, MIDDLE = 128, OUT = 5;

  static void pack(const float *from, float *to) {
    First::pack(from, 28, to);
    Second::pack(from, 48, to + AT_SECOND);
    Third::pack(from, to + AT_THIRD);
    Fourth::pack(from, 128, true, to + AT_FOURTH);
    Heads::pack(from, 5, false, to + AT_HEADS);
  }
  static void features(const float *crop, const float *packed, float *maps, float *ring, float *out) {
    float *second = maps + First::SIZE;
    First::run(crop, packed, ring, maps);
    Second::run(maps, packed + AT_SECOND, ring, second);
    Third::run(second, packed + AT_THIRD, out);
  }
};

struct Output {
  static constexpr size_t SIDE = 48;
  using First = Pooled<48, 4, 3, 32, 3>;
  using Second = Pooled<First::SIDE, 32, 32, 64, 3>;
  using Third = Pooled<Second::SIDE, 64, 64, 64, 2>;
  using Beyond = Last<64, 128>;
  using Fourth = Dense<1152, 256, 128>;
  using Heads = Dense<256, 16, 1>;
  static constexpr size_t AT_SECOND = First::L::PACKED, AT_THIRD = AT_SECOND + Second::L::PACKED,
                          AT_BEYOND = AT_THIRD + Third::L::PACKED, AT_FOURTH = AT_BEYOND + Beyond::L::PACKED,
                          AT_HEADS = AT_FOURTH + Fourth::L::PACKED, PACKED = AT_HEADS + Heads::L::PACKED;
  static constexpr size_t WEIGHTS = 32 * 29 + 64 * (32 * 9 + 2) + 64 * (64 * 9 + 2) + 128 * (64 * 4 + 2) +
                                    1152 * 256 + 512 + 256 * 15 + 15;
  static constexpr size_t MAPS = First::SIZE + Second::SIZE + Third::SIZE;
  static constexpr size_t RING = largest(First::RING, largest(Second::RING, Third::RING));
  static constexpr size_t FEATURES = 1152, MIDDLE = 256, OUT = 15;

  static void pack(const float *from, float *to) {
    First::pack(from, 32, to);
    Second::pack(from, 64, to + AT_SECOND);
    Third::pack(from, 64, to + AT_THIRD);
    Beyond::pack(from, to + AT_BEYOND);
    Fourth::pack(from, 256, true, to + AT_FOURTH);
    Heads::pack(from, 15, false, to + AT_HEADS);
  }
  static void features(const float *crop, const float *packed, float *maps, float *ring, float *out) {
    float *second = maps + First::SIZE, *third = second + Second::SIZE;
    First::run(crop, packed, ring, maps);
    Second::run(maps, packed + AT_SECOND, ring, second);
    Third::run(second, packed + AT_THIRD, ring, third);
    Beyond::run(third, packed + AT_BEYOND, out);
  }
};

template <class N>
void score(const float *packed, float *floats, const Table &table, const Region *regions, size_t count, float *out) {
  float *crop = floats, *maps = crop + N::SIDE * N::SIDE * 4, *ring = maps + N::MAPS;
  float *features = ring + N::RING, *middle = features + ROOM * N::FEATURES, *heads = middle + ROOM * N::MIDDLE;
  for (size_t i = 0; i < count; i++) {
    cut<N::SIDE>(table, regions[i], crop);
    N::features(crop, packed, maps, ring, features + i * N::FEATURES);
  }
  N::Fourth::run(features, packed + N::AT_FOURTH, count, middle);
  N::Heads::run(middle, packed + N::AT_HEADS, count, heads);
  for (size_t i = 0; i < count; i++)
    for (size_t k = 0; k < N::OUT; k++) out[i * SCORES + k] = heads[i * 16 + k];
}

template <class N> constexpr Faces faces() {
  return {N::WEIGHTS, N::PACKED,
          N::SIDE * N::SIDE * 4 + N::MAPS + N::RING + ROOM * (N::FEATURES + N::MIDDLE + 16), N::pack, score<N>};
}

} // namespace

extern const Faces refine, output;
const Faces refine = faces<Refine>();
const Faces output = faces<Output>();

} // namespace KAOMON_KERNEL
} // namespace kaomon
