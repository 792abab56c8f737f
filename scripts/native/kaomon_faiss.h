// Force-included before faiss-node's one source file (see scripts/native.mjs).
#pragma once

#include <faiss/Index.h>
#include <napi.h>

#include <vector>

// faiss 1.7.3 (Debian 12) has the name inside Index only; faiss-node is written against 1.7.4.
#if FAISS_VERSION_MAJOR == 1 && (FAISS_VERSION_MINOR < 7 || (FAISS_VERSION_MINOR == 7 && FAISS_VERSION_PATCH < 4))
namespace faiss {
using idx_t = Index::idx_t;
}
#endif

namespace kaomon {

inline bool isFloat32Array(const Napi::Value &value) {
  return value.IsTypedArray() && value.As<Napi::TypedArray>().TypedArrayType() == napi_float32_array;
}

inline bool isFloats(const Napi::Value &value) { return value.IsArray() || isFloat32Array(value); }

// The numbers of a call, freed with the scope. A Float32Array is read where it lies: no copy.
class Floats {
public:
  explicit Floats(const Napi::Value &value) {
    if (isFloat32Array(value)) {
      auto array = value.As<Napi::Float32Array>();
      data = array.Data();
      length = array.ElementLength();
      return;
    }
    auto array = value.As<Napi::Array>();
    length = array.Length();
    own_.resize(length);
    for (size_t i = 0; i < length; i++) {
      Napi::Value item = array.Get(static_cast<uint32_t>(i));
      if (!item.IsNumber())
        throw Napi::Error::New(value.Env(), "Expected a Number as array item. (at: " + std::to_string(i) + ")");
      own_[i] = item.As<Napi::Number>().FloatValue();
    }
    data = own_.data();
  }
  Floats(const Floats &) = delete;
  Floats &operator=(const Floats &) = delete;

  const float *data = nullptr;
  size_t length = 0;

private:
  std::vector<float> own_;
};

} // namespace kaomon
