// Where the recipe of a clip is kept whose format cannot hold it (RecipePlace::kSidecar).
#pragma once

#include <filesystem>

namespace mvd {

inline std::filesystem::path SidecarOf(const std::filesystem::path& clip) {
  return clip.string() + ".recipe.json";
}

}  // namespace mvd
