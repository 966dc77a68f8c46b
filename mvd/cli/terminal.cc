#include "mvd/cli/terminal.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <thread>

#include "mvd/base/file_error.h"
#include "mvd/base/process_end.h"
#include "mvd/cli/flags.h"
#include "mvd/cli/output.h"

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
  std::fprintf(stderr, "%s\n", Shown(text).c_str());
}

void StatusLine::Warn(const std::string& text) {
  Clear();
  std::fprintf(stderr, "warning: %s\n", Shown(text).c_str());
}

Progress StatusLine::AsProgress() {
  return [this](std::string_view stage, double done) { Update(stage, done); };
}

namespace {

// Who ends the process: main with its exit code, or the thread that waits for signals.
enum class Ending { kNobody, kMain, kSignal };
std::atomic<Ending> ending{Ending::kNobody};

bool Claim(Ending who) {
  Ending expected = Ending::kNobody;
  return ending.compare_exchange_strong(expected, who) || expected == who;
}

// SIGHUP is ignored under nohup, and stays so.
bool IsIgnored(int signal) {
  struct sigaction action {};
  return ::sigaction(signal, nullptr, &action) == 0 && action.sa_handler == SIG_IGN;
}

void Say(const std::string& line) {
  const std::string text = "mobilevd: " + line + "\n";
  (void)!::write(STDERR_FILENO, text.data(), text.size());
}

[[noreturn]] void EndAfterSignal(const sigset_t& set, int grace_ms) {
  const timespec wait{grace_ms / 1000, (grace_ms % 1000) * 1000000L};
  while (sigtimedwait(&set, nullptr, &wait) < 0 && errno == EINTR) continue;
  if (Claim(Ending::kSignal)) {
    for (const std::string& failure : PrepareToEnd()) Say(failure);
    Say("cancelled");
  }
  std::_Exit(int(Exit::kCancelled));
}

}  // namespace

void InstallCancellation(CancelToken& token, const std::atomic<int>& grace_ms) {
  // A write beyond `ulimit -f` or to a pipe without a reader is an error like any other.
  ::signal(SIGXFSZ, SIG_IGN);
  ::signal(SIGPIPE, SIG_IGN);
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGINT, SIGTERM, SIGXCPU}) sigaddset(&set, signal);
  if (!IsIgnored(SIGHUP)) sigaddset(&set, SIGHUP);
  // Inherited by every later thread: only the one below takes them.
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  std::thread([set, &token, &grace_ms] {
    int signal = 0;
    if (sigwait(&set, &signal) != 0) return;
    token.Cancel();
    EndAfterSignal(set, grace_ms);
  }).detach();
}

void ClaimEnd() {
  while (!Claim(Ending::kMain)) ::pause();
}

void OpenStandardDescriptors() {
  for (const int descriptor : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    // The wrong way round, so that using it fails: nobody wants what goes there, but to lose it is an error.
    if (::fcntl(descriptor, F_GETFD) < 0)
      (void)::open("/dev/null", descriptor == STDIN_FILENO ? O_WRONLY : O_RDONLY);
  }
}

namespace {

// Why an earlier write failed, whose errno is lost: no reader, else nearly always a full disk.
int LostReason() {
  pollfd out{.fd = STDOUT_FILENO, .events = POLLOUT, .revents = 0};
  return ::poll(&out, 1, 0) == 1 && (out.revents & POLLERR) ? EPIPE : ENOSPC;
}

}  // namespace

void FlushStdout() {
  errno = 0;
  std::cout.flush();
  const bool flushed = std::fflush(stdout) == 0;
  const int reason = errno;
  if (!flushed || !std::cout || std::ferror(stdout))
    ThrowUnwritable("stdout", reason ? reason : LostReason());
}

}  // namespace mvd::cli
