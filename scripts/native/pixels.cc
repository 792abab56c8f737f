// The loops over all pixels of a frame, with vectors of the machine it runs on: the same results, to the last bit, as
// the ones of src/vision/pixels.ts, which serve where this was not compiled. Any number of threads may load it.
#include <napi.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

#include "kaomon_clones.h"

namespace {

// Three channels and one lane that nobody reads.
typedef uint32_t Four __attribute__((vector_size(16)));
typedef uint8_t FourBytes __attribute__((vector_size(4)));
typedef double FourDoubles __attribute__((vector_size(32)));
typedef float FourFloats __attribute__((vector_size(16)));

constexpr int PRECISION = 22;

inline Four load(const uint32_t *from) {
  Four four;
  std::memcpy(&four, from, sizeof four);
  return four;
}

inline Four widen(const uint8_t *from) {
  FourBytes bytes;
  std::memcpy(&bytes, from, sizeof bytes);
  return __builtin_convertvector(bytes, Four);
}

// sums: (width + 1) * (height + 1) * 3 numbers and one more. Each pixel is written four lanes wide; the fourth is the
// next pixel's first and written anew.
KAOMON_CLONES void sumTable(const uint8_t *data, size_t length, size_t width, size_t height, uint32_t *sums) {
  const size_t line = (width + 1) * 3;
  std::memset(sums, 0, line * sizeof *sums);
  for (size_t y = 0; y < height; y++) {
    uint32_t *row = sums + (y + 1) * line;
    row[0] = row[1] = row[2] = 0;
    const uint8_t *from = data + y * width * 3;
    Four across = {};
    for (size_t x = 0; x < width; x++, from += 3) {
      if (from + 4 <= data + length) across += widen(from);
      else across += Four{from[0], from[1], from[2], 0};
      const Four sum = across + load(row + (x + 1) * 3 - line);
      std::memcpy(row + (x + 1) * 3, &sum, sizeof sum);
    }
  }
}

struct Rows {
  size_t from, to, regionHeight, height;
};

// Means of windows, see AreaTable.resample. corner: of the region's first pixel in the table.
KAOMON_CLONES void areaMeans(const uint32_t *sums, size_t line, size_t corner, const int32_t *from, const int32_t *to,
                             size_t width, const Rows &rows, float *out) {
  const size_t plane = width * (rows.to - rows.from);
  for (size_t y = rows.from; y < rows.to; y++) {
    const size_t low = y * rows.regionHeight / rows.height;
    const size_t high = ((y + 1) * rows.regionHeight + rows.height - 1) / rows.height;
    const uint32_t *upper = sums + corner + low * line;
    const uint32_t *lower = sums + corner + high * line;
    int32_t wide = 0;
    double scale = 0;
    for (size_t x = 0; x < width; x++, out++) {
      const int32_t left = from[x];
      const int32_t right = to[x];
      // Windows have two or three sizes: a division is seldom.
      if (right - left != wide) {
        wide = right - left;
        scale = 3.0 / (static_cast<double>(high - low) * wide);
      }
      const Four sum = load(lower + right) - load(upper + right) - load(lower + left) + load(upper + left);
      const FourFloats means = __builtin_convertvector(__builtin_convertvector(sum, FourDoubles) * scale, FourFloats);
      out[0] = means[0];
      out[plane] = means[1];
      out[2 * plane] = means[2];
    }
  }
}

struct Taps {
  const int32_t *first, *count, *values;
  size_t taps;
};

// Pillow's two passes, see Resampler.resize. columns: width * rectHeight * 3 bytes.
KAOMON_CLONES void triangle(const uint8_t *data, size_t length, size_t stride, size_t corner, size_t rectHeight,
                            const Taps &across, const Taps &down, size_t width, size_t height, uint8_t *columns,
                            uint8_t *out, int32_t *sums) {
  for (size_t y = 0; y < rectHeight; y++) {
    const size_t row = corner + y * stride * 3;
    uint8_t *to = columns + y * width * 3;
    for (size_t x = 0; x < width; x++, to += 3) {
      size_t from = row + static_cast<size_t>(across.first[x]) * 3;
      const int32_t *weight = across.values + x * across.taps;
      Four sum = Four{} + (1u << (PRECISION - 1));
      for (int32_t tap = 0; tap < across.count[x]; tap++, from += 3) {
        const Four pixel = from + 4 <= length ? widen(data + from)
                                              : Four{data[from], data[from + 1], data[from + 2], 0};
        sum += pixel * static_cast<uint32_t>(weight[tap]);
      }
      for (int c = 0; c < 3; c++) to[c] = static_cast<uint8_t>(sum[c] >> PRECISION);
    }
  }
  const size_t line = width * 3;
  for (size_t y = 0; y < height; y++, out += line) {
    for (size_t x = 0; x < line; x++) sums[x] = 1 << (PRECISION - 1);
    for (int32_t tap = 0; tap < down.count[y]; tap++) {
      const uint8_t *from = columns + (down.first[y] + tap) * line;
      const int32_t weight = down.values[y * down.taps + tap];
      for (size_t x = 0; x < line; x++) sums[x] += from[x] * weight;
    }
    for (size_t x = 0; x < line; x++) out[x] = static_cast<uint8_t>(sums[x] >> PRECISION);
  }
}

constexpr int PHASES = 256;
constexpr int WARP_SHIFT = 2 * 13 - 4;

// Into the clones, with their registers.
#define KAOMON_INLINE inline __attribute__((always_inline))

struct Image {
  const uint8_t *data;
  size_t length;
  int32_t width, height;
};

// Black outside.
KAOMON_INLINE Four pixelAt(const Image &image, int32_t x, int32_t y) {
  if (x < 0 || y < 0 || x >= image.width || y >= image.height) return Four{};
  const uint8_t *from = image.data + (static_cast<size_t>(y) * image.width + x) * 3;
  return Four{from[0], from[1], from[2], 0};
}

KAOMON_INLINE bool bilinear(const Image &image, double x, double y, uint8_t *out) {
  const double left = std::floor(x), top = std::floor(y);
  if (!(left >= -1 && top >= -1 && left < image.width && top < image.height)) return false;
  const double fx = x - left, fy = y - top;
  const int32_t column = static_cast<int32_t>(left), row = static_cast<int32_t>(top);
  const size_t from = (static_cast<size_t>(row) * image.width + column) * 3;
  const size_t line = static_cast<size_t>(image.width) * 3;
  Four corner[4];
  if (column >= 0 && row >= 0 && column + 1 < image.width && row + 1 < image.height &&
      from + line + 7 <= image.length) {
    const uint8_t *upper = image.data + from;
    corner[0] = widen(upper), corner[1] = widen(upper + 3), corner[2] = widen(upper + line),
    corner[3] = widen(upper + line + 3);
  } else {
    for (int i = 0; i < 4; i++) corner[i] = pixelAt(image, column + (i & 1), row + (i >> 1));
  }
  const FourDoubles above = __builtin_convertvector(corner[0], FourDoubles) * (1 - fx) +
                            __builtin_convertvector(corner[1], FourDoubles) * fx;
  const FourDoubles below = __builtin_convertvector(corner[2], FourDoubles) * (1 - fx) +
                            __builtin_convertvector(corner[3], FourDoubles) * fx;
  typedef int32_t FourInts __attribute__((vector_size(16)));
  const FourInts mean = __builtin_convertvector(above * (1 - fy) + below * fy + 0.5, FourInts);
  for (int c = 0; c < 3; c++) out[c] = static_cast<uint8_t>(mean[c]);
  return true;
}

KAOMON_INLINE bool filtered(const Image &image, double x, double y, const int32_t *weights, int32_t taps,
                            uint8_t *out) {
  const double atX = std::floor(x * PHASES + 0.5), atY = std::floor(y * PHASES + 0.5);
  const double reach = taps / 2 * PHASES;
  if (!(atX > -reach && atX < (image.width - 1.0) * PHASES + reach)) return false;
  if (!(atY > -reach && atY < (image.height - 1.0) * PHASES + reach)) return false;
  const int32_t column = static_cast<int32_t>(atX), row = static_cast<int32_t>(atY);
  const int32_t left = (column >> 8) - taps / 2 + 1, top = (row >> 8) - taps / 2 + 1;
  const int32_t *across = weights + (column & 255) * taps, *down = weights + (row & 255) * taps;
  const int32_t fromX = left < 0 ? -left : 0, toX = image.width - left < taps ? image.width - left : taps;
  const int32_t fromY = top < 0 ? -top : 0, toY = image.height - top < taps ? image.height - top : taps;
  if (fromX >= toX || fromY >= toY) return false;
  // A pixel is read as four bytes: the picture's last one has but three.
  const bool isLast = left + toX == image.width && top + toY == image.height;
  Four all = Four{} + (1u << (WARP_SHIFT - 1));
  for (int32_t j = fromY; j < toY; j++) {
    const uint8_t *from = image.data + (static_cast<size_t>(top + j) * image.width + left + fromX) * 3;
    const int32_t to = isLast ? toX - 1 : toX;
    Four sum = isLast ? pixelAt(image, left + to, top + j) * static_cast<uint32_t>(across[to]) : Four{};
    for (int32_t i = fromX; i < to; i++, from += 3) sum += widen(from) * static_cast<uint32_t>(across[i]);
    all += (sum >> 4) * static_cast<uint32_t>(down[j]);
  }
  for (int c = 0; c < 3; c++) out[c] = static_cast<uint8_t>(all[c] >> WARP_SHIFT);
  return true;
}

// A square out of a turned, scaled and moved picture, see PixelLoops.warp. Compiled without fused multiplications
// (scripts/native.mjs): they would round otherwise than JavaScript does.
KAOMON_CLONES bool warp(const Image image, double a, double b, double x0, double y0, const int32_t *weights,
                        int32_t taps, int32_t size, uint8_t *out) {
  bool isInside = false;
  std::memset(out, 0, static_cast<size_t>(size) * size * 3);
  for (int32_t y = 0; y < size; y++) {
    for (int32_t x = 0; x < size; x++, out += 3) {
      const double centreX = a * x - b * y + x0, centreY = b * x + a * y + y0;
      if (taps > 0 ? filtered(image, centreX, centreY, weights, taps, out) : bilinear(image, centreX, centreY, out))
        isInside = true;
    }
  }
  return isInside;
}

size_t number(const Napi::CallbackInfo &info, size_t i) {
  return static_cast<size_t>(info[i].As<Napi::Number>().Int64Value());
}

template <typename Array> Array array(const Napi::CallbackInfo &info, size_t i) { return info[i].As<Array>(); }

void require(const Napi::CallbackInfo &info, bool holds) {
  if (!holds) throw Napi::RangeError::New(info.Env(), "An array is too short for what is asked of it.");
}

// sumTable(data, width, height, sums)
void callSumTable(const Napi::CallbackInfo &info) {
  const auto data = array<Napi::Uint8Array>(info, 0);
  const size_t width = number(info, 1), height = number(info, 2);
  auto sums = array<Napi::Int32Array>(info, 3);
  require(info, data.ElementLength() >= width * height * 3 && sums.ElementLength() > (width + 1) * (height + 1) * 3);
  sumTable(data.Data(), data.ElementLength(), width, height, reinterpret_cast<uint32_t *>(sums.Data()));
}

// areaMeans(sums, line, corner, from, to, width, rowFrom, rowTo, regionHeight, height, out, start)
void callAreaMeans(const Napi::CallbackInfo &info) {
  const auto sums = array<Napi::Int32Array>(info, 0);
  const size_t line = number(info, 1), corner = number(info, 2), width = number(info, 5);
  const auto from = array<Napi::Int32Array>(info, 3), to = array<Napi::Int32Array>(info, 4);
  const Rows rows{number(info, 6), number(info, 7), number(info, 8), number(info, 9)};
  auto out = array<Napi::Float32Array>(info, 10);
  const size_t start = number(info, 11);
  require(info, width > 0 && rows.from <= rows.to && rows.to <= rows.height && from.ElementLength() >= width &&
                    to.ElementLength() >= width && out.ElementLength() >= start + 3 * width * (rows.to - rows.from) &&
                    sums.ElementLength() > corner + rows.regionHeight * line + static_cast<size_t>(to[width - 1]) + 3);
  areaMeans(reinterpret_cast<const uint32_t *>(sums.Data()), line, corner, from.Data(), to.Data(), width, rows,
            out.Data() + start);
}

// triangle(data, stride, corner, rectHeight, first, count, values, taps, first, count, values, taps, width, height,
//          columns, out)
void callTriangle(const Napi::CallbackInfo &info) {
  const auto data = array<Napi::Uint8Array>(info, 0);
  const size_t stride = number(info, 1), corner = number(info, 2), rectHeight = number(info, 3);
  const auto tapsAt = [&](size_t i) {
    return Taps{array<Napi::Int32Array>(info, i).Data(), array<Napi::Int32Array>(info, i + 1).Data(),
                array<Napi::Int32Array>(info, i + 2).Data(), number(info, i + 3)};
  };
  const Taps across = tapsAt(4), down = tapsAt(8);
  const size_t width = number(info, 12), height = number(info, 13);
  auto columns = array<Napi::Uint8Array>(info, 14);
  auto out = array<Napi::Uint8Array>(info, 15);
  require(info, array<Napi::Int32Array>(info, 4).ElementLength() >= width &&
                    array<Napi::Int32Array>(info, 8).ElementLength() >= height && width > 0 && rectHeight > 0);
  const size_t lastInRow = static_cast<size_t>(across.first[width - 1] + across.count[width - 1]);
  require(info, columns.ElementLength() >= width * rectHeight * 3 && out.ElementLength() >= width * height * 3 &&
                    data.ElementLength() >= corner + ((rectHeight - 1) * stride + lastInRow) * 3);
  // A line of sums; kept for the thread's next call.
  static thread_local std::vector<int32_t> sums;
  if (sums.size() < width * 3) sums.resize(width * 3);
  triangle(data.Data(), data.ElementLength(), stride, corner, rectHeight, across, down, width, height, columns.Data(),
           out.Data(), sums.data());
}

// warp(data, width, height, a, b, x0, y0, weights, taps, size, out)
Napi::Value callWarp(const Napi::CallbackInfo &info) {
  const auto data = array<Napi::Uint8Array>(info, 0);
  const size_t width = number(info, 1), height = number(info, 2), taps = number(info, 8), size = number(info, 9);
  const auto real = [&](size_t i) { return info[i].As<Napi::Number>().DoubleValue(); };
  const auto weights = array<Napi::Int32Array>(info, 7);
  auto out = array<Napi::Uint8Array>(info, 10);
  // A place times 256 must be a number of 32 bits.
  require(info, data.ElementLength() >= width * height * 3 && out.ElementLength() >= size * size * 3 &&
                    weights.ElementLength() >= taps * PHASES && taps % 2 == 0 && taps < 4096 && size < 65536 &&
                    width < (1u << 22) && height < (1u << 22));
  const Image image{data.Data(), data.ElementLength(), static_cast<int32_t>(width), static_cast<int32_t>(height)};
  return Napi::Boolean::New(info.Env(), warp(image, real(3), real(4), real(5), real(6), weights.Data(),
                                             static_cast<int32_t>(taps), static_cast<int32_t>(size), out.Data()));
}

Napi::Object init(Napi::Env env, Napi::Object exports) {
  exports.Set("sumTable", Napi::Function::New(env, callSumTable));
  exports.Set("areaMeans", Napi::Function::New(env, callAreaMeans));
  exports.Set("triangle", Napi::Function::New(env, callTriangle));
  exports.Set("warp", Napi::Function::New(env, callWarp));
  return exports;
}

} // namespace

NODE_API_MODULE(pixels, init)
