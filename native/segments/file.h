// Files of a snapshot: read, mapped, written. What fails is a std::runtime_error that says why.
#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string>

namespace kaomon {

class File {
public:
  // To be read. Only a regular file: a pipe would be waited for, a folder has no bytes.
  explicit File(const std::string &path) : path_(path), number_(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {
    if (number_ < 0) fail("cannot open");
    struct stat found;
    if (fstat(number_, &found) != 0) {
      const int why = errno;
      ::close(number_);
      errno = why;
      fail("cannot open");
    }
    if (!S_ISREG(found.st_mode)) {
      ::close(number_);
      throw std::runtime_error("not a file: " + path);
    }
    size_ = static_cast<size_t>(found.st_size);
  }
  // To be written, anew, and read. Whoever has mapped a file of this name keeps that one.
  static File made(const std::string &path) {
    unlink(path.c_str());
    const int number = open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    File file(path, number, 0);
    if (number < 0) file.fail("cannot write");
    return file;
  }
  File(File &&other) noexcept : path_(std::move(other.path_)), number_(other.number_), size_(other.size_) {
    other.number_ = -1;
  }
  File(const File &) = delete;
  File &operator=(const File &) = delete;
  ~File() {
    if (number_ >= 0) ::close(number_);
  }

  size_t size() const { return size_; }
  const std::string &path() const { return path_; }
  int number() const { return number_; }

  // Any thread.
  void read(void *to, size_t bytes, size_t offset) const {
    auto *place = static_cast<char *>(to);
    while (bytes > 0) {
      const ssize_t got = pread(number_, place, bytes, static_cast<off_t>(offset));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) fail("cannot read");
      if (got == 0) throw std::runtime_error("shorter than it was: " + path_);
      place += got;
      bytes -= static_cast<size_t>(got);
      offset += static_cast<size_t>(got);
    }
  }
  // Any thread, different places.
  void write(const void *from, size_t bytes, size_t offset) const {
    const auto *place = static_cast<const char *>(from);
    while (bytes > 0) {
      const ssize_t put = pwrite(number_, place, bytes, static_cast<off_t>(offset));
      if (put < 0 && errno == EINTR) continue;
      if (put < 0) fail("cannot write");
      place += put;
      bytes -= static_cast<size_t>(put);
      offset += static_cast<size_t>(put);
    }
  }
  void resize(size_t bytes) const {
    if (ftruncate(number_, static_cast<off_t>(bytes)) != 0) fail("cannot write");
  }
  // Its bytes are on the disk once this returns.
  void sync() const {
    if (fsync(number_) != 0) fail("cannot write");
  }
  void remove() const { unlink(path_.c_str()); }

  [[noreturn]] void fail(const char *what) const {
    throw std::runtime_error(std::string(what) + " " + path_ + ": " + std::strerror(errno));
  }

private:
  File(const std::string &path, int number, size_t size) : path_(path), number_(number), size_(size) {}

  std::string path_;
  int number_;
  size_t size_;
};

// A whole file, read-only, in pages that all processes share. It may be removed meanwhile but never shortened: reading
// past its new end kills the process.
class Mapping {
public:
  Mapping() = default;
  explicit Mapping(const File &file) : bytes_(file.size()) {
    if (bytes_ == 0) return;
    void *start = mmap(nullptr, bytes_, PROT_READ, MAP_SHARED, file.number(), 0);
    if (start == MAP_FAILED) file.fail("cannot map");
    start_ = static_cast<const char *>(start);
  }
  Mapping(Mapping &&other) noexcept : start_(other.start_), bytes_(other.bytes_) {
    other.start_ = nullptr;
    other.bytes_ = 0;
  }
  Mapping(const Mapping &) = delete;
  Mapping &operator=(const Mapping &) = delete;
  ~Mapping() {
    if (start_) munmap(const_cast<char *>(start_), bytes_);
  }

  template <class T> const T *at(size_t offset) const { return reinterpret_cast<const T *>(start_ + offset); }
  size_t bytes() const { return bytes_; }

  // Reads a part of it in, so that a disk that cannot read it is an error here and not the end of the process later.
  void populate(const File &file, size_t offset, size_t bytes) const {
#ifdef MADV_POPULATE_READ
    constexpr size_t PAGE = 4096;
    const size_t first = offset / PAGE * PAGE;
    if (bytes > 0 && madvise(const_cast<char *>(start_) + first, offset + bytes - first, MADV_POPULATE_READ) != 0 &&
        errno != EINVAL)
      file.fail("cannot read");
#else
    static_cast<void>(file);
    static_cast<void>(offset);
    static_cast<void>(bytes);
#endif
  }

private:
  const char *start_ = nullptr;
  size_t bytes_ = 0;
};

} // namespace kaomon
