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
  // "warning: TEXT", a line that stays with `quiet`, too.
  void Warn(const std::string& text);
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

// Ends the process in good order on SIGINT, SIGTERM, SIGXCPU and (unless it is ignored, as under nohup)
// SIGHUP. The token is cancelled at once. Work that has not stopped within `grace_ms` (read when the signal
// comes), or before a second signal, is left where it is: what must not be lost is saved and temporary files
// are removed (PrepareToEnd), and the process exits with Exit::kCancelled. SIGPIPE and SIGXFSZ become errors
// of writing. Call once, before any thread is started.
void InstallCancellation(CancelToken& token, const std::atomic<int>& grace_ms);

// From here on main ends the process. Waits for ever if a signal is ending it already, so that only one of
// the two says how it ended.
void ClaimEnd();

// Keeps descriptors 0 to 2 from being given to the next file that is opened, where the caller closed them: a
// line for stdout would go into it.
void OpenStandardDescriptors();

// Throws as ThrowUnwritable where what was printed did not arrive.
void FlushStdout();

}  // namespace mvd::cli
