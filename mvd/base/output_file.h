// Bytes to a file, a pipe or a device, from the first to the last, with every failure an Error.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace mvd {

class OutputFile {
 public:
  // Opens `file`, made or emptied; `name` stands for it in messages.
  OutputFile(const std::filesystem::path& file, std::string name);
  // Writes to a descriptor of somebody else's, which stays open.
  OutputFile(int descriptor, std::string name);
  ~OutputFile();
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  // Errors as ThrowUnwritable tells them.
  void Write(std::string_view bytes);
  // Hands everything to the system; call it last.
  void Close();

 private:
  void Flush();

  std::string name_;
  int descriptor_;
  bool owned_;
  std::string buffer_;
};

// Writes all bytes at `offset` of the descriptor's file.
void WriteAt(int descriptor, uint64_t offset, std::string_view bytes, const std::string& name);

}  // namespace mvd
