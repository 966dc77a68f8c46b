// A clip's recipe: what has to be said to make it again. It comes out of a file that anybody may have made,
// and goes into a clip that is meant to be shared: nothing in it is believed unchecked, and no place on this
// machine goes into it.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "mvd/cli/generate_options.h"

namespace mvd::cli {

struct Recipe {
  std::string file;  // where it was found, for messages
  nlohmann::json options = nlohmann::json::object();
  // Empty where it does not say.
  std::string model, model_hash;
  std::string image, image_hash;  // base name of the picture; ContentHash of its bytes
};

// Error(kBadInput) naming `file` and the key where the text is no recipe.
Recipe ParseRecipe(const std::string& text, const std::string& file);
// From a clip, a PNG, a folder of frames or a .json file. Error(kBadInput) where there is none.
Recipe ReadRecipeFile(const std::filesystem::path& file);

// As text: program version, model, picture, every effective option. Valid UTF-8 whatever the names are.
std::string WriteRecipe(const GenerateOptions& options, const Recipe& about);

// Takes over what the recipe says except where `app` saw the option on the command line. Returns the keys of
// those that were given and differ. Error(kBadInput) naming file and key for what the option would refuse.
std::vector<std::string> ApplyRecipe(const CLI::App& app, const Recipe& recipe, GenerateOptions& options);

// The same for latents that are made already: only what steers decoding may differ, else Error(kUsage).
std::vector<std::string> ApplyRecipeOfLatents(const CLI::App& app, const Recipe& recipe,
                                              GenerateOptions& options);

// The picture that the recipe names, beside the recipe's own file. Error(kNotFound) where it is not there.
std::filesystem::path FindImage(const Recipe& recipe);

// What differs from the recipe, a line each, empty where nothing does or the recipe has no hash.
std::string CompareModel(const Recipe& recipe, const std::string& model_hash);
std::string CompareImage(const Recipe& recipe, const std::string& image, const std::string& image_hash);

// The model as a recipe names it: as it was given, but of an absolute path the last name only.
std::string ModelForRecipe(const std::string& model);

}  // namespace mvd::cli
