// Any text as each config.json that a model folder holds: an Error of one line, or a config that is the same
// when written and read again, and whose graph can be built and verified where it is small.
#include "fuzz_targets/fuzzing.h"
#include "mvd/io/json.h"
#include "mvd/models/clip_vision.h"
#include "mvd/models/config_json.h"
#include "mvd/models/svd_unet.h"
#include "mvd/models/taesd.h"
#include "mvd/models/vae.h"

namespace {

template <class Config>
void Check(const nlohmann::json& json) {
  mvd::BadInputAtMost([&] {
    const Config config = mvd::ReadConfig<Config>(json, "fuzz");
    const nlohmann::json written = mvd::WriteConfig(config);
    mvd::Require(mvd::WriteConfig(mvd::ReadConfig<Config>(written, "fuzz")) == written);
  });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  mvd::BadInputAtMost([&] {
    const nlohmann::json json = mvd::ParseJson(text, "fuzz");
    Check<mvd::SvdUnetConfig>(json);
    Check<mvd::VaeConfig>(json);
    Check<mvd::TaesdConfig>(json);
    Check<mvd::ClipVisionConfig>(json);
  });
  return 0;
}
