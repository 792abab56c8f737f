// ListTraining, as JavaScript sees it: a training on a thread of libuv's pool.
#pragma once

#include <napi.h>

#include <algorithm>
#include <exception>
#include <memory>
#include <utility>

#include "arguments.h"
#include "lists.h"
#include "train.h"

namespace kaomon {

class TrainingWork : public Napi::AsyncWorker {
public:
  TrainingWork(Napi::Env env, std::shared_ptr<Training> training)
      : AsyncWorker(env, "kaomonTraining"), deferred(Napi::Promise::Deferred::New(env)),
        training_(std::move(training)) {}
  void Execute() override {
    try {
      trained_ = training_->run();
    } catch (const std::exception &error) {
      SetError(error.what());
    }
  }
  void OnOK() override {
    auto result = Napi::Object::New(Env());
    result.Set("lists", static_cast<double>(trained_.lists));
    result.Set("nprobe", static_cast<double>(trained_.nprobe));
    result.Set("recall", static_cast<double>(trained_.recall));
    result.Set("reused", trained_.isReused);
    deferred.Resolve(result);
  }
  void OnError(const Napi::Error &error) override { deferred.Reject(error.Value()); }

  Napi::Promise::Deferred deferred;

private:
  std::shared_ptr<Training> training_;
  Trained trained_{};
};

class ListTraining : public Napi::ObjectWrap<ListTraining> {
public:
  static void Init(Napi::Env env, Napi::Object exports) {
    exports.Set("ListTraining", DefineClass(env, "ListTraining",
                                            {
                                                InstanceMethod("run", &ListTraining::run),
                                                InstanceMethod("progress", &ListTraining::progress),
                                                InstanceMethod("cancel", &ListTraining::cancel),
                                            }));
  }

  // new ListTraining(vectors, length, rows, to, lists, threads, recall, from)
  explicit ListTraining(const Napi::CallbackInfo &info) : ObjectWrap(info) {
    const Arguments args(info);
    TrainingPlan plan;
    plan.vectors = args.text(0);
    plan.d = args.whole(1, 1, MOST_NUMBERS);
    plan.rows = args.whole(2, 1, MOST_ROWS);
    plan.to = args.text(3);
    plan.lists = args.whole(4, 1, std::min(plan.rows, MOST_LISTS / 2));
    plan.threads = args.whole(5, 1, 256);
    plan.recall = args.real(6);
    args.require(plan.recall > 0 && plan.recall <= 1, "The recall must be above 0 and at most 1.");
    plan.from = args.text(7);
    training_ = std::make_shared<Training>(std::move(plan));
  }

private:
  // run(): Promise of { lists, nprobe, recall, reused }
  Napi::Value run(const Napi::CallbackInfo &info) {
    if (hasRun_) throw Napi::Error::New(info.Env(), "The training has run.");
    hasRun_ = true;
    auto work = new TrainingWork(info.Env(), training_);
    const Napi::Promise promise = work->deferred.Promise();
    work->Queue();
    return promise;
  }
  Napi::Value progress(const Napi::CallbackInfo &info) { return Napi::Number::New(info.Env(), training_->progress()); }
  void cancel(const Napi::CallbackInfo &) { training_->cancel(); }

  std::shared_ptr<Training> training_;
  bool hasRun_ = false;
};

} // namespace kaomon
