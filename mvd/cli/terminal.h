// What the program says while it works: stderr only, no animation where stderr is no terminal.
#pragma once

#include <atomic>
#include <string>
#include <string_view>

#include "mvd/base/cancel.h"
#include "mvd/base/stopwatch.h"

namespace mvd::cli {

// One status line that overwrites itself, with the time left of the present stage. Silent where stderr is no
// terminal, TERM is dumb, or `quiet`.
class StatusLine {
 public:
  explicit StatusLine(bool quiet);
  ~StatusLine() { Clear(); }
  StatusLine(const StatusLine&) = delete;
  StatusLine& operator=(const StatusLine&) = delete;

  void Update(std::string_view stage, double done);
  void Clear();
  // A line that stays (with `quiet`: nothing).
  void Note(const std::string& text);
  Progress AsProgress();

 private:
  bool live_;
  bool quiet_;
  bool drawn_ = false;
  std::string stage_;
  double stage_start_ = 0;
  Stopwatch clock_;
  double last_draw_ = 0;
};

// Ends the process in good order on SIGINT and SIGTERM: the token is cancelled at once; work that has not
// stopped within `grace_ms` (read when the signal comes), or before a second signal, is left where it is,
// temporary files are removed, and the process exits with Exit::kCancelled. Call once, before any thread is
// started.
void InstallCancellation(CancelToken& token, const std::atomic<int>& grace_ms);

}  // namespace mvd::cli
