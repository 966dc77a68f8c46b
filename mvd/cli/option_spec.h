// What an option is, told once: names, meaning, unit, range. From this come parsing, its errors, --help,
// shell completion, and the check of the same value where it stands in a recipe.
#pragma once

#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace mvd::cli {

// "No value was given": what no user can type, since it lies outside every range.
template <class T>
inline constexpr T kUnset = std::numeric_limits<T>::min();
template <>
inline constexpr double kUnset<double> = std::numeric_limits<double>::quiet_NaN();

inline bool IsUnset(double value) { return std::isnan(value); }
inline bool IsUnset(int64_t value) { return value == kUnset<int64_t>; }
inline bool IsUnset(int value) { return value == kUnset<int>; }

struct OptionSpec {
  std::string key{};      // its name in a recipe, "num_frames"
  std::string flags{};    // "--height,-H": what --help shows; "images": a positional argument
  std::string aliases{};  // taken too, shown by --help-all
  std::string help{};
  std::string value{};                 // what --help shows for a value; FILE, FOLDER, MODEL and PATH complete
  double least = 0, most = 0;          // of numbers, inclusive; both 0: no bounds
  std::vector<std::string> choices{};  // with bounds: one of them, or a number
  std::string unset{};                 // the default in words where the field's value does not say it
  bool required = false;
  std::string group = "Options";

  std::string Flag() const;  // the first of `flags`
};

// "0.1 to 1000", "one of crop, stretch, pad", "auto or 1 to 1024"; empty where everything is taken.
std::string Expected(const OptionSpec& spec);

// Set `field` where the text is a value of this option, and return true. No number is NaN or infinite, none
// has anything behind it, none is cut to fit.
bool SetFromText(const OptionSpec& spec, const std::string& text, double& field);
bool SetFromText(const OptionSpec& spec, const std::string& text, int64_t& field);
bool SetFromText(const OptionSpec& spec, const std::string& text, int& field);
bool SetFromText(const OptionSpec& spec, const std::string& text, uint64_t& field);
bool SetFromText(const OptionSpec& spec, const std::string& text, std::string& field);
bool SetFromText(const OptionSpec& spec, const std::string& text, std::vector<double>& field);  // "1,2.5"

// The same for a value that stands in a file, under the option's key. Null leaves a number unset. Throws
// Error(kBadInput) "FILE: key 'fps' is 0, expected 0.1 to 1000".
void SetFromJson(const OptionSpec& spec, const nlohmann::json& value, const std::string& file, double& field);
void SetFromJson(const OptionSpec& spec, const nlohmann::json& value, const std::string& file,
                 int64_t& field);
void SetFromJson(const OptionSpec& spec, const nlohmann::json& value, const std::string& file,
                 uint64_t& field);
void SetFromJson(const OptionSpec& spec, const nlohmann::json& value, const std::string& file,
                 std::string& field);

// Declares the option on `app`: the last one given holds, another value than the spec allows is
// Error(kUsage) "--fps 0: expected 0.1 to 1000". What the field holds now is shown as the default.
CLI::Option* AddOption(CLI::App& app, const OptionSpec& spec, double& field);
CLI::Option* AddOption(CLI::App& app, const OptionSpec& spec, int64_t& field);
CLI::Option* AddOption(CLI::App& app, const OptionSpec& spec, int& field);
CLI::Option* AddOption(CLI::App& app, const OptionSpec& spec, uint64_t& field);
CLI::Option* AddOption(CLI::App& app, const OptionSpec& spec, std::string& field);
CLI::Option* AddOption(CLI::App& app, const OptionSpec& spec, std::vector<double>& field);
// Each use adds one; a positional argument takes all that follow.
CLI::Option* AddOption(CLI::App& app, const OptionSpec& spec, std::vector<std::string>& field);
CLI::Option* AddOption(CLI::App& app, const OptionSpec& spec, bool& field);  // a flag without a value
// Each use calls `set`, in the order of the command line.
CLI::Option* AddOption(CLI::App& app, const OptionSpec& spec, std::function<void(const std::string&)> set);
// A seed, or `random` (also -1), which sets `random`.
CLI::Option* AddSeed(CLI::App& app, const OptionSpec& spec, uint64_t& field, bool& random);

bool WasGiven(const CLI::App& app, const OptionSpec& spec);

// How an option was declared; null for those of CLI11 itself (--help, --version).
struct DeclaredOption {
  OptionSpec spec;
  std::string default_text;  // empty: none
  bool takes_value = true;
};
const DeclaredOption* FindDeclared(const CLI::Option& option);

}  // namespace mvd::cli
