// What MTCNN's loops are called by, whichever registers they were compiled for. windows.cc and faces.cc are compiled
// once for each kind of machine; they and their headers use no templates of the standard library, whose code the
// linker would share between machines.
#pragma once

#include <cstddef>
#include <cstdint>

namespace kaomon {

// A picture's summed-area table: [height + 1][width + 1][3] and one number more.
struct Table {
  const uint32_t *sums;
  size_t width, height;
};

// P-Net's channels after each convolution, and what its heads say of a window: how sure a face is (before the sigmoid),
// then how far each side is to move.
constexpr size_t FIRST = 10, SECOND = 16, THIRD = 32, HEADS = 5;
// Its weights as they are given: for each convolution weights [out][in][y][x], biases, slopes; then the heads.
constexpr size_t WINDOW_WEIGHTS =
    FIRST * (27 + 2) + SECOND * (FIRST * 9 + 2) + THIRD * (SECOND * 9 + 2) + HEADS * (THIRD + 1);
// A candidate: column and row of its window, then what the heads say.
constexpr size_t CANDIDATE = 2 + HEADS;

// Rows of windows, `row` to before `row + rows`, of the picture at width x height.
struct Band {
  size_t width, height, row, rows;
};

// P-Net. Everything it is given lies at multiples of 64 bytes.
struct Windows {
  // Numbers that the packed weights take.
  size_t packed;
  void (*pack)(const float *weights, float *packed);
  // Numbers that a band of this width takes to work in, of a picture so wide. Floats and whole numbers are kept apart:
  // a whole number read as a float is a denormal, with which some processors reckon a hundred times as slowly.
  size_t (*floats)(size_t width);
  size_t (*integers)(size_t width, size_t pictureWidth);
  // Writes the windows whose logit is `limit` or more, as many as there is room for. floats: any that are floats
  // Returns how many there are.
  size_t (*scan)(const float *packed, float *floats, uint32_t *integers, const Table &table, const Band &band,
                 float limit, float *out, size_t room);
};

// How many windows lie along a side: a convolution of 3, halved upwards, two convolutions of 3.
constexpr size_t windowsAlong(size_t side) { return (side - 1) / 2 - 4; }

// Part of a picture: whole pixels inside it.
struct Region {
  size_t x, y, width, height;
};

// What R- or O-Net says of a face: how sure it is one (before the sigmoid), four sides, ten landmarks (O-Net).
constexpr size_t SCORES = 15;
// The most faces of a call.
constexpr size_t MOST_FACES = 16;

// R-Net or O-Net.
struct Faces {
  // Numbers of the weights as they are given (src/models/onnx/mtcnn-weights.ts), packed, and to work in.
  size_t weights, packed, floats;
  void (*pack)(const float *weights, float *packed);
  // Cuts each region out, scales it and runs the network. out: SCORES numbers for each
  void (*score)(const float *packed, float *floats, const Table &table, const Region *regions, size_t count,
                float *out);
};

struct Kernel {
  const char *name;
  const Windows *windows;
  const Faces *refine, *output;
};

} // namespace kaomon
