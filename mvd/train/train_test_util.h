// What this folder's tests share.
#pragma once

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <string>

#include "mvd/base/error_testing.h"

namespace mvd {

// An empty folder that goes with the test.
struct TestFolder {
  std::filesystem::path path;
  explicit TestFolder(std::filesystem::path inside = {}) {
    if (inside.empty()) inside = std::filesystem::temp_directory_path();
    std::string name = inside / "mvd_train_XXXXXX";
    path = ::mkdtemp(name.data());
  }
  ~TestFolder() {
    std::error_code code;
    std::filesystem::remove_all(path, code);
  }
};

// Until it goes, no file of this process grows beyond `bytes`: writing fails as on a full disk.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(uint64_t bytes) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    handler_ = ::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{bytes, before_.rlim_max};
    EXPECT_EQ(::setrlimit(RLIMIT_FSIZE, &limit), 0);
  }
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    ::signal(SIGXFSZ, handler_);
  }

 private:
  rlimit before_{};
  void (*handler_)(int) = SIG_DFL;
};

}  // namespace mvd
