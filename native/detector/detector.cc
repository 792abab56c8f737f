// MTCNN's first network in loops of our own, for the machine they run on. Any number of threads may load it; an
// instance belongs to one of them.
#include <napi.h>

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

#include "arguments.h"
#include "kernel.h"

namespace kaomon {

#if defined(__x86_64__)
namespace avx512 {
extern const Kernel kernel;
}
namespace avx2 {
extern const Kernel kernel;
}
#endif
#if defined(__aarch64__)
namespace neon {
extern const Kernel kernel;
}
#endif
namespace plain {
extern const Kernel kernel;
}

} // namespace kaomon

namespace {

using kaomon::Arguments;
using kaomon::Kernel;

// Those that this machine can run, the fastest first.
std::vector<const Kernel *> kernels() {
  std::vector<const Kernel *> found;
#if defined(__x86_64__)
  __builtin_cpu_init();
  const bool has256 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  if (has256 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw"))
    found.push_back(&kaomon::avx512::kernel);
  if (has256) found.push_back(&kaomon::avx2::kernel);
#endif
#if defined(__aarch64__)
  found.push_back(&kaomon::neon::kernel);
#endif
  found.push_back(&kaomon::plain::kernel);
  return found;
}

// Zeros at a multiple of 64 bytes, kept for the next call.
template <class T> class Memory {
public:
  T *atLeast(size_t length) {
    if (length > length_) {
      T *fresh = static_cast<T *>(std::aligned_alloc(64, (length * sizeof(T) + 63) / 64 * 64));
      if (!fresh) return nullptr;
      std::memset(fresh, 0, length * sizeof(T));
      data_.reset(fresh);
      length_ = length;
    }
    return data_.get();
  }
  size_t length() const { return length_; }
  void free() { data_.reset(), length_ = 0; }

private:
  struct Free {
    void operator()(T *data) const { std::free(data); }
  };
  std::unique_ptr<T, Free> data_;
  size_t length_ = 0;
};

// The working memory of a wider picture is given back; numbers (a megabyte).
constexpr size_t MOST_KEPT = 1 << 18;

// new ProposalNetwork(weights, kernel): weights in the order of kaomon::Weights, the name of a kernel or undefined
class ProposalNetwork : public Napi::ObjectWrap<ProposalNetwork> {
public:
  static void define(Napi::Env env, Napi::Object exports) {
    exports.Set("ProposalNetwork", DefineClass(env, "ProposalNetwork",
                                               {InstanceMethod("scan", &ProposalNetwork::scan),
                                                InstanceAccessor<&ProposalNetwork::name>("kernel")}));
  }

  explicit ProposalNetwork(const Napi::CallbackInfo &info) : Napi::ObjectWrap<ProposalNetwork>(info) {
    using namespace kaomon;
    const Arguments args(info);
    const auto given = args.array<float>(0);
    args.require(given.length == FIRST * 27 + 2 * FIRST + SECOND * FIRST * 9 + 2 * SECOND + THIRD * SECOND * 9 +
                                     2 * THIRD + HEADS * THIRD + HEADS,
                 "The weights are not those of this network.");
    const std::string wanted = info[1].IsUndefined() ? "" : args.text(1);
    for (const Kernel *kernel : kernels())
      if (!kernel_ && (wanted.empty() || wanted == kernel->name)) kernel_ = kernel;
    args.require(kernel_ != nullptr, "This machine has no such kernel.");
    const float *at = given.data;
    const auto next = [&at](size_t count) {
      const float *from = at;
      at += count;
      return from;
    };
    Weights weights;
    weights.first = next(FIRST * 27), weights.firstBias = next(FIRST), weights.firstSlope = next(FIRST);
    weights.second = next(SECOND * FIRST * 9), weights.secondBias = next(SECOND), weights.secondSlope = next(SECOND);
    weights.third = next(THIRD * SECOND * 9), weights.thirdBias = next(THIRD), weights.thirdSlope = next(THIRD);
    weights.heads = next(HEADS * THIRD), weights.headsBias = next(HEADS);
    float *packed = packed_.atLeast(kernel_->packed);
    args.require(packed != nullptr, "There is no memory left.");
    kernel_->pack(weights, packed);
  }

private:
  Napi::Value name(const Napi::CallbackInfo &info) { return Napi::String::New(info.Env(), kernel_->name); }

  // scan(sums, pictureWidth, pictureHeight, width, height, row, rows, threshold, out): see src/vision/kernels.ts
  Napi::Value scan(const Napi::CallbackInfo &info) {
    using namespace kaomon;
    // Sides of pictures, at most; their products fit everywhere.
    constexpr size_t LEAST = 12, MOST = 1 << 20;
    const Arguments args(info);
    const size_t pictureWidth = args.whole(1, 1, MOST), pictureHeight = args.whole(2, 1, MOST);
    const size_t width = args.whole(3, LEAST, MOST), height = args.whole(4, LEAST, MOST);
    const Band band{width, height, args.whole(5, 0, MOST), args.whole(6, 1, MOST)};
    args.require(band.row + band.rows <= windowsAlong(height), "There are no such rows.");
    const double threshold = args.real(7);
    args.require(threshold > 0 && threshold < 1, "A threshold lies between 0 and 1.");
    const double window = (static_cast<double>(pictureWidth) / static_cast<double>(width) + 2) *
                          (static_cast<double>(pictureHeight) / static_cast<double>(height) + 2);
    args.require(window * 255 < INT32_MAX, "A window is too large.");
    const auto sums = args.array<int32_t>(0, (pictureWidth + 1) * (pictureHeight + 1) * 3 + 1);
    const auto out = args.array<float>(8);

    float *floats = floats_.atLeast(kernel_->floats(width));
    uint32_t *integers = integers_.atLeast(kernel_->integers(width, pictureWidth));
    args.require(floats && integers, "There is no memory left.");
    // A little lower than the threshold's logit: whether a window is one is decided on the rounded probability.
    const float limit = static_cast<float>(std::log(threshold / (1 - threshold)) - 1e-3);
    const Table table{reinterpret_cast<const uint32_t *>(sums.data), pictureWidth, pictureHeight};
    const size_t room = out.length / CANDIDATE;
    const size_t found = kernel_->scan(packed_.atLeast(0), floats, integers, table, band, limit, out.data, room);
    if (floats_.length() + integers_.length() > MOST_KEPT) floats_.free(), integers_.free();

    size_t kept = 0;
    for (size_t i = 0; i < found && i < room; i++) {
      float *candidate = out.data + i * CANDIDATE;
      const float probability = static_cast<float>(1 / (1 + std::exp(-static_cast<double>(candidate[2]))));
      if (static_cast<double>(probability) < threshold) continue;
      candidate[2] = probability;
      std::memmove(out.data + kept * CANDIDATE, candidate, CANDIDATE * sizeof(float));
      kept++;
    }
    return Napi::Number::New(info.Env(), static_cast<double>(found > room ? found : kept));
  }

  const Kernel *kernel_ = nullptr;
  Memory<float> packed_, floats_;
  Memory<uint32_t> integers_;
};

Napi::Value listKernels(const Napi::CallbackInfo &info) {
  const auto found = kernels();
  Napi::Array names = Napi::Array::New(info.Env(), found.size());
  for (uint32_t i = 0; i < found.size(); i++) names.Set(i, found[i]->name);
  return names;
}

Napi::Object init(Napi::Env env, Napi::Object exports) {
  ProposalNetwork::define(env, exports);
  exports.Set("kernels", Napi::Function::New(env, listKernels));
  return exports;
}

} // namespace

NODE_API_MODULE(detector, init)
