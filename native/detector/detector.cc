// MTCNN's networks in loops of our own, for the machine they run on. Any number of threads may load it; an instance
// belongs to one of them.
#include <napi.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "arguments.h"
#include "kernels.h"
#include "memory.h"

namespace {

using namespace kaomon;

// Sides of pictures, at most: their products fit everywhere.
constexpr size_t MOST_SIDE = 1 << 20;
// The working memory of a wide picture is given back; numbers (two megabytes).
constexpr size_t MOST_KEPT = 1 << 19;

float sigmoid(float logit) { return static_cast<float>(1 / (1 + std::exp(-static_cast<double>(logit)))); }

// See DetectorAddon in src/vision/detectors/own-kernels.ts.
class Cascade : public Napi::ObjectWrap<Cascade> {
public:
  static void define(Napi::Env env, Napi::Object exports) {
    exports.Set("Cascade",
                DefineClass(env, "Cascade",
                            {InstanceMethod("scan", &Cascade::scan), InstanceMethod("score", &Cascade::score)}));
  }

  // new Cascade(pnet, rnet, onet, kernel)
  explicit Cascade(const Napi::CallbackInfo &info) : Napi::ObjectWrap<Cascade>(info) {
    const Arguments args(info);
    const std::string wanted = args.text(3);
    const std::vector<Kernel> here = kernelsHere();
    const auto found = std::find_if(here.begin(), here.end(), [&](const Kernel &one) { return wanted == one.name; });
    args.require(found != here.end(), "This machine has no such kernel.");
    kernel_ = *found;
    windows_ = pack(args, 0, WINDOW_WEIGHTS, kernel_.windows->packed, kernel_.windows->pack);
    refine_ = pack(args, 1, kernel_.refine->weights, kernel_.refine->packed, kernel_.refine->pack);
    output_ = pack(args, 2, kernel_.output->weights, kernel_.output->packed, kernel_.output->pack);
  }

private:
  static Packed pack(const Arguments &args, size_t i, size_t given, size_t packed,
                     void (*pack)(const float *, float *)) {
    const auto weights = args.array<float>(i);
    args.require(weights.length == given, "The weights are not those of this network.");
    const auto made = std::make_shared<Memory<float>>();
    pack(weights.data, made->atLeast(packed));
    return shareEqual(made);
  }

  // The picture's table, from three arguments: sums, width, height.
  static Table tableOf(const Arguments &args) {
    const size_t width = args.whole(1, 1, MOST_SIDE), height = args.whole(2, 1, MOST_SIDE);
    const auto sums = args.array<int32_t>(0, (width + 1) * (height + 1) * 3 + 1);
    return {reinterpret_cast<const uint32_t *>(sums.data), width, height};
  }

  // Whether each window of a part of the picture that is made so small sums to less than 2^31.
  static void requireSmall(const Arguments &args, size_t fromWidth, size_t fromHeight, size_t width, size_t height) {
    const size_t pixels = (fromWidth / width + 2) * (fromHeight / height + 2);
    args.require(pixels <= INT32_MAX / 255, "The picture is too large for this scale.");
  }

  // scan(sums, pictureWidth, pictureHeight, width, height, row, rows, threshold, out)
  Napi::Value scan(const Napi::CallbackInfo &info) {
    constexpr size_t LEAST = 12;
    const Arguments args(info);
    const Table table = tableOf(args);
    const size_t width = args.whole(3, LEAST, MOST_SIDE), height = args.whole(4, LEAST, MOST_SIDE);
    const Band band{width, height, args.whole(5, 0, MOST_SIDE), args.whole(6, 1, MOST_SIDE)};
    args.require(width <= table.width + 1 && height <= table.height + 1, "A picture is never enlarged.");
    args.require(band.row + band.rows <= windowsAlong(height), "There are no such rows.");
    requireSmall(args, table.width, table.height, width, height);
    const double threshold = args.real(7);
    args.require(threshold > 0 && threshold < 1, "A threshold lies between 0 and 1.");
    const auto out = args.array<float>(8);
    const size_t room = out.length / CANDIDATE;

    // A little lower than the threshold's logit: whether a window is kept is decided by the rounded probability.
    const float limit = static_cast<float>(std::log(threshold / (1 - threshold)) - 1e-3);
    const Windows &loops = *kernel_.windows;
    const size_t found =
        loops.scan(windows_->data(), floats_.atLeast(loops.floats(width)),
                   integers_.atLeast(loops.integers(width, table.width)), table, band, limit, out.data, room);
    if (floats_.length() + integers_.length() > MOST_KEPT) floats_.free(), integers_.free();
    if (found > room) return Napi::Number::New(info.Env(), static_cast<double>(found));

    size_t kept = 0;
    for (size_t i = 0; i < found; i++) {
      float *candidate = out.data + i * CANDIDATE;
      candidate[2] = sigmoid(candidate[2]);
      // Not a number is kept: the caller refuses it.
      if (static_cast<double>(candidate[2]) < threshold) continue;
      std::copy(candidate, candidate + CANDIDATE, out.data + kept++ * CANDIDATE);
    }
    return Napi::Number::New(info.Env(), static_cast<double>(kept));
  }

  // score(sums, pictureWidth, pictureHeight, side, regions, first, count, scores)
  void score(const Napi::CallbackInfo &info) {
    const Arguments args(info);
    const Table table = tableOf(args);
    const size_t side = args.whole(3), first = args.whole(5), count = args.whole(6, 0, MOST_FACES);
    args.require(side == 24 || side == 48, "R-Net takes 24 pixels, O-Net 48.");
    const auto regions = args.array<int32_t>(4, (first + count) * 4);
    const auto scores = args.array<float>(7, (first + count) * SCORES);
    Region checked[MOST_FACES];
    for (size_t i = 0; i < count; i++) {
      const int32_t *from = regions.data + (first + i) * 4;
      int32_t part[4];
      std::copy(from, from + 4, part);
      args.require(part[0] >= 0 && part[1] >= 0 && part[2] > 0 && part[3] > 0, "A region is empty.");
      checked[i] = {static_cast<size_t>(part[0]), static_cast<size_t>(part[1]), static_cast<size_t>(part[2]),
                    static_cast<size_t>(part[3])};
      args.require(checked[i].x + checked[i].width <= table.width && checked[i].y + checked[i].height <= table.height,
                   "A region lies outside the picture.");
      requireSmall(args, checked[i].width, checked[i].height, side, side);
    }
    const Faces &loops = side == 24 ? *kernel_.refine : *kernel_.output;
    float *out = scores.data + first * SCORES;
    loops.score((side == 24 ? refine_ : output_)->data(), floats_.atLeast(loops.floats), table, checked, count, out);
    for (size_t i = 0; i < count; i++) out[i * SCORES] = sigmoid(out[i * SCORES]);
  }

  Kernel kernel_;
  Packed windows_, refine_, output_;
  Memory<float> floats_;
  Memory<uint32_t> integers_;
};

Napi::Value listKernels(const Napi::CallbackInfo &info) {
  const std::vector<Kernel> here = kernelsHere();
  Napi::Array names = Napi::Array::New(info.Env(), here.size());
  for (uint32_t i = 0; i < here.size(); i++) names.Set(i, here[i].name);
  return names;
}

Napi::Object init(Napi::Env env, Napi::Object exports) {
  Cascade::define(env, exports);
  exports.Set("kernels", Napi::Function::New(env, listKernels));
  return exports;
}

} // namespace

NODE_API_MODULE(detector, init)
