// What MappedVectors does on the threads of libuv's pool: searching, opening lists, giving a segment's memory back.
#pragma once

#include <napi.h>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "lists.h"
#include "search.h"
#include "segment.h"

namespace kaomon {

// A segment that is open. Main thread only.
struct Open {
  std::shared_ptr<Segment> segment;
  // Searches' parts that have not come back.
  size_t running = 0;
  bool closed = false;
  std::vector<Napi::Promise::Deferred> closing;
};

// Frees a segment on a pool thread: giving gigabytes of pages back takes long enough to be felt.
class Closing : public Napi::AsyncWorker {
public:
  Closing(Napi::Env env, Open &open) : AsyncWorker(env, "kaomonClosing"), segment_(std::move(open.segment)) {
    waiting_.swap(open.closing);
  }
  void Execute() override { segment_.reset(); }
  void OnOK() override {
    for (auto &one : waiting_) one.Resolve(Env().Undefined());
  }

private:
  std::shared_ptr<Segment> segment_;
  std::vector<Napi::Promise::Deferred> waiting_;
};

class SearchPart : public Napi::AsyncWorker {
public:
  // What the parts of a search share. Main thread only.
  struct Answer {
    Napi::Promise::Deferred deferred;
    bool given = false;
  };

  SearchPart(Napi::Env env, std::shared_ptr<Open> open, std::shared_ptr<Search> search, std::shared_ptr<Answer> answer)
      : AsyncWorker(env, "kaomonSearch"), open_(std::move(open)), search_(std::move(search)),
        answer_(std::move(answer)) {
    open_->running++;
  }
  void Execute() override { ended_ = search_->work(); }
  // The part that ended it answers; one that had to wait for a thread until all was done delays nobody.
  void OnOK() override {
    if (ended_ && !answer_->given) {
      answer_->given = true;
      const std::vector<Found> &found = search_->found();
      auto rows = Napi::Uint32Array::New(Env(), found.size());
      auto distances = Napi::Float32Array::New(Env(), found.size());
      for (size_t i = 0; i < found.size(); i++) {
        rows[i] = static_cast<uint32_t>(found[i].label);
        distances[i] = found[i].distance;
      }
      auto result = Napi::Object::New(Env());
      result.Set("rows", rows);
      result.Set("distances", distances);
      answer_->deferred.Resolve(result);
    }
    left();
  }
  void OnError(const Napi::Error &error) override {
    if (!answer_->given) {
      answer_->given = true;
      answer_->deferred.Reject(error.Value());
    }
    left();
  }

private:
  void left() {
    search_.reset();
    if (--open_->running == 0 && open_->closed) (new Closing(Env(), *open_))->Queue();
  }

  std::shared_ptr<Open> open_;
  std::shared_ptr<Search> search_;
  std::shared_ptr<Answer> answer_;
  bool ended_ = false;
};

// Opens and checks a file of lists on a pool thread.
class OpeningLists : public Napi::AsyncWorker {
public:
  OpeningLists(Napi::Env env, std::shared_ptr<Open> open, std::string path)
      : AsyncWorker(env, "kaomonLists"), deferred(Napi::Promise::Deferred::New(env)), open_(std::move(open)),
        path_(std::move(path)) {}
  void Execute() override {
    try {
      lists_ = std::make_shared<const Lists>(path_);
    } catch (const std::exception &error) {
      SetError(error.what());
    }
  }
  void OnOK() override {
    const Napi::Env env = Env();
    const ListsHeader &header = lists_->header;
    if (open_->closed) return deferred.Reject(Napi::Error::New(env, "The vectors were closed.").Value());
    Segment &segment = *open_->segment;
    if (header.counts.rows != segment.rows || header.counts.length != segment.d)
      return deferred.Reject(Napi::Error::New(env, "of other vectors: " + path_).Value());
    segment.lists = lists_;
    segment.nprobe = header.nprobe;
    auto result = Napi::Object::New(env);
    result.Set("lists", static_cast<double>(header.counts.lists));
    result.Set("nprobe", static_cast<double>(header.nprobe));
    result.Set("recall", static_cast<double>(header.recall));
    deferred.Resolve(result);
  }
  void OnError(const Napi::Error &error) override { deferred.Reject(error.Value()); }

  Napi::Promise::Deferred deferred;

private:
  std::shared_ptr<Open> open_;
  std::string path_;
  std::shared_ptr<const Lists> lists_;
};

} // namespace kaomon
