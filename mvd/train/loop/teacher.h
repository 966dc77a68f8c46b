// The teacher of `train adversarial`: a UNet whose own clips the generator learns to make in one step (as
// Luhman & Luhman, arXiv 2101.02388, section 3, with a pseudo-Huber distance).
#pragma once

#include <ATen/core/Tensor.h>

#include "mvd/sample/schedule.h"
#include "mvd/train/loop/judge.h"

namespace mvd {

struct Teacher {
  SvdUnetConfig unet;
  Parameters weights;  // "unet.*", without gradients
  Schedule schedule;   // of its own model folder
};

// Of generator.teacher. A model that needs guidance, or whose latents are not `own`'s, is an Error.
Teacher LoadTeacher(const AdversarialConfig& config, const Networks& own, at::Device device);

// The clip that it makes by Euler's method from the question's noise; the question's clips and levels do not
// count. (B,T,h,w,C), without gradient.
at::Tensor TeachersClip(const Teacher& teacher, const Question& question, GraphCache& graphs);

}  // namespace mvd
