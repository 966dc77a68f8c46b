// Models that come with the program: ordinary folders, found beside it; the default one is in the program,
// too.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace mvd {

// Used where no model is named.
inline constexpr std::string_view kDefaultModel = "demo";

// Where models by name are looked for, in order: MOBILEVD_MODELS where it is set, `models` beside the
// program,
// ../share/mobilevd/models as an installed one has it, and ../../models, a checkout's with the program in
// build/release.
std::vector<std::filesystem::path> ModelFolders();

// What --model says, as a path: itself where it is no plain name, or where a file or a model's folder of that
// name is in the working folder (another folder of that name does not hide what comes along), else the folder
// of the model that bears it. kDefaultModel, where none bears its name, is unpacked to the user's cache
// folder once (embedded_files.h). Error(kNotFound) that says where it was looked for.
std::filesystem::path FindModel(const std::string& model);

}  // namespace mvd
