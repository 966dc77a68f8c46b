// Work done by many threads, its results taken in the order of the items: the output does not depend on
// threads.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <exception>
#include <functional>
#include <map>
#include <mutex>
#include <vector>

namespace mvd {

// Item i may push any number of results, then is done once. Results of the lowest item not yet done go
// straight to `take` (one call at a time); others wait, at most `max_waiting` an item, and their threads with
// them. Items must be begun in rising order: then the lowest one always runs, and nothing hangs.
template <class Result>
class InOrder {
 public:
  struct Aborted {};  // thrown out of Push and Done after Abort, or after `take` threw

  InOrder(std::function<void(Result)> take, size_t max_waiting)
      : take_(std::move(take)), max_waiting_(max_waiting) {}

  void Push(int64_t item, Result result) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return aborted_ || item == turn_ || waiting_[item].size() < max_waiting_; });
    if (aborted_) throw Aborted{};
    if (item == turn_) {
      Take(std::move(result));
    } else {
      waiting_[item].push_back(std::move(result));
    }
  }

  void Done(int64_t item) {
    std::lock_guard lock(mutex_);
    if (aborted_) throw Aborted{};
    done_[item] = true;
    while (done_.contains(turn_)) {
      done_.erase(turn_);
      waiting_.erase(turn_);
      ++turn_;
      // The next item's results so far: from here on its own go straight through.
      for (Result& result : waiting_[turn_]) Take(std::move(result));
      waiting_[turn_].clear();
    }
    changed_.notify_all();
  }

  // For a thread that fails: the others, which may wait for it, fail too. The first failure is kept.
  void Abort(std::exception_ptr failure) {
    std::lock_guard lock(mutex_);
    if (!aborted_) failure_ = failure;
    aborted_ = true;
    changed_.notify_all();
  }

  // What `take` threw or Abort was given, or null.
  std::exception_ptr failure() const { return failure_; }

 private:
  void Take(Result result) {
    try {
      take_(std::move(result));
    } catch (...) {
      failure_ = std::current_exception();
      aborted_ = true;
      changed_.notify_all();
      throw Aborted{};
    }
  }

  std::function<void(Result)> take_;
  size_t max_waiting_;
  std::mutex mutex_;
  std::condition_variable changed_;
  int64_t turn_ = 0;
  std::map<int64_t, std::vector<Result>> waiting_;
  std::map<int64_t, bool> done_;
  bool aborted_ = false;
  std::exception_ptr failure_;
};

}  // namespace mvd
