// A model's networks as the pipeline's callables: each is loaded when it is first called and freed when the
// next stage begins, so that the peak is the largest stage and not their sum.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "mvd/engine/model.h"
#include "mvd/engine/network.h"
#include "mvd/sample/pipeline.h"

namespace mvd {

enum class DecoderKind { kAuto, kFull, kTiny };  // kAuto: the full decoder where the model has one

struct StageMemory {
  std::string component;
  MemoryPlan plan;
  int64_t beside_bytes = 0;  // pictures, noise, latents and frames, and a weight on its way in
  int64_t total() const { return plan.total() + beside_bytes; }
};

class SvdEngine {
 public:
  // `model` outlives the engine.
  SvdEngine(const Model& model, const NetworkOptions& options, DecoderKind decoder = DecoderKind::kAuto);

  // The pipeline's callables, bound to this engine; they load what they need.
  SvdComponents Components(const Progress& load_progress = {});

  // What each stage of a run will hold beside the process as it stands; no weight is read. `picture_bytes`:
  // of the picture as the image encoder sees it. Error(kOutOfMemory) where a stage fits no machine.
  std::vector<StageMemory> Plan(const SvdOptions& options, int64_t picture_bytes = 0) const;
  // The frames of a decoder call whose stage fits in `max_bytes` (at least 1): all of them, or else as few
  // calls as that allows, of sizes as even as they can be. 14 frames of which 13 fit are decoded 7 and 7: a
  // call of one frame would see no neighbours.
  int64_t FitDecodeChunk(const SvdOptions& options, int64_t max_bytes) const;

  std::string_view decoder_component() const { return decoder_; }
  double load_seconds() const { return load_seconds_; }
  void Unload();

 private:
  // The network for these sizes, loaded; anything else is freed before.
  Network& Get(std::string_view component, const CallSizes& sizes, const Progress& progress);
  Network Make(std::string_view component, const CallSizes& sizes) const;
  StageMemory PlanStage(std::string_view component, const CallSizes& sizes, int64_t beside) const;
  StageMemory PlanDecoder(const SvdOptions& options, int64_t chunk) const;
  std::string_view ComponentOf(SvdNetwork network) const;
  std::string ExplainNotFinite(std::string_view component) const;

  struct Loaded {
    std::string component;
    CallSizes sizes;
    std::unique_ptr<Network> network;
  };

  const Model& model_;
  NetworkOptions options_;
  std::string_view decoder_;
  std::vector<Loaded> loaded_;  // at most one
  Tensor last_embeds_;          // tells whether a UNet call belongs to the same clip
  double load_seconds_ = 0;
};

}  // namespace mvd
