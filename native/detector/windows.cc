// MTCNN's first network over the rows of a picture's pyramid. Compiled once for each kind of machine (CMakeLists.txt).
//
// Maps are planes of rows, vectors lie along x, several output channels are summed in registers at once. Each row is
// made when the next layer needs it and kept for as long: four rows of the picture, three of each map.
#include "kernel.h"
#include "lanes.h"

namespace kaomon {
namespace KAOMON_KERNEL {
namespace {

// Output channels that are summed at once, by vectors of x: what the registers hold besides what is read.
constexpr size_t ACROSS = 3;
constexpr size_t TOGETHER = IS_WIDE ? 8 : 4;
constexpr size_t FIRST_TOGETHER = IS_WIDE ? 5 : 2;
constexpr size_t TILE = ACROSS * LANES;
// The picture's rows that two rows of the first convolution need, and each map's that the next one needs.
constexpr size_t PICTURE_ROWS = 4, ROWS = 3;

// An odd number of lines of the cache, so that the planes of a pixel lie in all sets of it: at a multiple of 4096 bytes
// they would drive one another out, and a load would wait for a store to another plane.
constexpr size_t strideOf(size_t width) {
  const size_t lines = (width + 15) / 16;
  return (lines + 1 - lines % 2) * 16;
}

// Packed: biases, slopes and weights as [block of outputs][in][y][x][output of the block].
constexpr size_t packedSize(size_t out, size_t in) { return 2 * out + out * in * 9; }
constexpr size_t AT_SECOND = toLine(packedSize(FIRST, 3));
constexpr size_t AT_THIRD = AT_SECOND + toLine(packedSize(SECOND, FIRST));
constexpr size_t AT_HEADS = AT_THIRD + toLine(packedSize(THIRD, SECOND));
constexpr size_t PACKED = AT_HEADS + toLine(HEADS + HEADS * THIRD);

// Returns what lies behind the layer that was packed.
const float *packConvolution(const float *from, size_t out, size_t in, size_t together, float *to) {
  const float *bias = from + out * in * 9;
  for (size_t i = 0; i < 2 * out; i++) *to++ = bias[i];
  for (size_t block = 0; block < out; block += together)
    for (size_t tap = 0; tap < in * 9; tap++)
      for (size_t o = block; o < block + together; o++) *to++ = from[o * in * 9 + tap];
  return bias + 2 * out;
}

void pack(const float *from, float *packed) {
  from = packConvolution(from, FIRST, 3, FIRST_TOGETHER, packed);
  from = packConvolution(from, SECOND, FIRST, TOGETHER, packed + AT_SECOND);
  from = packConvolution(from, THIRD, SECOND, TOGETHER, packed + AT_THIRD);
  float *to = packed + AT_HEADS;
  for (size_t head = 0; head < HEADS; head++) *to++ = from[HEADS * THIRD + head];
  for (size_t in = 0; in < THIRD; in++)
    for (size_t head = 0; head < HEADS; head++) *to++ = from[head * THIRD + in];
}

// Where the rows lie in the working memory.
struct Rows {
  size_t pictureStride, stride;
  // Differences of two rows of the table, then the columns of windows in it.
  uint32_t *difference;
  int32_t *left, *right;
  float *picture, *first, *second, *third;
};

// Tiles reach beyond a row's end, by less than a tile and two taps; the first convolution reads two vectors for one.
constexpr size_t pictureStrideOf(size_t width) { return strideOf(width + 2 * TILE + 2); }
constexpr size_t mapStrideOf(size_t width) { return strideOf((width - 1) / 2 + TILE + 2); }
constexpr size_t tableLine(size_t pictureWidth) { return toLine((pictureWidth + 1) * 3 + 16); }

size_t floatsFor(size_t width) {
  return PICTURE_ROWS * 3 * pictureStrideOf(width) + ROWS * (FIRST + SECOND) * mapStrideOf(width) + THIRD * TILE;
}

size_t integersFor(size_t width, size_t pictureWidth) { return tableLine(pictureWidth) + 2 * toLine(width); }

Rows rowsIn(float *floats, uint32_t *integers, size_t width, size_t pictureWidth) {
  Rows rows;
  rows.pictureStride = pictureStrideOf(width);
  rows.stride = mapStrideOf(width);
  rows.picture = floats;
  rows.first = rows.picture + PICTURE_ROWS * 3 * rows.pictureStride;
  rows.second = rows.first + ROWS * FIRST * rows.stride;
  rows.third = rows.second + ROWS * SECOND * rows.stride;
  rows.difference = integers;
  rows.left = reinterpret_cast<int32_t *>(rows.difference + tableLine(pictureWidth));
  rows.right = rows.left + toLine(width);
  return rows;
}

// One row of the picture at the band's size: means of windows, to the last bit those of AreaTable.resample.
void pictureRow(const Table &table, const Band &band, size_t y, const Rows &rows) {
  const size_t line = (table.width + 1) * 3;
  const size_t low = y * table.height / band.height;
  const size_t high = ((y + 1) * table.height + band.height - 1) / band.height;
  const uint32_t *upper = table.sums + low * line, *lower = table.sums + high * line;
  uint32_t *difference = rows.difference;
  for (size_t i = 0; i < line; i++) difference[i] = lower[i] - upper[i];
  const size_t stride = rows.pictureStride;
  float *out = rows.picture + y % PICTURE_ROWS * 3 * stride;
  int32_t wide = 0;
  double scale = 0;
  for (size_t x = 0; x < band.width; x++, out++) {
    const int32_t left = rows.left[x], right = rows.right[x];
    // Windows have two or three sizes: a division is seldom.
    if (right - left != wide) {
      wide = right - left;
      scale = 3.0 / (static_cast<double>(high - low) * wide);
    }
    const FourFloats rounded = meanOf(loadFour(difference + right) - loadFour(difference + left), scale);
    out[0] = rounded[0];
    out[stride] = rounded[1];
    out[2 * stride] = rounded[2];
  }
}

// Even places of two vectors that lie behind one another, or odd ones.
template <int ODD> KAOMON_INLINE Vector everySecond(Vector a, Vector b) {
#if KAOMON_LANES == 16
#define KAOMON_PLACES(o) o, o + 2, o + 4, o + 6, o + 8, o + 10, o + 12, o + 14, o + 16, o + 18, o + 20, o + 22, o + 24, o + 26, o + 28, o + 30
#elif KAOMON_LANES == 8
#define KAOMON_PLACES(o) o, o + 2, o + 4, o + 6, o + 8, o + 10, o + 12, o + 14
#else
#define KAOMON_PLACES(o) o, o + 2, o + 4, o + 6
#endif
#if defined(__clang__)
  return __builtin_shufflevector(a, b, KAOMON_PLACES(ODD));
#else
  return __builtin_shuffle(a, b, Mask{KAOMON_PLACES(ODD)});
#endif
}

// Convolution, PReLU and the larger of 2x2: one vector of the pooled row for FIRST_TOGETHER channels.
// picture: the four rows; isPair: whether there is a second row to pool; columns: of the convolution, from x on
KAOMON_INLINE void firstTile(const float *const picture[4], size_t plane, const float *weights, const float *bias,
                             const float *slope, bool isPair, size_t columns, float *out, size_t stride) {
  Vector sum[FIRST_TOGETHER][2][2];
  KAOMON_UNROLL for (size_t o = 0; o < FIRST_TOGETHER; o++)
    KAOMON_UNROLL for (int i = 0; i < 4; i++) sum[o][i >> 1][i & 1] = all(bias[o]);
  for (size_t c = 0; c < 3; c++, weights += 9 * FIRST_TOGETHER) {
    KAOMON_UNROLL for (int row = 0; row < 4; row++) {
      KAOMON_UNROLL for (int kx = 0; kx < 3; kx++) {
        const float *from = picture[row] + c * plane + kx;
        const Vector value[2] = {load(from), load(from + LANES)};
        // Of the convolution's two rows this one of the picture is part of one or both.
        KAOMON_UNROLL for (int y = 0; y < 2; y++) {
          if (row - y < 0 || row - y > 2) continue;
          KAOMON_UNROLL for (size_t o = 0; o < FIRST_TOGETHER; o++) {
            const Vector weight = all(weights[((row - y) * 3 + kx) * FIRST_TOGETHER + o]);
            KAOMON_UNROLL for (int i = 0; i < 2; i++) sum[o][y][i] += value[i] * weight;
          }
        }
      }
    }
  }
  KAOMON_UNROLL for (size_t o = 0; o < FIRST_TOGETHER; o++) {
    Vector most[2];
    KAOMON_UNROLL for (int i = 0; i < 2; i++) {
      most[i] = prelu(sum[o][0][i], all(slope[o]));
      if (isPair) most[i] = larger(most[i], prelu(sum[o][1][i], all(slope[o])));
    }
    const Vector even = everySecond<0>(most[0], most[1]);
    store(out + o * stride, larger(even, everySecond<1>(most[0], most[1])));
    // Behind the last column of an odd number there is nothing.
    if (columns % 2 == 1 && columns < 2 * LANES) {
      alignas(64) float single[LANES];
      store(single, even);
      out[o * stride + columns / 2] = single[columns / 2];
    }
  }
}

// Row p of the first map.
void firstRow(const float *packed, const Band &band, size_t p, const Rows &rows) {
  // The last of an odd number of rows is pooled alone, and there is no fourth row of the picture.
  const bool isPair = 2 * p + 1 < band.height - 2;
  const size_t columns = band.width - 2;
  float *out = rows.first + p % ROWS * FIRST * rows.stride;
  for (size_t x = 0; x < columns; x += 2 * LANES) {
    const float *at[4];
    for (size_t row = 0; row < 4; row++)
      at[row] = rows.picture + (2 * p + row) % PICTURE_ROWS * 3 * rows.pictureStride + x;
    for (size_t o = 0; o < FIRST; o += FIRST_TOGETHER)
      firstTile(at, rows.pictureStride, packed + 2 * FIRST + o * 27, packed + o, packed + FIRST + o, isPair,
                columns - x, out + o * rows.stride + x / 2, rows.stride);
  }
}

// A 3x3 convolution with PReLU of N vectors of x.
template <size_t INPUTS, size_t OUTPUTS, size_t N>
KAOMON_INLINE void tile(const float *const in[3], size_t plane, const float *packed, float *out, size_t stride) {
  const float *weights = packed + 2 * OUTPUTS;
  for (size_t block = 0; block < OUTPUTS; block += TOGETHER) {
    Vector sum[TOGETHER][N];
    KAOMON_UNROLL for (size_t o = 0; o < TOGETHER; o++)
      KAOMON_UNROLL for (size_t n = 0; n < N; n++) sum[o][n] = all(packed[block + o]);
    for (size_t c = 0; c < INPUTS; c++) {
      KAOMON_UNROLL for (int ky = 0; ky < 3; ky++) {
        const float *from = in[ky] + c * plane;
        KAOMON_UNROLL for (int kx = 0; kx < 3; kx++, weights += TOGETHER) {
          Vector value[N];
          KAOMON_UNROLL for (size_t n = 0; n < N; n++) value[n] = load(from + kx + n * LANES);
          KAOMON_UNROLL for (size_t o = 0; o < TOGETHER; o++) {
            const Vector weight = all(weights[o]);
            KAOMON_UNROLL for (size_t n = 0; n < N; n++) sum[o][n] += value[n] * weight;
          }
        }
      }
    }
    KAOMON_UNROLL for (size_t o = 0; o < TOGETHER; o++)
      KAOMON_UNROLL for (size_t n = 0; n < N; n++)
        store(out + (block + o) * stride + n * LANES, prelu(sum[o][n], all(packed[OUTPUTS + block + o])));
  }
}

template <size_t INPUTS, size_t OUTPUTS>
KAOMON_INLINE void tileOf(size_t vectors, const float *const in[3], size_t plane, const float *packed, float *out,
                          size_t stride) {
  if (vectors >= 3) tile<INPUTS, OUTPUTS, 3>(in, plane, packed, out, stride);
  else if (vectors == 2) tile<INPUTS, OUTPUTS, 2>(in, plane, packed, out, stride);
  else tile<INPUTS, OUTPUTS, 1>(in, plane, packed, out, stride);
}

constexpr size_t vectorsFor(size_t columns) { return smaller(ACROSS, (columns + LANES - 1) / LANES); }

// Row q of the second map.
void secondRow(const float *packed, size_t columns, size_t q, const Rows &rows) {
  float *out = rows.second + q % ROWS * SECOND * rows.stride;
  for (size_t x = 0; x < columns; x += TILE) {
    const float *in[3];
    for (size_t ky = 0; ky < 3; ky++) in[ky] = rows.first + (q + ky) % ROWS * FIRST * rows.stride + x;
    tileOf<FIRST, SECOND>(vectorsFor(columns - x), in, rows.stride, packed, out + x, rows.stride);
  }
}

// The heads on one vector of the third map.
KAOMON_INLINE void heads(const float *packed, const float *third, float *out) {
  Vector sum[HEADS];
  KAOMON_UNROLL for (size_t head = 0; head < HEADS; head++) sum[head] = all(packed[head]);
  packed += HEADS;
  for (size_t c = 0; c < THIRD; c++, packed += HEADS) {
    const Vector value = load(third + c * TILE);
    KAOMON_UNROLL for (size_t head = 0; head < HEADS; head++) sum[head] += value * all(packed[head]);
  }
  KAOMON_UNROLL for (size_t head = 0; head < HEADS; head++) store(out + head * LANES, sum[head]);
}

struct Found {
  float limit;
  float *out;
  size_t room, count;
};

// Row r of windows.
void windowRow(const float *packed, size_t columns, size_t r, const Rows &rows, Found &found) {
  for (size_t x = 0; x < columns; x += TILE) {
    const float *in[3];
    for (size_t ky = 0; ky < 3; ky++) in[ky] = rows.second + (r + ky) % ROWS * SECOND * rows.stride + x;
    const size_t vectors = vectorsFor(columns - x);
    tileOf<SECOND, THIRD>(vectors, in, rows.stride, packed + AT_THIRD, rows.third, TILE);
    for (size_t n = 0; n < vectors; n++) {
      alignas(64) float said[HEADS * LANES];
      heads(packed + AT_HEADS, rows.third + n * LANES, said);
      const size_t from = x + n * LANES, lanes = smaller(LANES, columns - from);
      for (size_t lane = 0; lane < lanes; lane++) {
        if (said[lane] < found.limit) continue;
        if (found.count < found.room) {
          float *to = found.out + found.count * CANDIDATE;
          to[0] = static_cast<float>(from + lane);
          to[1] = static_cast<float>(r);
          for (size_t head = 0; head < HEADS; head++) to[2 + head] = said[head * LANES + lane];
        }
        found.count++;
      }
    }
  }
}

size_t scan(const float *packed, float *floats, uint32_t *integers, const Table &table, const Band &band, float limit,
            float *out, size_t room) {
  const Rows rows = rowsIn(floats, integers, band.width, table.width);
  for (size_t x = 0; x < band.width; x++) {
    rows.left[x] = static_cast<int32_t>(x * table.width / band.width * 3);
    rows.right[x] = static_cast<int32_t>(((x + 1) * table.width + band.width - 1) / band.width * 3);
  }
  const size_t columns = windowsAlong(band.width);
  Found found{limit, out, room, 0};
  size_t made = 2 * band.row;
  for (size_t p = band.row; p < band.row + band.rows + 4; p++) {
    for (; made < smaller(2 * p + 4, band.height); made++) pictureRow(table, band, made, rows);
    firstRow(packed, band, p, rows);
    if (p < band.row + 2) continue;
    secondRow(packed + AT_SECOND, columns + 2, p - 2, rows);
    if (p < band.row + 4) continue;
    windowRow(packed, columns, p - 4, rows, found);
  }
  return found.count;
}

} // namespace

extern const Windows windows;
const Windows windows = {PACKED, pack, floatsFor, integersFor, scan};

} // namespace KAOMON_KERNEL
} // namespace kaomon
