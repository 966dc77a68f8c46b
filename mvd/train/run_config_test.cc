#include "mvd/train/run_config.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "mvd/base/atomic_file.h"
#include "mvd/base/source_dir_testing.h"
#include "mvd/train/train_test_util.h"

namespace mvd {
namespace {

void ReadText(DiffusionConfig& config, const std::string& text) {
  ReadToml(text, "run.toml", ListOptions(config));
}

TEST(RunConfig, TomlSetsOptions) {
  DiffusionConfig config;
  ReadText(config,
           "[optimiser]\nlr = 1e-6\nweight_decay = 0\n[run]\nsteps = 7\nprecision = \"bf16\"\ndeterministic "
           "= true\n"
           "[model]\nunet = { block_out_channels = [32, 64], num_frames = 4 }\n");
  EXPECT_EQ(config.optimiser.lr, 1e-6);
  EXPECT_EQ(config.optimiser.weight_decay, 0);  // an integer is a number
  EXPECT_EQ(config.run.steps, 7);
  EXPECT_EQ(config.run.precision, "bf16");
  EXPECT_TRUE(config.run.deterministic);
  EXPECT_EQ(nlohmann::json::parse(config.model.unet),
            (nlohmann::json{{"block_out_channels", {32, 64}}, {"num_frames", 4}}));
  EXPECT_EQ(config.optimiser.beta1, 0.9);  // untouched
}

TEST(RunConfig, ErrorsNameLineKeyFoundAndExpected) {
  const struct {
    std::string text, reason;
  } cases[] = {
      {"[optimiser]\n\nlrr = 1\n",
       "run.toml: line 3: key 'optimiser.lrr' is unknown, did you mean 'optimiser.lr'?"},
      {"[run]\nweight_decay = 1\n",
       "line 2: key 'run.weight_decay' is unknown, did you mean 'optimiser.weight_decay'?"},
      {"[optimizer]\nlr = 1\n", "line 1: key 'optimizer' is unknown"},
      {"steps = 3\n", "line 1: key 'steps' is unknown, did you mean"},
      {"[zzzzzzzz]\nqqqqqqqq = 1\n", "line 1: key 'zzzzzzzz' is unknown"},
      {"[run]\nsteps = 0\n", "line 2: key 'run.steps' is 0, expected an integer, 1 or more"},
      {"[run]\nsteps = 1.5\n", "key 'run.steps' is 1.5, expected an integer"},
      {"[run]\nsteps = 99999999999999999\n", "key 'run.steps' is 99999999999999999, expected"},
      {"[optimiser]\nlr = nan\n", "key 'optimiser.lr' is \"nan\", expected a number, 0.0 to 1.0"},
      {"[optimiser]\nlr = -1e-5\n", "key 'optimiser.lr' is -1e-05, expected a number, 0.0 to 1.0"},
      {"[optimiser]\nlr = \"1e-5\"\n", "key 'optimiser.lr' is \"1e-5\", expected a number"},
      {"[run]\ndevice = \"tpu\"\n", "key 'run.device' is \"tpu\", expected \"cpu\" | \"cuda\""},
      {"[run]\nout = \"a\\nb\"\n", "key 'run.out' holds control characters"},
      {"[run]\nout = { a = 1 }\n", "key 'run.out' is a table, expected text"},
      {"[run]\ndeterministic = 1\n", "key 'run.deterministic' is 1, expected true or false"},
      {"[model]\nunet = \"[1]\"\n", "key 'model.unet' is \"[1]\", expected a JSON object"},
      {"[model]\npreset = \"sdv\"\n", "\"svd-tiny\""},
      {"[run]\nsteps = = 3\n", "run.toml: line 2: "},
      {"[run]\nsteps = 1\nsteps = 2\n", "run.toml: line 3: "},
      {"[data]\nfps = 1979-05-27\n", "key 'data.fps' is \"a date\""},
  };
  for (const auto& test : cases) {
    DiffusionConfig config;
    ExpectOneLineError(Exit::kBadInput, test.reason, [&] { ReadText(config, test.text); });
  }
}

TEST(RunConfig, OverridesWinAndAreChecked) {
  DiffusionConfig config;
  const std::vector<Option> options = ListOptions(config);
  ApplyOverride("optimiser.lr=3e-4", options);
  ApplyOverride("run.out=runs/a=b", options);  // the first '=' divides
  ApplyOverride("run.device=cuda", options);
  ApplyOverride("log.tensorboard=false", options);
  EXPECT_EQ(config.optimiser.lr, 3e-4);
  EXPECT_EQ(config.run.out, "runs/a=b");
  EXPECT_EQ(config.run.device, "cuda");
  EXPECT_FALSE(config.output.tensorboard);
  ExpectOneLineError(Exit::kUsage, "--set is 'run.steps', expected KEY=VALUE",
                     [&] { ApplyOverride("run.steps", options); });
  ExpectOneLineError(Exit::kUsage, "key 'run.steps' is \"12x\", expected an integer",
                     [&] { ApplyOverride("run.steps=12x", options); });
  ExpectOneLineError(Exit::kUsage, "did you mean 'run.steps'?",
                     [&] { ApplyOverride("run.step=1", options); });
  ExpectOneLineError(Exit::kUsage, "expected a number", [&] { ApplyOverride("optimiser.lr=inf", options); });
  ExpectOneLineError(Exit::kUsage, "expected true or false",
                     [&] { ApplyOverride("log.tensorboard=1", options); });
}

// Every option moved off its default goes out as TOML and as JSON and comes back.
template <class Config>
void RoundTrip() {
  Config config, fallback, from_toml, from_json;
  const std::vector<Option> options = ListOptions(config), defaults = ListOptions(fallback);
  for (const Option& option : options) {
    if (auto* flag = std::get_if<bool*>(&option.value)) **flag = !**flag;
    if (auto* whole = std::get_if<int64_t*>(&option.value)) **whole += double(**whole) < option.most ? 1 : -1;
    if (auto* number = std::get_if<double*>(&option.value))
      **number = 0.37 * (option.least + std::min(option.most, option.least + 1));
    if (auto* text = std::get_if<std::string*>(&option.value)) {
      **text = !option.choices.empty() ? option.choices.back()
               : option.json           ? R"({"a":"b'c","d":[1]})"
                                       : "a \"b\" \\c";
    }
  }
  const std::string toml = WriteToml(options, defaults, "a test");
  ReadToml(toml, "written.toml", ListOptions(from_toml));
  ReadOptionsJson(WriteOptionsJson(options), "written.json", ListOptions(from_json));
  for (Config* read : {&from_toml, &from_json}) {
    const std::vector<Option> back = ListOptions(*read);
    for (const Difference& difference : CompareOptions(options, back)) {
      ADD_FAILURE() << difference.key << " was " << difference.before << ", came back " << difference.after;
    }
  }
  // The comparison sees each option but those whose last choice is the default.
  std::set<std::string> changed;
  for (const Difference& difference : CompareOptions(defaults, options)) changed.insert(difference.key);
  for (const Option& option : defaults) {
    const auto* text = std::get_if<std::string*>(&option.value);
    const bool same = text && !option.choices.empty() && **text == option.choices.back();
    EXPECT_EQ(changed.count(option.key), same ? 0u : 1u) << option.key;
  }
}
TEST(RunConfig, DiffusionRoundTrip) { RoundTrip<DiffusionConfig>(); }
TEST(RunConfig, AutoencoderRoundTrip) { RoundTrip<AutoencoderConfig>(); }

template <class Config>
void Defaults() {
  Config config;
  const std::vector<Option> options = ListOptions(config);
  const std::string text = WriteToml(options, options, "defaults");
  Config back;
  ReadToml(text, "defaults.toml", ListOptions(back));
  CheckRunConfig(back, "defaults.toml");
  EXPECT_TRUE(CompareOptions(options, ListOptions(back)).empty());
  std::set<std::string> keys;
  std::set<const void*> values;
  for (const Option& option : options) {
    EXPECT_TRUE(keys.insert(option.key).second) << option.key;
    std::visit([&](const auto* value) { EXPECT_TRUE(values.insert(value).second) << option.key; },
               option.value);
    EXPECT_FALSE(option.meaning.empty()) << option.key;
  }
}
TEST(RunConfig, DefaultsAreLegalAndListedOnce) {
  Defaults<DiffusionConfig>();
  Defaults<AutoencoderConfig>();
}

TEST(RunConfig, ResumeAllowsMoreStepsAndAnotherFolder) {
  DiffusionConfig before, after;
  after.run.steps = 20000, after.run.out = "elsewhere", after.output.checkpoint_minutes = 1,
  after.run.threads = 3, after.optimiser.lr = 3e-4;
  before.schedule.kind = after.schedule.kind = "cosine";
  const std::vector<Difference> allowed = CheckResume(ListOptions(before), ListOptions(after));
  ASSERT_EQ(allowed.size(), 5u);
  EXPECT_EQ(allowed[0].key, "optimiser.lr");
  EXPECT_EQ(allowed[1].key, "run.out");
  EXPECT_EQ(allowed[1].before, "\"run\"");
  EXPECT_EQ(allowed[1].after, "\"elsewhere\"");
}

TEST(RunConfig, ResumeRefusesAnotherRun) {
  DiffusionConfig before, after;
  after.optimiser.beta1 = 0.5, after.run.batch = 2, after.run.out = "elsewhere";
  ExpectOneLineError(Exit::kUsage, "optimiser.beta1 was 0.9, now 0.5; run.batch was 1, now 2",
                     [&] { CheckResume(ListOptions(before), ListOptions(after)); });
}

TEST(RunConfig, WholeConfigIsChecked) {
  const TestFolder folder;
  const auto read = [&](const std::vector<std::string>& overrides) {
    return ReadRunConfig<DiffusionConfig>("", overrides);
  };
  ExpectOneLineError(Exit::kBadInput, "options: key 'data.height' is 250, expected a multiple of 8",
                     [&] { read({"data.height=250"}); });
  ExpectOneLineError(Exit::kBadInput, "'data.folder' is empty", [&] { read({"data.kind=shards"}); });
  ExpectOneLineError(Exit::kBadInput, "'schedule.warmup_steps' is 500, expected fewer than run.steps, 100",
                     [&] {
                       read({"schedule.kind=cosine", "run.steps=100"});
                     });
  ExpectOneLineError(Exit::kBadInput, "'schedule.min_lr'", [&] { read({"schedule.min_lr=0.5"}); });
  ExpectOneLineError(Exit::kBadInput, "'data.frames' is 1", [&] { read({"data.frames=1"}); });
  ExpectOneLineError(Exit::kBadInput, "'data.keep' is true, expected a number of data.clips",
                     [&] { read({"data.keep=true"}); });
  ExpectOneLineError(Exit::kBadInput, "'run.record' is true, expected run.device \"cuda\"",
                     [&] { read({"run.record=true"}); });
  ExpectOneLineError(Exit::kBadInput, "expected run.accumulation 1 with it, found 2", [&] {
    read({"run.record=true", "run.device=cuda", "run.accumulation=2"});
  });
  ExpectOneLineError(Exit::kBadInput, "'loss.l1' is 0", [&] {
    ReadRunConfig<AutoencoderConfig>("", {"loss.l1=0", "loss.edges=0"});
  });
  ExpectOneLineError(Exit::kNotFound, "absent.toml",
                     [&] { ReadRunConfig<DiffusionConfig>(folder.path / "absent.toml"); });
}

// Frames with one noise differ by the clip alone: below the highest level they would show the motion.
TEST(RunConfig, SharedNoiseNeedsOneGeneratorLevel) {
  const auto read = [](std::vector<std::string> overrides) {
    overrides.push_back("generator.frame_noise=shared");
    return ReadRunConfig<AdversarialConfig>("", overrides);
  };
  EXPECT_EQ(read({"generator.levels=2"}).levels, 2);
  for (const char* levels : {"3", "4"}) {
    const std::string reason = StrCat(
        "key 'generator.frame_noise' is \"shared\" while 'generator.levels' is ", levels, ", expected 2");
    ExpectOneLineError(Exit::kBadInput, reason, [&] { read({StrCat("generator.levels=", levels)}); });
  }
}

TEST(RunConfig, ATeacherBeginsWithNoiseAlone) {
  const auto read = [](std::vector<std::string> overrides) {
    overrides.push_back("generator.teacher=teacher");
    return ReadRunConfig<AdversarialConfig>("", overrides);
  };
  EXPECT_EQ(read({"generator.levels=2"}).teacher, "teacher");
  ExpectOneLineError(Exit::kBadInput, "key 'generator.teacher' is set while 'generator.levels' is 4",
                     [&] { read({}); });
  ExpectOneLineError(Exit::kBadInput, "'generator.frame_noise' \"shared\"", [&] {
    read({"generator.levels=2", "generator.frame_noise=shared"});
  });
}

// The recipes of the repository stay legal as options change.
TEST(RunConfig, RecipesRead) {
  const std::filesystem::path recipes = SourceDir() / "recipes";
  const DiffusionConfig svd = ReadRunConfig<DiffusionConfig>(recipes / "svd" / "lowres.toml");
  EXPECT_EQ(svd.optimiser.lr, 1e-6);
  EXPECT_EQ(svd.optimiser.weight_decay, 1e-3);
  EXPECT_EQ(svd.data.width, 512);
  EXPECT_EQ(svd.data.height, 256);
  const DiffusionConfig tiny = ReadRunConfig<DiffusionConfig>(recipes / "tiny_synth.toml");
  EXPECT_EQ(tiny.data.height, 64);
  EXPECT_EQ(tiny.data.width, 128);
  ReadRunConfig<AutoencoderConfig>(recipes / "autoencoder_tiny.toml");
  for (const char* folder : {"svd", "demo"}) {
    const AdversarialConfig one_step =
        ReadRunConfig<AdversarialConfig>(recipes / folder / "adversarial.toml");
    EXPECT_EQ(one_step.pruning, "learned");
    EXPECT_EQ(one_step.keep, 11);
  }
  ReadRunConfig<DiffusionConfig>(recipes / "svd" / "hd.toml");
  const AdversarialConfig large = ReadRunConfig<AdversarialConfig>(recipes / "svd" / "hd_adversarial.toml");
  EXPECT_EQ(large.optimiser.lr * 2, AdversarialConfig().optimiser.lr);
  EXPECT_EQ(large.r1_every, 1);
  ReadRunConfig<DiffusionConfig>(recipes / "demo" / "teacher.toml");
  ReadRunConfig<FeaturesConfig>(recipes / "demo" / "features.toml");
}

}  // namespace
}  // namespace mvd
