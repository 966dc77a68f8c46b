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
};

class SvdEngine {
 public:
  // `model` outlives the engine.
  SvdEngine(const Model& model, const NetworkOptions& options, DecoderKind decoder = DecoderKind::kAuto);

  // The pipeline's callables, bound to this engine; they load what they need.
  SvdComponents Components(const Progress& load_progress = {});

  // What each stage of a run will hold, largest tensors and weights together; no weight is read.
  std::vector<StageMemory> Plan(const SvdOptions& options) const;
  // The largest decoding chunk whose stage fits in `max_bytes` (at least 1).
  int64_t FitDecodeChunk(const SvdOptions& options, int64_t max_bytes) const;

  std::string_view decoder_component() const { return decoder_; }
  double load_seconds() const { return load_seconds_; }
  void Unload();

 private:
  // The network for these sizes, loaded; anything else is freed before.
  Network& Get(std::string_view component, const CallSizes& sizes, const Progress& progress);
  Network Make(std::string_view component, const CallSizes& sizes) const;

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
