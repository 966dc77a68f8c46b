// What is done before a process that was told to end ends, whatever its threads are in the midst of.
#pragma once

#include <filesystem>
#include <functional>
#include <list>
#include <mutex>
#include <string>
#include <vector>

namespace mvd {

// Work to be saved, by a function that saves it: runs once, when Run is called or when the process is told to
// end, whichever is first. Until it is destroyed, what the function refers to must stay.
class LastAct {
 public:
  explicit LastAct(std::function<void()> act);
  ~LastAct();  // the act is no longer needed. Waits for ever if the process is ending
  LastAct(const LastAct&) = delete;
  LastAct& operator=(const LastAct&) = delete;

  // Now, unless it has run. Throws what the act throws.
  void Run();

 private:
  friend std::vector<std::string> PrepareToEnd();
  std::function<void()> act_;
  std::mutex mutex_;
  std::list<LastAct*>::iterator place_;
};

// Runs all acts that stand, the newest first, from the calling thread; then removes the temporary files that
// are open, while whoever makes, commits or removes one waits for ever. Returns what failed, a line each.
// Call once, and end the process.
std::vector<std::string> PrepareToEnd();

// For a terminate handler: whether it was called because a destructor found no memory (nlohmann's for JSON
// allocates). If so, the temporary files that are open have been removed, as far as that can be done.
bool CleanUpIfOutOfMemory() noexcept;

// Temporary files and folders to be removed if the process is told to end. The caller holds the lock, so that
// a file and its entry come and go together; it is never given back once the process is ending.
std::unique_lock<std::mutex> WhileProcessGoesOn();
void AddTemporary(const std::unique_lock<std::mutex>& lock, const std::filesystem::path& path);
void ForgetTemporary(const std::unique_lock<std::mutex>& lock, const std::filesystem::path& path);

}  // namespace mvd
