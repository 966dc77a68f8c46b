// What the tests of shards share: tar files written by hand, so that they can be wrong.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>

namespace mvd {

inline const std::string kTarEnd(1024, '\0');

// A header block with its checksum set.
inline std::string Sealed(std::string block) {
  std::memset(block.data() + 148, ' ', 8);
  unsigned sum = 0;
  for (const char c : block) sum += static_cast<unsigned char>(c);
  std::snprintf(block.data() + 148, 8, "%06o", sum);
  return block;
}

inline std::string Header(const std::string& name, size_t size, char type, const std::string& prefix = "") {
  std::string block(512, '\0');
  std::memcpy(block.data(), name.data(), name.size());
  std::snprintf(block.data() + 124, 12, "%011zo", size);
  block[156] = type;
  std::memcpy(block.data() + 257, "ustar\00000", 8);
  std::memcpy(block.data() + 345, prefix.data(), prefix.size());
  return Sealed(block);
}

inline std::string Padded(std::string data) {
  data.resize((data.size() + 511) / 512 * 512);
  return data;
}

inline std::string Member(const std::string& name, const std::string& data, char type = '0',
                          const std::string& prefix = "") {
  return Header(name, data.size(), type, prefix) + Padded(data);
}

inline void WriteText(const std::filesystem::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

// A folder of one test, removed with it.
class TarScratchTest : public testing::Test {
 protected:
  TarScratchTest() {
    const auto* info = testing::UnitTest::GetInstance()->current_test_info();
    folder_ = std::filesystem::path(testing::TempDir()) /
              (std::string("mvd_") + info->test_suite_name() + "_" + info->name() + std::to_string(getpid()));
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
  }
  ~TarScratchTest() override { std::filesystem::remove_all(folder_); }

  std::filesystem::path folder_;
};

}  // namespace mvd
