// What a run shows of itself: clips, and one contact sheet of all.
#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <vector>

#include "mvd/train/loop/diffusion.h"

namespace mvd {

// (T,H,W,3) in [0,1] each; rows of equal size. Columns are frames, at most 8, evenly chosen.
void WriteContactSheet(const std::filesystem::path& file, const std::vector<Tensor>& rows);

// Makes a clip of each held-out clip's first frame by mvd/sample with the weights in training, of `unet`, the
// network as it is without what training adds; writes `folder`/step-N-K.mp4 (or DefaultClipFormat's), and
// step-N.png with the real clip above each.
SampleReport SampleClips(DiffusionModel& model, const SvdUnetConfig& unet, const Parameters& weights,
                         const std::vector<TrainingClip>& clips, int64_t step,
                         const std::filesystem::path& folder);

}  // namespace mvd
