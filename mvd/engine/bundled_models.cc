#include "mvd/engine/bundled_models.h"

#include <cstdlib>

#include "mvd/base/error.h"
#include "mvd/base/paths.h"
#include "mvd/engine/embedded_files.h"

namespace mvd {
namespace fs = std::filesystem;

std::vector<fs::path> ModelFolders() {
  std::vector<fs::path> folders;
  if (const char* named = std::getenv("MOBILEVD_MODELS"); named && *named) folders.emplace_back(named);
  std::error_code code;
  const fs::path program = fs::read_symlink("/proc/self/exe", code);
  if (code) return folders;
  const fs::path beside = program.parent_path();
  for (const char* place : {"models", "../share/mobilevd/models", "../../models"})
    folders.push_back((beside / place).lexically_normal());
  return folders;
}

namespace {

constexpr const char* kModelIndex = "model_index.json";

bool HoldsModel(const fs::path& folder) {
  return PathExists(folder / kModelIndex) || PathExists(folder / "config.json");
}

}  // namespace

fs::path FindModel(const std::string& model) {
  const fs::path path(model);
  if (model.empty() || path.filename() != path || model == "." || model == "..") return path;
  const bool is_there = PathExists(path);
  if (is_there && (!IsFolder(path) || HoldsModel(path))) return path;
  std::string looked;
  for (const fs::path& folder : ModelFolders()) {
    if (IsFolder(folder / model)) return folder / model;
    looked += (looked.empty() ? "" : ", ") + folder.string();
  }
  if (model == kDefaultModel) {
    const fs::path cache = CacheFolder();
    if (!cache.empty()) return Unpack(EmbeddedDefaultModel(), kModelIndex, cache, model);
    looked += "; HOME is not set, where the one in this program would be unpacked";
  }
  if (is_there) return path;
  throw Error(Exit::kNotFound, model, StrCat("no such file or folder, nor a model of this name in ", looked));
}

}  // namespace mvd
