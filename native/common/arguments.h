// The arguments of a call from JavaScript, checked before anything is done with them: whatever does not fit is a
// RangeError, never a crash.
#pragma once

#include <napi.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>

namespace kaomon {

// A typed array where it lies; good until the call returns to JavaScript.
template <class T> struct View {
  T *data;
  size_t length;
};

template <class T> struct KindOf;
template <> struct KindOf<uint8_t> { static constexpr napi_typedarray_type value = napi_uint8_array; };
template <> struct KindOf<int32_t> { static constexpr napi_typedarray_type value = napi_int32_array; };
template <> struct KindOf<float> { static constexpr napi_typedarray_type value = napi_float32_array; };

class Arguments {
public:
  explicit Arguments(const Napi::CallbackInfo &info) : info_(info) {}

  [[noreturn]] void refuse(const std::string &why) const { throw Napi::RangeError::New(info_.Env(), why); }
  void require(bool holds, const char *why) const {
    if (!holds) refuse(why);
  }

  // Any number, NaN and infinity among them.
  double real(size_t i) const {
    if (!info_[i].IsNumber()) refuse(place(i) + " must be a number.");
    return info_[i].As<Napi::Number>().DoubleValue();
  }

  // A whole number from `least` to `most`. The product of two that are left at their default fits 64 bits, three times
  // over, so that lengths can be reckoned from them without an overflow.
  size_t whole(size_t i, size_t least = 0, size_t most = INT32_MAX) const {
    const double value = real(i);
    if (!(value >= static_cast<double>(least) && value <= static_cast<double>(most) && std::floor(value) == value))
      refuse(place(i) + " must be a whole number from " + std::to_string(least) + " to " + std::to_string(most) + ".");
    return static_cast<size_t>(value);
  }

  // A typed array of this very kind. One whose buffer was taken away or became too small is as long as nothing.
  template <class T> View<T> array(size_t i) const {
    napi_typedarray_type kind;
    size_t length, offset;
    void *data;
    napi_value buffer;
    if (!info_[i].IsTypedArray() ||
        napi_get_typedarray_info(info_.Env(), info_[i], &kind, &length, &data, &buffer, &offset) != napi_ok ||
        kind != KindOf<T>::value)
      refuse(place(i) + " is not an array of the right kind.");
    return {static_cast<T *>(data), data ? length : 0};
  }

  // As above, with `length` numbers or more.
  template <class T> View<T> array(size_t i, size_t length) const {
    const View<T> view = array<T>(i);
    if (view.length < length)
      refuse(place(i) + " is too short: " + std::to_string(view.length) + " of " + std::to_string(length) + ".");
    return view;
  }

  // A string that C can hold.
  std::string text(size_t i) const {
    if (!info_[i].IsString()) refuse(place(i) + " must be a string.");
    std::string value = info_[i].As<Napi::String>();
    if (value.find('\0') != std::string::npos) refuse(place(i) + " holds a zero byte.");
    return value;
  }

private:
  static std::string place(size_t i) { return "Argument " + std::to_string(i + 1); }

  const Napi::CallbackInfo &info_;
};

} // namespace kaomon
