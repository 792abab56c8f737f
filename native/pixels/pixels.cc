// The loops over all pixels of a frame, and over the blocks of a JPEG, with vectors of the machine they run on: the same results, to the last bit, as
// those of src/vision/pixels.ts, which serve where this was not compiled. Any number of threads may load it.
#include <napi.h>

#include <algorithm>
#include <vector>

#include "area.h"
#include "arguments.h"
#include "blocks.h"
#include "triangle.h"
#include "warp.h"

namespace {

using kaomon::Arguments;
using kaomon::View;

// Checked whole numbers from an array, as a copy that nobody can change any more: what is an index must hold until the
// last use of it, and a buffer may be shared with the output or with another thread. The copy lasts until the thread's
// next call that uses the same `Slot`.
template <int Slot> const int32_t *indexes(const Arguments &args, size_t i, size_t count) {
  static thread_local std::vector<int32_t> copy;
  const View<int32_t> view = args.array<int32_t>(i, count);
  copy.assign(view.data, view.data + count);
  for (const int32_t index : copy) args.require(index >= 0, "An index is below zero.");
  return copy.data();
}

// sumTable(data, width, height, sums)
void callSumTable(const Napi::CallbackInfo &info) {
  const Arguments args(info);
  const size_t width = args.whole(1, 1), height = args.whole(2, 1);
  const auto data = args.array<uint8_t>(0, width * height * 3);
  const auto sums = args.array<int32_t>(3, (width + 1) * (height + 1) * 3 + 1);
  kaomon::sumTable(data.data, data.length, width, height, reinterpret_cast<uint32_t *>(sums.data));
}

// areaMeans(sums, line, corner, from, to, width, rowFrom, rowTo, regionHeight, height, out, start)
void callAreaMeans(const Napi::CallbackInfo &info) {
  const Arguments args(info);
  const size_t line = args.whole(1), corner = args.whole(2), width = args.whole(5, 1);
  const kaomon::Rows rows{args.whole(6), args.whole(7), args.whole(8, 1), args.whole(9, 1)};
  args.require(rows.from <= rows.to && rows.to <= rows.height, "There are no such rows.");
  const size_t start = args.whole(11);
  const auto out = args.array<float>(10, start + 3 * width * (rows.to - rows.from));
  const int32_t *from = indexes<0>(args, 3, width), *to = indexes<1>(args, 4, width);
  int32_t last = 0;
  for (size_t x = 0; x < width; x++) {
    args.require(from[x] < to[x], "A window is empty.");
    last = std::max(last, to[x]);
  }
  const auto sums = args.array<int32_t>(0, corner + rows.regionHeight * line + static_cast<size_t>(last) + 4);
  kaomon::areaMeans(reinterpret_cast<const uint32_t *>(sums.data), line, corner, from, to, width, rows,
                    out.data + start);
}

// Four arguments from the i-th on: first, count, values, taps. `most`: how many of the input's there are.
template <int Slot> kaomon::Taps tapsAt(const Arguments &args, size_t i, size_t size, size_t most) {
  const size_t taps = args.whole(i + 3);
  const int32_t *first = indexes<2 * Slot>(args, i, size), *count = indexes<2 * Slot + 1>(args, i + 1, size);
  for (size_t at = 0; at < size; at++)
    args.require(static_cast<size_t>(count[at]) <= taps &&
                     static_cast<size_t>(first[at]) + static_cast<size_t>(count[at]) <= most,
                 "A filter reaches beyond what it is taken from.");
  return {first, count, args.array<int32_t>(i + 2, size * taps).data, taps};
}

// triangle(data, stride, corner, rectHeight, first, count, values, taps, first, count, values, taps, width, height,
//          columns, out)
void callTriangle(const Napi::CallbackInfo &info) {
  const Arguments args(info);
  const size_t stride = args.whole(1), corner = args.whole(2), rectHeight = args.whole(3, 1);
  const size_t width = args.whole(12, 1), height = args.whole(13, 1);
  const auto columns = args.array<uint8_t>(14, width * rectHeight * 3);
  const auto out = args.array<uint8_t>(15, width * height * 3);
  const auto data = args.array<uint8_t>(0, corner + (rectHeight - 1) * stride * 3);
  // Pixels that are left of the last row.
  const size_t reach = (data.length - corner - (rectHeight - 1) * stride * 3) / 3;
  const kaomon::Taps across = tapsAt<0>(args, 4, width, reach), down = tapsAt<1>(args, 8, height, rectHeight);
  // A line of sums; kept for the thread's next call.
  static thread_local std::vector<uint32_t> sums;
  if (sums.size() < width * 3) sums.resize(width * 3);
  kaomon::triangle(data.data, data.length, stride, corner, rectHeight, across, down, width, height, columns.data,
                   out.data, sums.data());
}

// warp(data, width, height, a, b, x0, y0, weights, taps, size, out)
Napi::Value callWarp(const Napi::CallbackInfo &info) {
  const Arguments args(info);
  // A place times PHASES must be a number of 32 bits.
  constexpr size_t MOST_PIXELS = (1 << 22) - 1, MOST_TAPS = 4094, MOST_SIZE = 65535;
  const size_t width = args.whole(1, 1, MOST_PIXELS), height = args.whole(2, 1, MOST_PIXELS);
  const size_t taps = args.whole(8, 0, MOST_TAPS), size = args.whole(9, 1, MOST_SIZE);
  args.require(taps % 2 == 0, "Taps come in pairs.");
  const auto data = args.array<uint8_t>(0, width * height * 3);
  const auto weights = args.array<int32_t>(7, taps * kaomon::PHASES);
  const auto out = args.array<uint8_t>(10, size * size * 3);
  const kaomon::Image image{data.data, data.length, static_cast<int32_t>(width), static_cast<int32_t>(height)};
  const bool isInside =
      kaomon::warp(image, args.real(3), args.real(4), args.real(5), args.real(6), weights.data,
                   static_cast<int32_t>(taps), static_cast<int32_t>(size), out.data);
  return Napi::Boolean::New(info.Env(), isInside);
}

// blockSums(bytes, at, sampling, tables, unitsAcross, unitsDown, restart, columnOf, rowOf, stride, sums, counts)
Napi::Value callBlockSums(const Napi::CallbackInfo &info) {
  const Arguments args(info);
  // A JPEG's side has 16 bits; a cell for each of its blocks at most.
  constexpr size_t MOST_UNITS = 8192, MOST_STRIDE = 65536;
  const auto bytes = args.array<uint8_t>(0);
  const size_t at = args.whole(1), across = args.whole(4, 1, MOST_UNITS), down = args.whole(5, 1, MOST_UNITS);
  const size_t sizes = args.array<int32_t>(2).length, components = sizes / 2;
  args.require(sizes % 2 == 0 && components >= 1 && components <= kaomon::MOST_COMPONENTS,
               "There are two numbers for each of one to three components.");
  const int32_t *sides = indexes<0>(args, 2, 2 * components);
  kaomon::Sampling sampling[kaomon::MOST_COMPONENTS];
  for (size_t i = 0; i < 2 * components; i++)
    args.require(sides[i] >= 1 && sides[i] <= static_cast<int32_t>(kaomon::MOST_SAMPLING),
                 "A unit has 1 to 4 blocks along a side.");
  for (size_t i = 0; i < components; i++)
    sampling[i] = {static_cast<unsigned>(sides[2 * i]), static_cast<unsigned>(sides[2 * i + 1])};
  const auto tables = args.array<int32_t>(3, 2 * components * kaomon::Codes::SIZE);
  static thread_local kaomon::Codes codes[2 * kaomon::MOST_COMPONENTS];
  for (size_t i = 0; i < 2 * components; i++)
    args.require(codes[i].take(tables.data + i * kaomon::Codes::SIZE), "That is no table of codes.");
  const size_t blocksAcross = across * sampling[0].across, blocksDown = down * sampling[0].down;
  const size_t stride = args.whole(9, 1, MOST_STRIDE);
  const int32_t *columnOf = indexes<1>(args, 7, blocksAcross), *rowOf = indexes<2>(args, 8, blocksDown);
  const int32_t lastColumn = *std::max_element(columnOf, columnOf + blocksAcross);
  const int32_t lastRow = *std::max_element(rowOf, rowOf + blocksDown);
  args.require(static_cast<size_t>(lastColumn) < stride, "A column is beyond the last.");
  const size_t cells = (static_cast<size_t>(lastRow) + 1) * stride;
  const auto sums = args.array<int32_t>(10, cells), counts = args.array<int32_t>(11, cells);
  kaomon::BitReader reader(bytes.data, bytes.length, at);
  const kaomon::Cells of{columnOf, rowOf, stride, reinterpret_cast<uint32_t *>(sums.data),
                         reinterpret_cast<uint32_t *>(counts.data)};
  const bool isWhole = kaomon::blockSums(reader, sampling, codes, components, {across, down, args.whole(6)}, of);
  return Napi::Boolean::New(info.Env(), isWhole);
}

Napi::Object init(Napi::Env env, Napi::Object exports) {
  exports.Set("sumTable", Napi::Function::New(env, callSumTable));
  exports.Set("areaMeans", Napi::Function::New(env, callAreaMeans));
  exports.Set("triangle", Napi::Function::New(env, callTriangle));
  exports.Set("warp", Napi::Function::New(env, callWarp));
  exports.Set("blockSums", Napi::Function::New(env, callBlockSums));
  return exports;
}

} // namespace

NODE_API_MODULE(pixels, init)
