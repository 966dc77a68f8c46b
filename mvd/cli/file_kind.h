// What a file or folder is, by its first bytes, and what its headers say.
#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>

namespace mvd::cli {

// {"file": ..., "kind": "safetensors" | "model" | "clip" | "image" | "shards" | "shard" | "recipe" | "config"
// | "index" | "json" | "toml", ...}. Error(kNotFound) for a path that does not exist, Error(kBadInput) that
// says what the file is where this program does not read such files.
nlohmann::json DescribePath(const std::filesystem::path& path);

}  // namespace mvd::cli
