// A process that is told to end in the midst of writing.
#include "mvd/base/process_end.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <thread>

#include "mvd/base/atomic_file.h"
#include "mvd/base/paths.h"

namespace mvd {
namespace {

namespace fs = std::filesystem;

class ProcessEndTest : public testing::Test {
 protected:
  ProcessEndTest() {
    std::string name = (fs::temp_directory_path() / "mvd_end_XXXXXX").string();
    folder_ = ::mkdtemp(name.data());
  }
  ~ProcessEndTest() override { fs::remove_all(folder_); }

  // `body` in a process of its own; returns its exit code.
  template <class Body>
  int InProcess(const Body& body) {
    const pid_t child = ::fork();
    if (child == 0) {
      try {
        body();
      } catch (...) {
        std::_Exit(99);
      }
      std::_Exit(98);
    }
    int status = 0;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
  std::vector<fs::path> Left() const { return ListFolder(folder_); }

  fs::path folder_;
};

// A destructor that allocates cannot say that there is no memory: std::terminate is called.
TEST_F(ProcessEndTest, WithoutMemoryInADestructorNothingIsLeft) {
  const auto ends_with = [&](const auto& destructor) {
    return InProcess([&] {
      std::set_terminate([] { std::_Exit(CleanUpIfOutOfMemory() ? 5 : 1); });
      AtomicFile open(folder_ / "open", Replace::kNo);
      [&]() noexcept { destructor(); }();
    });
  };
  EXPECT_EQ(ends_with([] { throw std::bad_alloc(); }), 5);
  EXPECT_TRUE(Left().empty());
  EXPECT_EQ(ends_with([] { throw std::runtime_error("another"); }), 1);
}

TEST_F(ProcessEndTest, ActsRunOnceAndTheirWorkStays) {
  const int code = InProcess([&] {
    int runs = 0;
    LastAct done([&] { ++runs; });
    done.Run();
    LastAct kept([&] { WriteFile(folder_ / "kept", std::to_string(++runs)); });
    LastAct fails([&] { throw std::runtime_error("a failure"); });
    {
      LastAct forgotten([&] { WriteFile(folder_ / "forgotten", ""); });
    }
    AtomicFile open(folder_ / "open", Replace::kNo);
    const std::vector<std::string> failures = PrepareToEnd();
    std::_Exit(failures == std::vector<std::string>{"a failure"} ? 6 : 1);
  });
  EXPECT_EQ(code, 6);
  EXPECT_EQ(Left(), std::vector<fs::path>{folder_ / "kept"});
  EXPECT_EQ(ReadFile(folder_ / "kept", 10), "2");
}

TEST_F(ProcessEndTest, NothingTemporaryIsLeftWhileAnotherThreadWrites) {
  for (int round = 0; round < 20; ++round) {
    const int code = InProcess([&] {
      std::thread([&] {
        for (;;) {
          try {
            AtomicFolder folder(folder_ / "folder", Replace::kNo);
            for (int i = 0; i < 50; ++i) {
              MakeFolders(folder.temporary() / std::to_string(i));
              WriteFile(folder.temporary() / std::to_string(i) / "file", "text");
            }
          } catch (const std::exception&) {  // its folder is gone
          }
        }
      }).detach();
      ::usleep(useconds_t(1000 + 500 * round));
      PrepareToEnd();
      std::_Exit(6);
    });
    ASSERT_EQ(code, 6);
    ASSERT_TRUE(Left().empty()) << round << ": " << Left()[0];
  }
}

}  // namespace
}  // namespace mvd
