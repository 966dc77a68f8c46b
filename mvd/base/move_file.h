// The steps by which a finished file takes its name. For AtomicFile, which says the rules.
#pragma once

#include <filesystem>
#include <string>

namespace mvd {

// Where the symbolic links at the end of a path lead; what they lead to need not exist.
std::filesystem::path FollowLinks(std::filesystem::path path);

// fsync of a file or folder, opened with `flags`. Throws where the system says that the content may be lost,
// not where it only cannot sync; `name` is for messages.
void Sync(const std::filesystem::path& path, int flags, const std::string& name);

// Renames a file; both return 0 or an errno.
int MoveWithoutReplacing(const std::filesystem::path& from, const std::filesystem::path& to);  // EEXIST
int MoveReplacing(const std::filesystem::path& from, const std::filesystem::path& to);

}  // namespace mvd
