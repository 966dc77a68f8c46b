// What a heartbeat tells apart: slow, ended in order, died, stopped.
#include "mvd/train/loop/heartbeat.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>

#include "mvd/base/error.h"

namespace mvd {
namespace {

using namespace std::chrono_literals;

constexpr HeartbeatTimes kFast{.every = 20ms, .most_missed = 50};  // lost after a second
constexpr auto kLongSilence = 2s;
constexpr auto kPatience = 30s;  // until a test gives up

bool Becomes(const std::function<bool()>& holds) {
  const auto end = std::chrono::steady_clock::now() + kPatience;
  while (!holds() && std::chrono::steady_clock::now() < end) std::this_thread::sleep_for(5ms);
  return holds();
}

// A process of its own that beats as `rank` until it is killed; `ready` once it has joined.
pid_t Beating(int port, int rank) {
  int ready[2];
  EXPECT_EQ(::pipe(ready), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    const auto beat = Heartbeat::Join("localhost", port, rank, kFast);
    if (::write(ready[1], "x", 1) != 1) ::_exit(1);
    for (;;) ::pause();
  }
  ::close(ready[1]);  // else a child that fails would be waited for
  char byte = 0;
  EXPECT_EQ(::read(ready[0], &byte, 1), 1);
  ::close(ready[0]);
  return child;
}

void Kill(pid_t child) {
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
}

TEST(Heartbeat, ProcessesThatLiveAreNotLost) {
  const auto hub = Heartbeat::Listen(3, kFast);
  const auto one = Heartbeat::Join("localhost", hub->port(), 1, kFast);
  const auto two = Heartbeat::Join("localhost", hub->port(), 2, kFast);
  std::this_thread::sleep_for(kLongSilence);  // none of them says a word to another but by its thread
  for (const auto* beat : {&hub, &one, &two}) EXPECT_EQ((*beat)->lost(), -1);
}

TEST(Heartbeat, AStoppedProcessIsLostAndAllHearOfIt) {
  const auto hub = Heartbeat::Listen(3, kFast);
  const auto one = Heartbeat::Join("localhost", hub->port(), 1, kFast);
  const pid_t two = Beating(hub->port(), 2);
  std::this_thread::sleep_for(200ms);
  EXPECT_EQ(hub->lost(), -1);
  ::kill(two, SIGSTOP);
  EXPECT_TRUE(Becomes([&] { return hub->lost() == 2 && one->lost() == 2; })) << hub->lost() << one->lost();
  Kill(two);
}

TEST(Heartbeat, ADeadProcessIsLostAtOnce) {
  // So slow a beat that silence alone would be noticed after the test's patience.
  const auto hub = Heartbeat::Listen(2, {.every = 10s, .most_missed = 1000});
  const pid_t one = Beating(hub->port(), 1);
  std::this_thread::sleep_for(100ms);
  Kill(one);
  EXPECT_TRUE(Becomes([&] { return hub->lost() == 1; }));
}

TEST(Heartbeat, AStoppedRankZeroIsNoticedToo) {
  int port[2];
  ASSERT_EQ(::pipe(port), 0);
  const pid_t zero = ::fork();
  if (zero == 0) {
    const auto hub = Heartbeat::Listen(2, kFast);
    const int number = hub->port();
    if (::write(port[1], &number, sizeof(number)) != sizeof(number)) ::_exit(1);
    for (;;) ::pause();
  }
  ::close(port[1]);
  int number = 0;
  ASSERT_EQ(::read(port[0], &number, sizeof(number)), ssize_t(sizeof(number)));
  ::close(port[0]);
  const auto one = Heartbeat::Join("localhost", number, 1, kFast);
  std::this_thread::sleep_for(200ms);
  EXPECT_EQ(one->lost(), -1);
  ::kill(zero, SIGSTOP);
  EXPECT_TRUE(Becomes([&] { return one->lost() == 0; }));
  Kill(zero);
}

TEST(Heartbeat, AProcessThatEndsInOrderIsNotLost) {
  const auto hub = Heartbeat::Listen(2, kFast);
  auto one = Heartbeat::Join("localhost", hub->port(), 1, kFast);
  std::this_thread::sleep_for(100ms);
  one.reset();
  std::this_thread::sleep_for(kLongSilence);
  EXPECT_EQ(hub->lost(), -1);
}

TEST(Heartbeat, StrangersAndSecondsOfARankAreNotHeard) {
  const auto hub = Heartbeat::Listen(2, kFast);
  const auto one = Heartbeat::Join("localhost", hub->port(), 1, kFast);
  std::this_thread::sleep_for(100ms);
  Heartbeat::Join("localhost", hub->port(), 1, kFast);  // taken
  Heartbeat::Join("localhost", hub->port(), 7, kFast);  // no such rank
  std::this_thread::sleep_for(kLongSilence);
  EXPECT_EQ(hub->lost(), -1);
  EXPECT_EQ(one->lost(), -1);
}

TEST(Heartbeat, AnAbsentRankZeroIsAnError) {
  int port = 0;
  { port = Heartbeat::Listen(2, kFast)->port(); }
  try {
    Heartbeat::Join("localhost", port, 1, kFast);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.exit(), Exit::kPartial);
    EXPECT_NE(std::string(error.what()).find("rank 1 cannot reach rank 0 at localhost:"), std::string::npos);
  }
}

}  // namespace
}  // namespace mvd
