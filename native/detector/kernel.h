// What the loops of MTCNN's first network are called by, whichever registers they were compiled for. kernel.cc is
// compiled once for each kind of machine; it and this header use no templates of the standard library, whose code the
// linker would share between machines.
#pragma once

#include <cstddef>
#include <cstdint>

namespace kaomon {

// P-Net's channels after each convolution, and what its heads say of a window: how sure a face is (before the sigmoid),
// then how far each side is to move.
constexpr size_t FIRST = 10, SECOND = 16, THIRD = 32, HEADS = 5;
// A candidate: column and row of its window, then what the heads say.
constexpr size_t CANDIDATE = 2 + HEADS;

// Weights as [out][in][y][x], biases and slopes for each channel.
struct Weights {
  const float *first, *firstBias, *firstSlope;
  const float *second, *secondBias, *secondSlope;
  const float *third, *thirdBias, *thirdSlope;
  const float *heads, *headsBias;
};

// A picture's summed-area table: [height + 1][width + 1][3] and one number more.
struct Table {
  const uint32_t *sums;
  size_t width, height;
};

// Rows of windows, `row` to before `row + rows`, of the picture at width x height.
struct Band {
  size_t width, height, row, rows;
};

struct Kernel {
  const char *name;
  // Numbers that the packed weights take.
  size_t packed;
  void (*pack)(const Weights &weights, float *packed);
  // Numbers that a band of this width takes to work in, of a picture so wide. Floats and whole numbers are kept apart:
  // a whole number read as a float is a denormal, with which some processors reckon a hundred times as slowly.
  size_t (*floats)(size_t width);
  size_t (*integers)(size_t width, size_t pictureWidth);
  // Writes the windows whose logit is `limit` or more, as many as there is room for.
  // packed, floats, integers: at multiples of 64 bytes; floats holds floats alone, of any value
  // Returns how many there are.
  size_t (*scan)(const float *packed, float *floats, uint32_t *integers, const Table &table, const Band &band,
                 float limit, float *out, size_t room);
};

// How many windows lie along a side: a convolution of 3, halved upwards, two convolutions of 3.
constexpr size_t windowsAlong(size_t side) { return (side - 1) / 2 - 4; }

} // namespace kaomon
