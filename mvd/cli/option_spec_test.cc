#include "mvd/cli/option_spec.h"

#include <gtest/gtest.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "mvd/base/error_testing.h"
#include "mvd/cli/generate_options.h"

namespace mvd::cli {
namespace {

const OptionSpec kRate{.key = "fps", .flags = "--fps,-r", .value = "RATE", .least = 0.1, .most = 1000};
const OptionSpec kChunk{.key = "chunk", .flags = "--chunk", .least = 1, .most = 9, .choices = {"auto"}};
const OptionSpec kFit{.key = "fit", .flags = "--fit", .choices = {"crop", "pad"}};
const OptionSpec kFree{.key = "free", .flags = "--free"};

TEST(OptionSpec, SaysWhatItExpects) {
  EXPECT_EQ(Expected(kRate), "0.1 to 1000");
  EXPECT_EQ(Expected(kChunk), "auto or 1 to 9");
  EXPECT_EQ(Expected(kFit), "one of crop, pad");
  EXPECT_EQ(Expected(kFree), "");
  EXPECT_EQ(kRate.Flag(), "--fps");
}

TEST(OptionSpec, TakesWholeNumbersInRangeAndNothingElse) {
  double rate = 7;
  for (const char* text :
       {"0", "0.09", "1001", "nan", "inf", "-inf", "1e999", "", " 7", "7 ", "7x", "0x7", "--"})
    EXPECT_FALSE(SetFromText(kRate, text, rate)) << text;
  EXPECT_EQ(rate, 7);
  for (const auto& [text, value] : {std::pair("0.1", 0.1), {"1000", 1000.0}, {"1e2", 100.0}}) {
    EXPECT_TRUE(SetFromText(kRate, text, rate)) << text;
    EXPECT_EQ(rate, value);
  }
  int64_t count = 7;
  for (const char* text : {"9223372036854775808", "-9223372036854775808", "1.5", "1e2", "nan", ""})
    EXPECT_FALSE(SetFromText(kFree, text, count)) << text;
  EXPECT_TRUE(SetFromText(kFree, "9223372036854775807", count));
  int small = 7;
  EXPECT_FALSE(SetFromText(kFree, "4294967297", small));
  uint64_t seed = 7;
  for (const char* text : {"-1", "18446744073709551616", "1.0", "+1"})
    EXPECT_FALSE(SetFromText(kFree, text, seed)) << text;
  EXPECT_TRUE(SetFromText(kFree, "18446744073709551615", seed));
  EXPECT_EQ(seed, UINT64_MAX);
  std::string chunk;
  for (const char* text : {"0", "10", "many", "1.5", ""})
    EXPECT_FALSE(SetFromText(kChunk, text, chunk)) << text;
  for (const char* text : {"1", "9", "auto"}) EXPECT_TRUE(SetFromText(kChunk, text, chunk)) << text;
  std::vector<double> rates;
  for (const char* text : {"", "1,", ",1", "1,,2", "1,nan", "1,0"})
    EXPECT_FALSE(SetFromText(kRate, text, rates)) << text;
  EXPECT_TRUE(SetFromText(kRate, "1,2.5", rates));
  EXPECT_EQ(rates, (std::vector<double>{1, 2.5}));
}

TEST(OptionSpec, HoldsAFileToTheSameRange) {
  double rate = 7;
  int64_t count = 7;
  uint64_t seed = 7;
  std::string fit;
  const std::vector<nlohmann::json> no_rates = {0, 1e9, "7", true, {7}};
  for (const nlohmann::json& value : no_rates) {
    ExpectOneLineError(Exit::kBadInput, "r.json: key 'fps' is " + value.dump() + ", expected 0.1 to 1000",
                       [&] { SetFromJson(kRate, value, "r.json", rate); });
  }
  const std::vector<nlohmann::json> no_counts = {1.5, UINT64_MAX, "7"},
                                    no_seeds = {-1, 1.0, "random", nullptr};
  for (const nlohmann::json& value : no_counts)
    ExpectOneLineError(Exit::kBadInput, "key 'free'", [&] { SetFromJson(kFree, value, "r.json", count); });
  for (const nlohmann::json& value : no_seeds)
    ExpectOneLineError(Exit::kBadInput, "key 'free'", [&] { SetFromJson(kFree, value, "r.json", seed); });
  ExpectOneLineError(Exit::kBadInput, "expected one of crop, pad",
                     [&] { SetFromJson(kFit, "cut", "r.json", fit); });
  ExpectOneLineError(Exit::kBadInput, "expected one of crop, pad",
                     [&] { SetFromJson(kFit, 3, "r.json", fit); });
  EXPECT_EQ(std::tie(rate, count, seed), std::make_tuple(7.0, 7, 7u));
  SetFromJson(kRate, nullptr, "r.json", rate);
  SetFromJson(kFree, UINT64_MAX, "r.json", seed);
  EXPECT_TRUE(IsUnset(rate));
  EXPECT_EQ(seed, UINT64_MAX);
}

// What a user types is never taken for "nothing was given", and every recipe's option has a key and a range,
// choices, or is a seed.
TEST(OptionSpec, EveryOptionOfARecipeIsDeclaredOnce) {
  GenerateOptions options;
  std::set<std::string> keys;
  options.VisitRecipe([&](const OptionSpec& spec, auto& value) {
    EXPECT_TRUE(keys.insert(spec.key).second) << spec.key;
    EXPECT_TRUE(!Expected(spec).empty() || std::is_unsigned_v<std::decay_t<decltype(value)>>) << spec.key;
    EXPECT_FALSE(spec.help.empty() || spec.value.empty()) << spec.key;
  });
  EXPECT_EQ(keys.size(), 20u);
  CLI::App app;
  DeclareOptions(app, options);
  app.parse("--fps 12 --seed random --frames 3");
  EXPECT_TRUE(options.random_seed && WasGiven(app, Table().fps) && !WasGiven(app, Table().steps));
  EXPECT_EQ(options.fps, 12);
}

TEST(OptionSpec, ARecipeSetsWhatIsWanted) {
  GenerateOptions options;
  const nlohmann::json recipe = {
      {"fps", 12}, {"fps_id", -1}, {"seed", UINT64_MAX}, {"preset", ""}, {"steps", 5}};
  ReadRecipeOptions(recipe, "r.json", options, [](const OptionSpec& spec) { return spec.key != "steps"; });
  EXPECT_EQ(options.fps, 12);
  EXPECT_EQ(options.seed, UINT64_MAX);
  EXPECT_TRUE(IsUnset(options.fps_id) && IsUnset(options.steps) && options.preset.empty());
}

}  // namespace
}  // namespace mvd::cli
