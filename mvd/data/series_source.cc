#include "mvd/data/series_source.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace mvd {
namespace {

using Render = std::function<TrainingClip(uint64_t)>;

class PlainSource : public ClipSource {
 public:
  PlainSource(Series series, Render render) : series_(std::move(series)), render_(std::move(render)) {}

  TrainingClip Next() override {
    TrainingClip clip = render_(series_.next());
    series_.Advance();
    return clip;
  }
  std::string Position() const override { return series_.Position(); }
  void Seek(const std::string& position) override { series_.Seek(position); }

 private:
  Series series_;
  Render render_;
};

// A queue of clips in order, some of them still in the making.
class ReadAheadSource : public ClipSource {
 public:
  ReadAheadSource(Series series, Render render, const ReadAhead& ahead)
      : series_(series),
        begun_(std::move(series)),
        render_(std::move(render)),
        most_(size_t(std::max<int64_t>(ahead.clips, ahead.workers))) {
    for (int i = 0; i < ahead.workers; ++i) workers_.emplace_back([this] { Work(); });
  }
  ~ReadAheadSource() override {
    {
      const std::lock_guard lock(mutex_);
      stopped_ = true;
    }
    room_.notify_all();
    for (std::thread& worker : workers_) worker.join();
  }

  TrainingClip Next() override {
    std::shared_ptr<Slot> slot;
    {
      std::unique_lock lock(mutex_);
      done_.wait(lock, [&] { return !queue_.empty() && queue_.front()->done; });
      slot = queue_.front();
      if (slot->error) std::rethrow_exception(slot->error);  // and again for who asks again
      queue_.pop_front();
      series_.Advance();
    }
    room_.notify_one();
    return std::move(slot->clip);
  }
  std::string Position() const override {
    const std::lock_guard lock(mutex_);
    return series_.Position();
  }
  void Seek(const std::string& position) override {
    {
      const std::lock_guard lock(mutex_);
      series_.Seek(position);
      begun_ = series_;
      queue_.clear();  // what is in the making is finished for nobody
    }
    room_.notify_all();
  }

 private:
  struct Slot {
    TrainingClip clip;
    std::exception_ptr error;
    bool done = false;
  };

  void Work() {
    std::unique_lock lock(mutex_);
    while (true) {
      room_.wait(lock, [&] { return stopped_ || queue_.size() < most_; });
      if (stopped_) return;
      const auto slot = std::make_shared<Slot>();
      const uint64_t number = begun_.next();
      begun_.Advance();
      queue_.push_back(slot);
      lock.unlock();
      try {
        slot->clip = render_(number);
      } catch (...) {
        slot->error = std::current_exception();
      }
      lock.lock();
      slot->done = true;
      done_.notify_one();
    }
  }

  Series series_, begun_;  // the next to be asked for; the next to be made
  Render render_;
  size_t most_;
  mutable std::mutex mutex_;
  std::condition_variable room_, done_;
  bool stopped_ = false;
  std::deque<std::shared_ptr<Slot>> queue_;
  std::vector<std::thread> workers_;
};

}  // namespace

std::unique_ptr<ClipSource> MakeSeriesSource(Series series, Render render, const ReadAhead& ahead) {
  if (ahead.workers <= 0) return std::make_unique<PlainSource>(std::move(series), std::move(render));
  return std::make_unique<ReadAheadSource>(std::move(series), std::move(render), ahead);
}

}  // namespace mvd
