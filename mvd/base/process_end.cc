#include "mvd/base/process_end.h"

#include <time.h>

#include <exception>
#include <new>
#include <set>
#include <utility>

#include "mvd/base/check.h"

namespace mvd {
namespace fs = std::filesystem;
namespace {

// Process-wide because the process's end is. Never destroyed: threads may outlive main.
struct State {
  std::mutex acts_mutex, temporaries_mutex;
  std::list<LastAct*> acts;
  std::set<fs::path> temporaries;
};
State& Get() {
  static State& state = *new State;
  return state;
}

// Another thread may still be opening files by these names: until nothing comes back.
void RemoveTemporaries(const std::set<fs::path>& paths) {
  for (int pass = 0; pass < 100; ++pass) {
    bool removed = false;
    for (const fs::path& path : paths) {
      std::error_code code;
      const auto count = fs::remove_all(path, code);
      removed |= code || count > 0;
    }
    if (!removed) return;
    const timespec wait{0, 2'000'000};
    ::nanosleep(&wait, nullptr);
  }
}

}  // namespace

LastAct::LastAct(std::function<void()> act) : act_(std::move(act)) {
  std::lock_guard lock(Get().acts_mutex);
  place_ = Get().acts.insert(Get().acts.begin(), this);
}

LastAct::~LastAct() {
  std::lock_guard lock(Get().acts_mutex);
  Get().acts.erase(place_);
}

void LastAct::Run() {
  std::lock_guard lock(mutex_);
  if (auto act = std::exchange(act_, nullptr)) act();
}

std::vector<std::string> PrepareToEnd() {
  State& state = Get();
  state.acts_mutex.lock();  // for good
  std::vector<std::string> failures;
  for (LastAct* act : state.acts) {
    try {
      act->Run();
    } catch (const std::exception& error) {
      failures.emplace_back(error.what());
    }
  }
  state.temporaries_mutex.lock();  // for good
  RemoveTemporaries(state.temporaries);
  return failures;
}

bool CleanUpIfOutOfMemory() noexcept {
  try {
    const std::exception_ptr exception = std::current_exception();
    if (!exception) return false;
    std::rethrow_exception(exception);
  } catch (const std::bad_alloc&) {
  } catch (...) {
    return false;
  }
  State& state = Get();
  // Not waited for: this thread may have it.
  const std::unique_lock<std::mutex> lock(state.temporaries_mutex, std::try_to_lock);
  if (!lock.owns_lock()) return true;
  try {
    RemoveTemporaries(state.temporaries);
  } catch (const std::bad_alloc&) {
  }
  return true;
}

std::unique_lock<std::mutex> WhileProcessGoesOn() {
  return std::unique_lock<std::mutex>(Get().temporaries_mutex);
}

void AddTemporary(const std::unique_lock<std::mutex>& lock, const fs::path& path) {
  MVD_CHECK(lock.owns_lock());
  Get().temporaries.insert(path);
}

void ForgetTemporary(const std::unique_lock<std::mutex>& lock, const fs::path& path) {
  MVD_CHECK(lock.owns_lock());
  Get().temporaries.erase(path);
}

}  // namespace mvd
