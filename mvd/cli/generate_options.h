// Every option of `generate`, once: flag, aliases, help, and whether it belongs to the clip's recipe.
#pragma once

#include <string>
#include <vector>

#include "mvd/cli/flags.h"
#include "mvd/sample/pipeline.h"

namespace mvd::cli {

struct GenerateOptions {
  std::vector<std::string> images;
  std::string output, recipe, from_latents, format;
  std::string model, preset;
  int64_t weight_seed = 0;
  int64_t height = 0, width = 0, num_frames = 0, steps = 0;
  double fps = 0, fps_id = -1, motion_bucket_id = -1, noise_aug_strength = -1;
  double min_guidance_scale = -1, max_guidance_scale = -1;
  std::string decode_chunk_size = "auto";
  std::string decoder = "auto", sampler = "euler", frame_noise = "auto", fit = "crop", rng = "torch";
  int64_t seed = 42;
  std::string max_memory;
  bool guidance_batching = false, overwrite = false, strict = false;
  ExecFlags exec;

  // v(field, flags, help). A recipe holds exactly these; the rest says where to run and where to write.
  template <class V>
  void VisitRecipe(V&& v) {
    v("height", height, "--height,-H", "Pixels, a multiple of 8; default from the model");
    v("width", width, "--width,-W", "Pixels, a multiple of 8; default from the model");
    v("num_frames", num_frames, "--num-frames,--num_frames,--frames,--video-frames,--video_frames",
      "Frames; default from the model");
    v("steps", steps, "--steps,--num-inference-steps,--num_inference_steps,--num_steps",
      "Denoising steps; default from the model");
    v("fps", fps, "--fps", "Frames a second of the clip; the network is told one less, as diffusers does");
    v("fps_id", fps_id, "--fps-id,--fps_id", "What the network is told instead of fps - 1; -1: fps - 1");
    v("motion_bucket_id", motion_bucket_id, "--motion-bucket-id,--motion_bucket_id,--motion",
      "How much motion, 0 to 255; default from the model, 127 for SVD");
    v("noise_aug_strength", noise_aug_strength,
      "--noise-aug-strength,--noise_aug_strength,--cond-aug,--cond_aug,--augmentation-level",
      "Noise added to the picture; default 0.02");
    v("min_guidance_scale", min_guidance_scale, "--min-guidance-scale,--min_guidance_scale",
      "Guidance of the first frame; default from the model, 1 for SVD");
    v("max_guidance_scale", max_guidance_scale,
      "--max-guidance-scale,--max_guidance_scale,--cfg-scale,--guidance-scale",
      "Guidance of the last frame; default from the model, 3 for SVD; 1 switches it off and halves the work");
    v("decode_chunk_size", decode_chunk_size,
      "--decode-chunk-size,--decode_chunk_size,--decoding-t,--decoding_t",
      "Frames the decoder sees at once, part of the result; auto: as many as fit in memory");
    v("decoder", decoder, "--decoder", "auto (the model's), full, or tiny (TAESD)");
    v("sampler", sampler, "--sampler", "euler, heun, dpmpp_2m, one_step");
    v("frame_noise", frame_noise, "--frame-noise",
      "Where the frames begin: independent noise, shared, or auto (as the model learnt it)");
    v("fit", fit, "--fit",
      "How a picture of another shape is brought to size: crop, stretch (as diffusers), pad");
    v("rng", rng, "--rng", "Random numbers: torch (as torch.manual_seed on the CPU), philox");
    v("seed", seed, "--seed,-s", "Seed; -1 picks one and says which");
    v("dtype", exec.dtype, "--dtype,--precision", "Weights and activations: auto, f32, bf16");
    v("preset", preset, "--preset", "Random weights of an architecture instead of a model folder");
    v("weight_seed", weight_seed, "--weight-seed", "Seed of a preset's random weights");
  }
};

// Declares all flags on `app`.
void DeclareOptions(CLI::App& app, GenerateOptions& options);

// The recipe as JSON: program version, model and its hash, picture, every effective option.
nlohmann::json MakeRecipe(GenerateOptions options, const Model& model, const std::string& model_hash,
                          const std::string& image);
// Takes over what a recipe says except where `app` saw the flag on the command line. `text` is the recipe's
// JSON, `file` is for messages.
void ApplyRecipe(const CLI::App& app, const std::string& text, const std::string& file,
                 GenerateOptions& options);

// Replaces "default" values by the model's, checks names; after this, options say what will be done.
void Complete(const Model& model, GenerateOptions& options);
SvdOptions PipelineOptions(const GenerateOptions& options, int64_t decode_chunk_size);

int64_t ParseBytes(const std::string& text);  // "12GB", "512MiB", "0" for no limit; usage Error otherwise

}  // namespace mvd::cli
