// SIGKILL at random moments of saving: what was saved stays, and what is newest loads.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "mvd/base/stopwatch.h"
#include "mvd/train/checkpoint.h"
#include "mvd/train/train_test_util.h"

namespace mvd {
namespace {

constexpr int kKills = 200;
constexpr size_t kElements = 1 << 16;

void SaveStep(CheckpointStore& store, int64_t step) {
  const std::vector<float> weights(kElements, float(step)), moments(kElements, -float(step));
  CheckpointContent content;
  content.step = step;
  content.files["unet"]["weight"] = {DType::kF32, {int64_t(kElements)}, weights.data()};
  content.files["adam"]["moment"] = {DType::kF32, {int64_t(kElements)}, moments.data()};
  content.state = {{"samples", step * 4}};
  store.Save(content);
}

// Saves one step after another and tells the parent through `saved` when each has returned.
[[noreturn]] void SaveForEver(const std::filesystem::path& run, int64_t first, volatile int64_t* saved) {
  CheckpointStore store(run, {.keep = 2});
  for (int64_t step = first;; ++step) {
    SaveStep(store, step);
    *saved = step;
  }
}

int64_t TimeOfSave(const std::filesystem::path& run) {
  CheckpointStore store(run / "timing", {});
  SaveStep(store, 1);
  const Stopwatch clock;
  SaveStep(store, 2);
  return int64_t(clock.Seconds() * 1e6);
}

TEST(CheckpointKill, TheNewestCompleteOneAlwaysLoads) {
  // In memory where the system has such a folder: killing is about order, and syncing a disk 1000 times slow.
  const TestFolder folder(std::filesystem::is_directory("/dev/shm") ? "/dev/shm" : "");
  auto* saved = static_cast<volatile int64_t*>(
      ::mmap(nullptr, sizeof(int64_t), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  ASSERT_NE(static_cast<volatile void*>(saved), MAP_FAILED);
  std::mt19937 random(20241211);
  const int64_t save_microseconds = TimeOfSave(folder.path);
  int64_t newest = 0;
  int in_writing = 0;
  for (int kill = 0; kill < kKills; ++kill) {
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) SaveForEver(folder.path, newest + 1, saved);
    ::usleep(useconds_t(random() % uint64_t(3 * save_microseconds + 1000)));
    ASSERT_EQ(::kill(child, SIGKILL), 0);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << "the child ended by itself";

    const CheckpointStore store(folder.path, {.keep = 2});
    for (const auto& entry : std::filesystem::directory_iterator(store.folder())) {
      in_writing += entry.path().extension() == ".part" &&
                    entry.path().string().find("." + std::to_string(child) + "-") != std::string::npos;
    }
    const std::optional<Checkpoint> loaded = store.LoadNewest();
    if (!loaded) {
      ASSERT_EQ(*saved, 0);
      continue;
    }
    // Nothing that Save promised is lost; one more may have appeared before the parent was told.
    ASSERT_GE(loaded->step, *saved);
    ASSERT_LE(loaded->step, std::max(int64_t{*saved}, newest) + 1);
    ASSERT_EQ(loaded->state.at("samples"), loaded->step * 4);
    const Tensor& weight = loaded->files.at("unet").at("weight");
    const Tensor& moment = loaded->files.at("adam").at("moment");
    ASSERT_TRUE(std::ranges::all_of(weight.f32(), [&](float x) { return x == float(loaded->step); }));
    ASSERT_TRUE(std::ranges::all_of(moment.f32(), [&](float x) { return x == -float(loaded->step); }));
    newest = loaded->step;
  }
  RecordProperty("kills_while_writing", in_writing);
  RecordProperty("checkpoints", int(newest));
  // The test is of the killing: a good share of the kills fell into a half-written folder.
  EXPECT_GE(in_writing, kKills / 10);
  EXPECT_GE(newest, kKills / 10);
  ::munmap(const_cast<int64_t*>(saved), sizeof(int64_t));
}

}  // namespace
}  // namespace mvd
