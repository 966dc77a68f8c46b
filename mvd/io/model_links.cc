#include "mvd/io/model_links.h"

#include <algorithm>

#include "mvd/base/file_error.h"
#include "mvd/io/json.h"

namespace mvd {
namespace fs = std::filesystem;
namespace {

fs::path Canonical(const fs::path& path) {
  std::error_code code;
  fs::path real = fs::canonical(path, code);
  if (!code) return real;
  if (code == std::errc::no_such_file_or_directory) ThrowBadInput(path.string(), "is a broken symbolic link");
  ThrowUnreadable(path.string(), code.value());
}

fs::path ModelRoot(const fs::path& folder) {
  std::error_code code;  // the working folder may be gone
  fs::path whole = fs::absolute(folder, code).lexically_normal();
  if (code) ThrowUnreadable(folder.string(), code.value());
  if (!whole.has_filename()) whole = whole.parent_path();  // "unet/"
  const bool in_pipeline = fs::exists(fs::symlink_status(whole.parent_path() / "model_index.json", code));
  const fs::path root = Canonical(in_pipeline ? whole.parent_path() : whole);
  for (fs::path at = root; at.has_relative_path(); at = at.parent_path()) {
    const fs::path above = at.parent_path();
    if (at.filename() == "snapshots" && above.filename().string().starts_with("models--")) return above;
  }
  return root;
}

bool IsInside(const fs::path& path, const fs::path& root) {
  return std::mismatch(root.begin(), root.end(), path.begin(), path.end()).first == root.end();
}

}  // namespace

fs::path ResolveInModel(const fs::path& folder, const std::string& name) {
  if (!IsPlainBaseName(name)) {
    ThrowBadInput(folder.string(), "'", Printable(name), "' is no plain file name inside the folder");
  }
  const fs::path path = folder / name;
  std::error_code code;
  if (!fs::exists(fs::symlink_status(path, code))) ThrowBadInput(path.string(), "is missing");
  fs::path real = Canonical(path);
  const fs::path root = ModelRoot(folder);
  if (!IsInside(real, root)) {
    ThrowBadInput(path.string(), "is a symbolic link to ", Printable(real.string()),
                  ", which is outside the model's own folder, ", root.string());
  }
  return real;
}

}  // namespace mvd
