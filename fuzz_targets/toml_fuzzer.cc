// Any text as a training run's TOML file: an Error of one line, or options that are the same when written and
// read again.
#include "fuzz_targets/fuzzing.h"
#include "mvd/train/run_config.h"

namespace {

template <class Config>
void Check(std::string_view text) {
  mvd::BadInputAtMost([&] {
    Config config;
    const auto options = mvd::ListOptions(config);
    mvd::ReadToml(text, "fuzz", options);
    const nlohmann::json written = mvd::WriteOptionsJson(options);
    Config again;
    const auto read = mvd::ListOptions(again);
    mvd::ReadOptionsJson(written, "fuzz", read);
    mvd::Require(mvd::WriteOptionsJson(read) == written);
    mvd::BadInputAtMost([&] { mvd::CheckRunConfig(config, "fuzz"); });
  });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  Check<mvd::DiffusionConfig>(text);
  Check<mvd::AdversarialConfig>(text);
  Check<mvd::AutoencoderConfig>(text);
  return 0;
}
