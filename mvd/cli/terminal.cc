#include "mvd/cli/terminal.h"

#include <signal.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <thread>

#include "mvd/base/atomic_file.h"
#include "mvd/cli/flags.h"

namespace mvd::cli {
namespace {

bool IsTerminal() {
  const char* term = std::getenv("TERM");
  return ::isatty(STDERR_FILENO) && !(term && std::string_view(term) == "dumb");
}

}  // namespace

StatusLine::StatusLine(bool quiet) : live_(!quiet && IsTerminal()), quiet_(quiet) {}

void StatusLine::Update(std::string_view stage, double done) {
  if (!live_) return;
  const double now = clock_.Seconds();
  if (stage != stage_) {
    stage_ = stage;
    stage_start_ = now;
    last_draw_ = 0;
  }
  if (now - last_draw_ < 0.1 && done < 1) return;
  last_draw_ = now;
  std::string line = "\r\033[K" + stage_ + " " + std::to_string(int(done * 100 + 0.5)) + " %";
  const double spent = now - stage_start_;
  if (done > 0.02 && done < 1 && spent > 1) line += ", " + FormatSeconds(spent / done - spent) + " left";
  std::fputs(line.c_str(), stderr);
  std::fflush(stderr);
  drawn_ = true;
}

void StatusLine::Clear() {
  if (drawn_) std::fputs("\r\033[K", stderr);
  drawn_ = false;
}

void StatusLine::Note(const std::string& text) {
  if (quiet_) return;
  Clear();
  std::fprintf(stderr, "%s\n", text.c_str());
}

Progress StatusLine::AsProgress() {
  return [this](std::string_view stage, double done) { Update(stage, done); };
}

void InstallCancellation(CancelToken& token, const std::atomic<int>& grace_ms) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &set,
                  nullptr);  // inherited by every later thread: only the one below takes them
  std::thread([set, &token, &grace_ms] {
    int signal = 0;
    if (sigwait(&set, &signal) != 0) return;
    token.Cancel();
    const int grace = grace_ms;
    const timespec wait{grace / 1000, (grace % 1000) * 1000000L};
    while (sigtimedwait(&set, nullptr, &wait) < 0 && errno == EINTR) continue;
    RemoveOpenTemporaries();
    const char message[] = "mobilevd: cancelled\n";
    if (::write(STDERR_FILENO, message, sizeof(message) - 1) < 0) std::_Exit(int(Exit::kCancelled));
    std::_Exit(int(Exit::kCancelled));
  }).detach();
}

}  // namespace mvd::cli
