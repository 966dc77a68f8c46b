#include "mvd/train/checkpoint.h"

#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/wait.h>

#include <cstring>
#include <fstream>
#include <set>

#include "mvd/base/atomic_file.h"
#include "mvd/io/safetensors.h"
#include "mvd/train/train_test_util.h"

namespace mvd {
namespace {

namespace fs = std::filesystem;

// Tensors of every kind whose values follow from the step.
struct Fixture {
  std::vector<float> weights;
  std::vector<int64_t> counts;
  std::vector<uint8_t> state;
  CheckpointContent content;

  explicit Fixture(int64_t step, size_t size = 1000)
      : weights(size), counts(3, step), state(7, uint8_t(step)) {
    for (size_t i = 0; i < size; ++i) weights[i] = float(step) + float(i) * 1e-3f;
    content.step = step;
    content.files["unet"]["a.weight"] = {DType::kF32, {int64_t(size)}, weights.data()};
    content.files["unet"]["b.count"] = {DType::kI64, {3, 1}, counts.data()};
    content.files["rng"]["state"] = {DType::kU8, {7}, state.data()};
    content.files["rng"]["scalar"] = {DType::kI64, {}, counts.data()};
    content.state = {{"samples", step * 4}, {"position", "synth:1:2"}};
    content.metadata = {{"recipe", "test"}};
  }
};

void ExpectLoaded(const Checkpoint& checkpoint, int64_t step, size_t size = 1000) {
  const Fixture expected(step, size);
  EXPECT_EQ(checkpoint.step, step);
  EXPECT_EQ(checkpoint.state.at("samples"), step * 4);
  EXPECT_EQ(checkpoint.state.at("position"), "synth:1:2");
  ASSERT_EQ(checkpoint.files.size(), expected.content.files.size());
  for (const auto& [file, tensors] : expected.content.files) {
    ASSERT_EQ(checkpoint.files.at(file).size(), tensors.size());
    for (const auto& [name, view] : tensors) {
      const Tensor& found = checkpoint.files.at(file).at(name);
      EXPECT_EQ(found.dtype(), view.dtype);
      EXPECT_EQ(found.shape(), view.shape);
      EXPECT_EQ(std::memcmp(found.data(), view.data, view.bytes()), 0) << name;
    }
  }
}

struct TestRun {
  TestFolder folder;
  std::vector<std::string> notes;
  CheckpointStore store;
  explicit TestRun(CheckpointPolicy policy = {})
      : store(folder.path, policy, [this](const std::string& note) {
          EXPECT_EQ(note.find('\n'), note.npos) << note;
          notes.push_back(note);
        }) {}
  std::string AllNotes() const {
    std::string all;
    for (const std::string& note : notes) all += note + "\n";
    return all;
  }
  std::set<std::string> Entries() const {
    std::set<std::string> names;
    for (const auto& entry : fs::directory_iterator(store.folder())) names.insert(entry.path().filename());
    return names;
  }
};

void FlipByte(const fs::path& path, int64_t offset) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekg(offset, offset < 0 ? std::ios::end : std::ios::beg);
  const auto at = file.tellg();
  const char byte = char(file.get());
  file.seekp(at);
  file.put(char(byte ^ 1));
}

TEST(Checkpoint, WhatIsSavedIsLoaded) {
  TestRun run;
  EXPECT_FALSE(run.store.LoadNewest());
  EXPECT_FALSE(run.store.Newest());
  const fs::path folder = run.store.Save(Fixture(123).content);
  EXPECT_EQ(folder.filename(), "step-000123");
  EXPECT_EQ(run.store.Newest(), folder);
  ExpectLoaded(*run.store.LoadNewest(), 123);
  EXPECT_EQ(SafetensorsFile::Open(folder / "unet.safetensors").metadata().at("recipe"), "test");
  EXPECT_TRUE(run.notes.empty()) << run.AllNotes();
  EXPECT_EQ(run.Entries(), std::set<std::string>{"step-000123"});
}

TEST(Checkpoint, Names) {
  EXPECT_EQ(CheckpointStep("a/step-000007"), 7);
  EXPECT_EQ(CheckpointStep("step-1234567"), 1234567);
  for (const char* name :
       {"step-7", "step-000007x", "step-", ".step-000007.12.part", "step--00007", "best"}) {
    EXPECT_FALSE(CheckpointStep(name)) << name;
  }
}

TEST(Checkpoint, KeepsTheNewestAndTheMarked) {
  TestRun run({.keep = 2, .keep_every = 30});
  for (int64_t step = 10; step <= 70; step += 10) run.store.Save(Fixture(step).content);
  EXPECT_EQ(run.Entries(), (std::set<std::string>{"step-000030", "step-000060", "step-000070"}));
  run.store.Save(Fixture(80).content);
  EXPECT_EQ(run.Entries(),
            (std::set<std::string>{"step-000030", "step-000060", "step-000070", "step-000080"}));
}

TEST(Checkpoint, KeepOneNeverHasNone) {
  TestRun run({.keep = 1});
  run.store.Save(Fixture(1).content);
  run.store.Save(Fixture(2).content);
  EXPECT_EQ(run.Entries(), std::set<std::string>{"step-000002"});
}

TEST(Checkpoint, IncompleteFoldersAreSkippedAndNamed) {
  TestRun run({.keep = 9});
  for (int64_t step = 1; step <= 5; ++step) run.store.Save(Fixture(step).content);
  const fs::path folder = run.store.folder();
  fs::remove(folder / "step-000005/manifest.json");
  fs::resize_file(folder / "step-000004/unet.safetensors", 100);
  fs::remove(folder / "step-000003/rng.safetensors");
  fs::create_directory(folder / ".step-000009.1.part");
  EXPECT_EQ(run.store.Newest(), folder / "step-000002");
  const std::string notes = run.AllNotes();
  EXPECT_EQ(run.notes.size(), 3u) << notes;
  EXPECT_NE(notes.find("step-000005/manifest.json: is missing"), notes.npos) << notes;
  EXPECT_NE(notes.find("step-000004/unet.safetensors: has 100 bytes, its manifest says"), notes.npos)
      << notes;
  EXPECT_NE(notes.find("step-000003/rng.safetensors: is missing, its manifest lists it"), notes.npos)
      << notes;
  ExpectLoaded(*run.store.LoadNewest(), 2);
}

TEST(Checkpoint, ACopyUnderAnotherNameIsNotBelieved) {
  TestRun run;
  const fs::path folder = run.store.Save(Fixture(1).content);
  fs::copy(folder, run.store.folder() / "step-000009");
  EXPECT_EQ(run.store.Newest(), folder);
}

// One flipped bit anywhere is found, named, and the checkpoint before is taken.
TEST(Checkpoint, DamageFallsBackWithTheReason) {
  const struct {
    const char* file;
    int64_t offset;
    const char* reason;
  } cases[] = {
      {"unet.safetensors", -2000, "unet.safetensors: tensor 'a.weight' does not match its manifest's hash"},
      {"unet.safetensors", 40, "unet.safetensors: "},  // the header: no JSON, or another hash
      {"rng.safetensors", -1, "rng.safetensors: tensor 'state' does not match"},
      {"state.json", 5, "state.json: does not match its manifest's hash"},
  };
  for (const auto& test : cases) {
    TestRun run;
    run.store.Save(Fixture(1).content);
    const fs::path newest = run.store.Save(Fixture(2).content);
    FlipByte(newest / test.file, test.offset);
    ExpectOneLineError(Exit::kBadInput, test.reason, [&] { LoadCheckpoint(newest); });
    ExpectOneLineError(Exit::kBadInput, test.reason, [&] { VerifyCheckpoint(newest); });
    ExpectLoaded(*run.store.LoadNewest(), 1);
    EXPECT_NE(run.AllNotes().find(test.reason), std::string::npos) << run.AllNotes();
    EXPECT_NE(run.AllNotes().find("falling back"), std::string::npos) << run.AllNotes();
    // The step is reached again: the damaged one is written anew.
    run.store.Save(Fixture(2).content);
    ExpectLoaded(*run.store.LoadNewest(), 2);
  }
}

TEST(Checkpoint, EveryByteOfTheManifestMatters) {
  TestRun run;
  const fs::path folder = run.store.Save(Fixture(1).content);
  const std::string manifest = ReadFile(folder / "manifest.json", 1 << 20);
  int64_t harmless = 0;
  for (size_t at = 0; at < manifest.size(); ++at) {
    std::string changed = manifest;
    changed[at] ^= 1;
    std::ofstream(folder / "manifest.json", std::ios::binary) << changed;
    try {
      ExpectLoaded(LoadCheckpoint(folder), 1);
      ++harmless;  // a blank that became another blank is all that may pass
    } catch (const Error& error) {
      EXPECT_EQ(int(error.exit()), int(Exit::kBadInput));
    }
  }
  EXPECT_EQ(harmless, 0);
}

TEST(Checkpoint, NoneWholeIsAnError) {
  TestRun run;
  const fs::path folder = run.store.Save(Fixture(1).content);
  FlipByte(folder / "state.json", 5);
  ExpectOneLineError(Exit::kBadInput, "checkpoints: holds checkpoints, but none of them is whole",
                     [&] { run.store.LoadNewest(); });
  ExpectOneLineError(Exit::kNotFound, "no such", [&] { LoadCheckpoint(run.store.folder() / "step-000009"); });
}

TEST(Checkpoint, ContinuingFromAnOlderOneDropsTheLater) {
  TestRun run({.keep = 9});
  for (int64_t step = 1; step <= 3; ++step) run.store.Save(Fixture(step).content);
  run.store.DropAfter(1);
  EXPECT_EQ(run.Entries(), std::set<std::string>{"step-000001"});
}

// By Prune, by DropAfter and by Save: neither a folder that only has a checkpoint's name nor a file that
// somebody put into a checkpoint is removed.
TEST(Checkpoint, WhatIsNotACheckpointsIsNeverRemoved) {
  TestRun run({.keep = 1});
  const fs::path folder = run.store.folder();
  fs::create_directory(folder / "step-000005");
  std::ofstream(folder / "step-000005/mine.txt") << "mine";
  run.store.Save(Fixture(3).content);
  std::ofstream(folder / "step-000003/notes.txt") << "mine";
  run.store.Save(Fixture(4).content);
  EXPECT_EQ(run.Entries(), (std::set<std::string>{"step-000003", "step-000004", "step-000005"}));
  EXPECT_EQ(ReadFile(folder / "step-000003/notes.txt", 100), "mine");
  EXPECT_FALSE(fs::exists(folder / "step-000003/unet.safetensors"));
  run.store.DropAfter(3);
  EXPECT_EQ(run.Entries(), (std::set<std::string>{"step-000003", "step-000005"}));
  run.store.Save(Fixture(5).content);
  EXPECT_EQ(run.Entries(), (std::set<std::string>{"step-000003", "step-000005", "step-000005.other"}));
  EXPECT_EQ(ReadFile(folder / "step-000005.other/mine.txt", 100), "mine");
  ExpectLoaded(*run.store.LoadNewest(), 5);
}

TEST(Checkpoint, AbandonedTemporariesGo) {
  TestRun run;
  const pid_t child = ::fork();
  if (child == 0) ::_exit(0);
  ::waitpid(child, nullptr, 0);  // a process that is no more
  const std::string dead = ".step-000001." + std::to_string(child) + "-0123456789abcdef.part";
  const std::string alive = ".step-000001." + std::to_string(::getppid()) + "-0123456789abcdef.part";
  fs::create_directory(run.store.folder() / dead);
  std::ofstream(run.store.folder() / dead / "x") << "x";
  fs::create_directory(run.store.folder() / alive);
  run.store.Save(Fixture(2).content);
  EXPECT_EQ(run.Entries(), (std::set<std::string>{alive, "step-000002"}));
}

void ExpectFullDiskLosesNothing(TestRun& run, const fs::path& run_folder, const std::string& reason,
                                const CheckpointContent& content) {
  CheckpointStore store(run_folder, {.keep = 1});
  ExpectOneLineError(Exit::kNotWritten, reason, [&] { store.Save(content); });
  ExpectLoaded(*store.LoadNewest(), 1);
  std::set<std::string> left;
  for (const auto& entry : fs::directory_iterator(store.folder())) left.insert(entry.path().filename());
  EXPECT_EQ(left, std::set<std::string>{"step-000001"});
  EXPECT_TRUE(run.notes.empty());
}

// Writing fails in each file in turn: weights, state, manifest.
TEST(Checkpoint, AFailedWriteLosesNothing) {
  for (size_t bytes : {0, 100, 4000}) {
    TestRun run;
    run.store.Save(Fixture(1).content);
    const Fixture next(2);
    const FileSizeLimit limit(bytes);
    ExpectFullDiskLosesNothing(run, run.folder.path, "cannot be written: ", next.content);
  }
  // The state is the largest file, then the manifest: each alone meets the limit.
  for (const char* largest : {"state.json", "manifest.json"}) {
    TestRun run;
    run.store.Save(Fixture(1).content);
    Fixture next(2, 10);
    if (largest == std::string("state.json")) next.content.state["padding"] = std::string(5000, 'x');
    const TestFolder other;
    const fs::path whole = CheckpointStore(other.path, {}).Save(next.content);
    const uint64_t size = fs::file_size(whole / largest);
    for (const auto& entry : fs::directory_iterator(whole))
      ASSERT_LE(entry.file_size(), size) << entry.path();
    const FileSizeLimit limit(size - 1);
    ExpectFullDiskLosesNothing(run, run.folder.path, largest, next.content);
  }
}

TEST(Checkpoint, AFullFileSystemLosesNothing) {
  TestRun run;
  const fs::path mounted = run.folder.path / "disk";
  fs::create_directory(mounted);
  if (::mount("tmpfs", mounted.c_str(), "tmpfs", 0, "size=1m") != 0) {
    GTEST_SKIP() << "a small file system cannot be mounted: " << std::strerror(errno);
  }
  {
    CheckpointStore(mounted, {}).Save(Fixture(1).content);
    // More than is free: told before a byte is written.
    const Fixture large(2, 1 << 20);
    ExpectFullDiskLosesNothing(run, mounted, "bytes, the disk has ", large.content);
    // As much as is free, but a header and a manifest too many.
    const size_t free = fs::space(mounted).available;
    const Fixture tight(2, free / 4 - 20);
    ExpectFullDiskLosesNothing(run, mounted, "cannot be written: the disk is full", tight.content);
  }
  EXPECT_EQ(::umount(mounted.c_str()), 0);
}

}  // namespace
}  // namespace mvd
