// Sample clips of a run, and a contact sheet of all of them.
#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <vector>

#include "mvd/train/loop/diffusion.h"

namespace mvd {

// Each row is a clip (T,H,W,3) in [0,1], all of one size. Columns are at most 8 frames, evenly spaced.
void WriteContactSheet(const std::filesystem::path& file, const std::vector<Tensor>& rows);

// Generates a clip from each held-out clip's first frame by mvd/sample with `weights`, for `unet`, the
// network without what only training needs. Writes `folder`/step-N-K.mp4 (or DefaultClipFormat's extension),
// and step-N.png with each real clip above the generated one.
SampleReport SampleClips(DiffusionModel& model, const SvdUnetConfig& unet, const Parameters& weights,
                         const std::vector<TrainingClip>& clips, int64_t step,
                         const std::filesystem::path& folder);

}  // namespace mvd
