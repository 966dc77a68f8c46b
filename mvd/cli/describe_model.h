// What inspect says of weight files and model folders.
#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>

namespace mvd::cli {

// {"file": ..., "kind": "safetensors", "tensors": [...]}; of Stability AI's single file also "model", and
// what becomes of each tensor. Of a safetensors file only the header is read; other files are refused by what
// they are.
nlohmann::json DescribeWeights(const std::filesystem::path& path);

// {"file": ..., "kind": "model", "components": {...}}, those that nothing here runs too.
nlohmann::json DescribeModel(const std::filesystem::path& path);

}  // namespace mvd::cli
