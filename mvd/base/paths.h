// Questions about paths, and folders, with every failure an Error (std::filesystem either throws what nobody
// catches, or takes "no permission" for "is not there").
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string_view>
#include <vector>

namespace mvd {

// What stands at `path`, symbolic links followed; nothing where nothing does, or where a link leads nowhere.
// Error(kNotAllowed) where a folder on the way may not be searched. So too for all below.
std::optional<struct stat> StatOf(const std::filesystem::path& path);
bool PathExists(const std::filesystem::path& path);
bool IsFolder(const std::filesystem::path& path);
bool IsRegularFile(const std::filesystem::path& path);
bool IsEmptyFolder(const std::filesystem::path& path);
uint64_t FileSize(const std::filesystem::path& path);  // Error(kNotFound) where there is none

// "a folder", "a FIFO", "a socket", "a device", "a regular file": for messages.
std::string_view FileKind(mode_t mode);

// The entries of a folder as paths, sorted by name. Error(kNotFound) where it is absent.
std::vector<std::filesystem::path> ListFolder(const std::filesystem::path& folder);

// The regular files in a folder and in those below it, sorted.
std::vector<std::filesystem::path> ListTree(const std::filesystem::path& folder);

// Makes a folder and those above it; those that exist are left as they are. Error(kUsage) naming what is in
// the way where a part of the path is no folder.
void MakeFolders(const std::filesystem::path& folder);
// Removes a file, or a folder with all that is in it; nothing where there is none.
void RemoveAll(const std::filesystem::path& path);

}  // namespace mvd
