// What the tests of this folder share: a folder that vanishes, files made of a header and data, exact errors.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>

#include "mvd/base/error_testing.h"

namespace mvd {

class TestFolder {
 public:
  TestFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "mvd_io_XXXXXX").string();
    path_ = ::mkdtemp(name.data());
  }
  ~TestFolder() { std::filesystem::remove_all(path_); }
  TestFolder(const TestFolder&) = delete;
  TestFolder& operator=(const TestFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path Put(const std::string& name, const std::string& content) const {
    std::filesystem::create_directories((path_ / name).parent_path());
    std::ofstream(path_ / name, std::ios::binary) << content;
    return path_ / name;
  }

 private:
  std::filesystem::path path_;
};

// A safetensors file's bytes with this header, right or wrong, and this data.
inline std::string FileBytes(const std::string& header, const std::string& data) {
  const uint64_t length = header.size();
  std::string bytes(sizeof(length), '\0');
  std::memcpy(bytes.data(), &length, sizeof(length));
  return bytes + header + data;
}

// One u8 tensor of `size` bytes.
inline std::string OneTensor(const std::string& name, size_t size = 4) {
  const std::string n = std::to_string(size);
  return FileBytes("{\"" + name + R"(":{"dtype":"U8","shape":[)" + n + R"(],"data_offsets":[0,)" + n + "]}}",
                   std::string(size, 'x'));
}

// As ExpectOneLineError; the error names its file.
template <class Body>
void ExpectError(Exit exit, const std::string& reason, const Body& body) {
  EXPECT_FALSE(ExpectOneLineError(exit, reason, body).empty()) << reason;
}

}  // namespace mvd
