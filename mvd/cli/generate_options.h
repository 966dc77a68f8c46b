// Every option of `generate`, once: flag, aliases, help, and whether it belongs to the clip's recipe.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "mvd/cli/flags.h"
#include "mvd/cli/option_table.h"
#include "mvd/sample/pipeline.h"

namespace mvd::cli {

struct GenerateOptions {
  std::vector<std::string> images;
  std::string output, recipe, from_latents, format;
  std::string model, preset;
  uint64_t weight_seed = 0;
  int64_t height = kUnset<int64_t>, width = kUnset<int64_t>;
  int64_t num_frames = kUnset<int64_t>, steps = kUnset<int64_t>;
  double fps = kUnset<double>, fps_id = kUnset<double>;
  double motion_bucket_id = kUnset<double>, noise_aug_strength = kUnset<double>;
  double min_guidance_scale = kUnset<double>, max_guidance_scale = kUnset<double>;
  std::string decode_chunk_size = "auto";
  std::string decoder = "auto", sampler = "euler", frame_noise = "auto", fit = "crop", rng = "torch";
  uint64_t seed = 42;
  bool random_seed = false;  // Complete draws one
  std::string max_memory;
  bool guidance_batching = false, overwrite = false, skip_existing = false, strict = false;
  ExecFlags exec;

  // v(spec, field) for what a recipe holds, under the spec's key; the rest says where to run and what to
  // write.
  template <class V>
  void VisitRecipe(V&& v) {
    const OptionTable& t = Table();
    v(t.height, height);
    v(t.width, width);
    v(t.frames, num_frames);
    v(t.steps, steps);
    v(t.fps, fps);
    v(t.fps_id, fps_id);
    v(t.motion_bucket_id, motion_bucket_id);
    v(t.noise_aug_strength, noise_aug_strength);
    v(t.min_guidance_scale, min_guidance_scale);
    v(t.max_guidance_scale, max_guidance_scale);
    v(t.decode_chunk_size, decode_chunk_size);
    v(t.decoder, decoder);
    v(t.sampler, sampler);
    v(t.frame_noise, frame_noise);
    v(t.fit, fit);
    v(t.rng, rng);
    v(t.seed, seed);
    v(t.dtype, exec.dtype);
    v(t.preset, preset);
    v(t.weight_seed, weight_seed);
  }
};

// Declares all flags on `app`.
void DeclareOptions(CLI::App& app, GenerateOptions& options);

// Sets `options` from the object under a recipe's "options", those keys that `wanted` says. What the same
// option would refuse on the command line is Error(kBadInput) naming file and key.
void ReadRecipeOptions(const nlohmann::json& recipe_options, const std::string& file,
                       GenerateOptions& options, const std::function<bool(const OptionSpec&)>& wanted);

// Replaces "default" values but the size by the model's, checks names; after this and CompleteSize, options
// say what will be done.
void Complete(const Model& model, GenerateOptions& options);
// The frames' size for a picture of this size; 0: for none, the model's own.
void CompleteSize(const Model& model, int64_t picture_height, int64_t picture_width,
                  GenerateOptions& options);
SvdOptions PipelineOptions(const Model& model, const GenerateOptions& options, int64_t decode_chunk_size);

int64_t ParseBytes(const std::string& text);  // "12GB", "512MiB", "0" for no limit; usage Error otherwise

}  // namespace mvd::cli
