// What Node lacks to keep a process of many threads small; src/platform/process-memory.ts wraps it. Any number of threads
// may load it.
//
// - map: a file's bytes as they lie in the disk's cache, at one address for every thread: worker threads share nothing
//   but SharedArrayBuffers otherwise, which ONNX Runtime does not take.
// - limitArenas: what MALLOC_ARENA_MAX does, for a process that was started without it.
#include <fcntl.h>
#include <malloc.h>
#include <napi.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <map>
#include <mutex>
#include <tuple>

#include "arguments.h"

namespace {

struct Mapping {
  void *start;
  size_t length;
};

// Which file it is, and in which state: another one under an old name is mapped anew.
using Identity = std::tuple<dev_t, ino_t, off_t, time_t, long>;

std::mutex mutex;
std::map<Identity, Mapping> mappings;

Napi::Error failure(const Napi::Env &env, const char *what, const std::string &path) {
  return Napi::Error::New(env, std::string(what) + " " + path + ": " + std::strerror(errno));
}

// map(path): ArrayBuffer. A mapping is never undone: whoever was given the bytes may keep a pointer to them for as long
// as the process lives. Writes would go to pages of the process's own and never to the file.
Napi::Value map(const Napi::CallbackInfo &info) {
  const Napi::Env env = info.Env();
  const std::string path = kaomon::Arguments(info).text(0);
  // Not blocking: a pipe would be waited for.
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file < 0) throw failure(env, "cannot open", path);
  struct stat found;
  const bool known = fstat(file, &found) == 0 && S_ISREG(found.st_mode) && found.st_size > 0;
  if (!known) {
    close(file);
    throw Napi::Error::New(env, "not a file with anything in it: " + path);
  }
  const Identity identity{found.st_dev, found.st_ino, found.st_size, found.st_mtim.tv_sec, found.st_mtim.tv_nsec};
  const std::lock_guard<std::mutex> lock(mutex);
  auto mapping = mappings.find(identity);
  if (mapping == mappings.end()) {
    const size_t length = static_cast<size_t>(found.st_size);
    void *start = mmap(nullptr, length, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0);
    if (start == MAP_FAILED) {
      const Napi::Error error = failure(env, "cannot map", path);
      close(file);
      throw error;
    }
    mapping = mappings.emplace(identity, Mapping{start, length}).first;
  }
  close(file);
  return Napi::ArrayBuffer::New(env, mapping->second.start, mapping->second.length);
}

// limitArenas(count), 1 to 1,024: glibc keeps a heap for each thread otherwise, eight for each core, and gives little of them back.
void limitArenas(const Napi::CallbackInfo &info) {
  const int count = static_cast<int>(kaomon::Arguments(info).whole(0, 1, 1024));
#ifdef M_ARENA_MAX
  mallopt(M_ARENA_MAX, count);
#else
  static_cast<void>(count);
#endif
}

Napi::Object init(Napi::Env env, Napi::Object exports) {
  exports.Set("map", Napi::Function::New(env, map));
  exports.Set("limitArenas", Napi::Function::New(env, limitArenas));
  return exports;
}

} // namespace

NODE_API_MODULE(process_memory, init)
