// Which files of a folder are clips and pictures.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace mvd {

enum class SourceKind { kClip, kPicture };

struct SourceFile {
  std::string name;  // relative to the folder, parts joined by '/'
  std::filesystem::path path;
  SourceKind kind = SourceKind::kClip;
};

struct SourceFailure {
  std::string file, error;  // the error is one line and names the file
};

// By extension, any case: videos, GIF and Y4M are clips, PNG, JPEG and PPM pictures, WebP either, as its
// header says. Folders are searched to their ends, hidden entries and symbolic links to folders are left out;
// sorted by name. `folder` may be a single file. Error(kNotFound) without it, Error(kNotAllowed) where it
// must not be listed; folders inside it that cannot be listed go into `failures`.
std::vector<SourceFile> ListSources(const std::filesystem::path& folder,
                                    std::vector<SourceFailure>& failures);

}  // namespace mvd
