// Every option that more than one command takes, and every option of a clip's recipe: the one place for
// their names, units and ranges. What a single command takes stands in that command.
#pragma once

#include "mvd/cli/option_spec.h"

namespace mvd::cli {

struct OptionTable {
  // Model
  OptionSpec model, preset, weight_seed, strict;
  // Clip; these are the keys of a recipe
  OptionSpec height, width, frames, batch, steps, fps, fps_id, motion_bucket_id, noise_aug_strength,
      min_guidance_scale, max_guidance_scale, decode_chunk_size, decoder, sampler, frame_noise, fit, rng,
      seed;
  // Execution
  OptionSpec executor, dtype, isa, threads, pin, skip;
  // Files
  OptionSpec output_folder, weight_dtype, force, component;
};

const OptionTable& Table();

// --format, of clips; `more` are other formats of the command.
OptionSpec ClipFormatOption(std::string help, std::vector<std::string> more = {});

// The same option under another help text or group.
OptionSpec WithHelp(OptionSpec spec, std::string help);
OptionSpec InGroup(OptionSpec spec, std::string group);
OptionSpec Required(OptionSpec spec);

}  // namespace mvd::cli
