#include "mvd/train/loop/teacher.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "mvd/base/error.h"
#include "mvd/models/presets.h"
#include "mvd/sample/denoiser.h"
#include "mvd/train/loop/adversarial.h"
#include "mvd/train/loop/tensors.h"
#include "mvd/train/run_models.h"

namespace mvd {

Teacher LoadTeacher(const AdversarialConfig& config, const Networks& own, at::Device device) {
  ModelSection section;
  section.folder = config.teacher;
  const Model model = OpenModel(section, {HardwareThreads()});
  Teacher teacher;
  teacher.unet = model.configs().unet;
  const SvdUnetConfig& unet = own.configs.unet;
  if (teacher.unet.in_channels != unet.in_channels ||
      teacher.unet.cross_attention_dim[0] != unet.cross_attention_dim[0]) {
    ThrowBadInput(model.origin(), "UNet takes ", teacher.unet.in_channels, " channels and embeddings of ",
                  teacher.unet.cross_attention_dim[0], ", but the generator's takes ", unet.in_channels,
                  " and ", unet.cross_attention_dim[0], " (generator.teacher)");
  }
  ClipDefaults defaults;
  defaults.Apply(teacher.unet.sampling);
  if (defaults.max_guidance_scale > 1) {
    ThrowBadInput(model.origin(), "samples with a guidance of up to ", defaults.max_guidance_scale,
                  ", expected 1: a teacher answers without guidance (generator.teacher)");
  }
  teacher.schedule = MakeSchedule(model.scheduler(), defaults.num_inference_steps, model.scheduler_file());
  const Parameters weights =
      LoadParameters(BuildSvdUnet(teacher.unet, 1, config.data.frames, 8, 8), *model.Weights("unet"), device);
  for (const auto& [name, tensor] : weights) teacher.weights["unet." + name] = tensor.detach();
  return teacher;
}

at::Tensor TeachersClip(const Teacher& teacher, const Question& question, GraphCache& graphs) {
  const c10::NoGradGuard guard;
  const at::Tensor zeros = at::zeros_like(question.noise);
  const auto host = [&](std::span<const float> x) {
    return at::from_blob(const_cast<float*>(x.data()), zeros.sizes(), at::kFloat);
  };
  const Denoiser denoise = [&](std::span<const float> x, double sigma, std::span<float> denoised) {
    Question q = question;
    q.clips = host(x).to(zeros.device()), q.noise = zeros;
    q.sigma.assign(size_t(zeros.size(0)), sigma);
    host(denoised).copy_(OneStep(teacher.weights, teacher.unet, q, {}, graphs));
  };
  at::Tensor x = (question.noise * teacher.schedule.init_noise_sigma).to(at::kCPU, at::kFloat).contiguous();
  SampleEuler(denoise, teacher.schedule.sigmas, {x.data_ptr<float>(), size_t(x.numel())}, {});
  return x.to(zeros.device());
}

}  // namespace mvd
