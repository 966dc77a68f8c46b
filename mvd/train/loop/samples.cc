#include "mvd/train/loop/samples.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "mvd/media/clip.h"
#include "mvd/sample/pipeline.h"
#include "mvd/train/health.h"
#include "mvd/train/loop/tensors.h"
#include "mvd/train/run_models.h"

namespace mvd {
namespace fs = std::filesystem;
namespace {

constexpr int64_t kMostColumns = 8;
constexpr int kGap = 2;  // pixels between pictures

// The networks in training as the pipeline's callables.
SvdComponents Components(DiffusionModel& m, const SvdUnetConfig& unet, const Parameters& weights) {
  SvdComponents c;
  c.scaling_factor = 1;  // DecodeLatents takes scaled latents
  c.image_embeds = [&m, &weights](const TensorView& image) {
    at::Tensor pixels;
    if (!m.networks.image_encoder.empty()) {
      const int64_t s = m.networks.preprocessing.size;
      pixels =
          ToTorch(ClipPixels(image, m.networks.preprocessing)).view({1, 1, s, s, 3}).to(m.networks.device);
    }
    return FromTorch(EmbedImages(m, weights, pixels, 1, m.frozen).flatten(1));
  };
  c.vae_encode = [&m](const TensorView& image) {
    const at::Tensor x = ToTorch(image).unsqueeze(1).to(m.networks.device);
    return FromTorch(EncodeImages(m.networks.autoencoder, x, 1, m.frozen).squeeze(1));
  };
  // The blocks that are left may change between two calls, so graphs are not kept.
  const auto graphs = std::make_shared<GraphCache>(m.frozen.options());
  c.unet = [&m, &unet, &weights, graphs](const SvdUnetInput& in) {
    const at::Tensor x = ToTorch(in.sample).to(m.networks.device);
    const int64_t b = x.size(0), t = x.size(1), h = x.size(2), w = x.size(3);
    const TorchGraph& graph =
        graphs->Get({"unet", b, t, h, w}, [&] { return BuildSvdUnet(unet, b, t, h, w); });
    const auto place = [&](const at::Tensor& y) { return y.to(m.networks.device).view({b, 1, 1, 1, -1}); };
    return FromTorch(graph
                         .Run(Without("unet.", weights),
                              {{"sample", x},
                               {"timestep", at::full({b, 1, 1, 1, 1}, float(in.timestep), x.options())},
                               {"encoder_hidden_states", place(ToTorch(in.image_embeds))},
                               {"added_time_ids", place(ToTorch(in.added_time_ids))}})
                         .at("sample"));
  };
  c.moves_picture = m.networks.autoencoder.motion_channels() > 0;
  c.vae_decode = [&m](const SvdDecodeInput& in) {
    const at::Device device = m.networks.device;
    const at::Tensor x = ToTorch(in.latents).unsqueeze(0).to(device);
    const at::Tensor picture = ToTorch(in.picture).unsqueeze(1).to(device);
    const at::Tensor travel = at::tensor(std::vector<float>(in.travel.begin(), in.travel.end()), at::kFloat)
                                  .view({1, -1, 1, 1, 1})
                                  .to(device);
    return FromTorch(DecodeLatents(m.networks.autoencoder, x, m.frozen, picture, travel).squeeze(0));
  };
  return c;
}

SvdOptions Options(const DiffusionConfig& config, const UnetSampling& sampling, const TrainingClip& clip) {
  SvdOptions o;
  o.height = clip.height, o.width = clip.width, o.num_frames = clip.frames;
  o.num_inference_steps = config.output.samples_denoise_steps;
  o.fps = clip.fps, o.fps_id = FpsId(config, clip), o.motion_bucket_id = MotionBucket(config, clip);
  o.max_guidance_scale = 1;  // no guidance: shows what the network itself predicts
  o.decode_chunk_size = FramesAtOnce(clip.height, clip.width);
  o.shared_noise = sampling.frame_noise == kSharedNoise;
  return o;
}

Tensor UnitPixels(const TrainingClip& clip) {
  const at::Tensor signed_pixels = SignedPixels(clip.pixels.data(), clip.frames, clip.height, clip.width);
  return FromTorch((signed_pixels.squeeze(1) + 1) / 2);
}

Tensor MakeClip(DiffusionModel& m, const SvdComponents& components, const UnetSampling& sampling,
                const TrainingClip& clip, uint64_t seed) {
  const SvdOptions o = Options(m.config, sampling, clip);
  Rng rng(RngKind::kPhilox, seed);
  const Autoencoder& a = m.networks.autoencoder;
  const SvdNoise noise = DrawSvdNoise(rng, o, a.channels(), a.factor());
  const at::Tensor first = SignedPixels(clip.pixels.data(), 1, clip.height, clip.width).squeeze(1);
  const Tensor image = FromTorch(first);
  const SvdConditioning conditioning = EncodeSvd(components, image, image, noise.image, o);
  SchedulerConfig scheduler = SvdSchedulerConfig();
  scheduler.sigmas = sampling.sigmas;
  const Schedule schedule = MakeSchedule(scheduler, o.num_inference_steps);
  return DecodeSvd(components, DenoiseSvd(components, conditioning, schedule, noise.latents, o), o, {},
                   image);
}

std::string StepName(int64_t step) {
  char name[32];
  std::snprintf(name, sizeof(name), "step-%06lld", static_cast<long long>(step));
  return name;
}

}  // namespace

void WriteContactSheet(const fs::path& file, const std::vector<Tensor>& rows) {
  const Shape s = rows.at(0).shape();
  const int64_t columns = std::min(s[0], kMostColumns);
  Image sheet{int(columns * (s[2] + kGap)), int(int64_t(rows.size()) * (s[1] + kGap)), {}};
  sheet.rgb.assign(size_t(sheet.width) * size_t(sheet.height) * 3, 255);
  for (size_t row = 0; row < rows.size(); ++row) {
    const Clip clip = FramesFromFloat(rows[row].f32(), s[0], s[1], s[2], 1);
    for (int64_t column = 0; column < columns; ++column) {
      const int64_t frame = columns > 1 ? column * (s[0] - 1) / (columns - 1) : 0;
      const Image& picture = clip.frames[size_t(frame)];
      for (int64_t y = 0; y < s[1]; ++y) {
        const size_t target =
            (row * size_t(s[1] + kGap) + size_t(y)) * size_t(sheet.width) + size_t(column * (s[2] + kGap));
        std::copy_n(&picture.rgb[size_t(y * s[2] * 3)], s[2] * 3, &sheet.rgb[target * 3]);
      }
    }
  }
  WritePng(file, sheet);
}

SampleReport SampleClips(DiffusionModel& m, const SvdUnetConfig& unet, const Parameters& weights,
                         const std::vector<TrainingClip>& clips, int64_t step, const fs::path& folder) {
  const c10::NoGradGuard guard;
  const SvdComponents components = Components(m, unet, weights);
  const ClipFormat& format = DefaultClipFormat();
  SampleReport report;
  std::vector<Tensor> rows;
  for (size_t i = 0; i < clips.size(); ++i) {
    const TrainingClip& clip = clips[i];
    Tensor made = MakeClip(m, components, unet.sampling, clip, kHeldOutSamples + i);
    Tensor real = UnitPixels(clip);
    report.motion += MotionMagnitude(made.f32(), clip.frames) / double(clips.size());
    report.data_motion += MotionMagnitude(real.f32(), clip.frames) / double(clips.size());
    report.copy_ratio += FirstFrameCopyRatio(made.f32(), real.f32(), clip.frames) / double(clips.size());
    const Clip frames = FramesFromFloat(made.f32(), clip.frames, clip.height, clip.width, clip.fps);
    WriteClip(frames, folder / StrCat(StepName(step), "-", i, ExtensionOf(format)), format, "",
              Replace::kYes);
    rows.push_back(std::move(real));
    rows.push_back(std::move(made));
  }
  const Tensor other = MakeClip(m, components, unet.sampling, clips.at(0), kHeldOutSamples + clips.size());
  const Tensor& first = rows.at(1);
  for (size_t i = 0; i < first.f32().size(); ++i)
    report.variety += std::fabs(double(first.f32()[i]) - double(other.f32()[i])) / double(first.f32().size());
  report.has_motion = true;
  report.sheet = folder / (StepName(step) + ".png");
  WriteContactSheet(report.sheet, rows);
  return report;
}

}  // namespace mvd
