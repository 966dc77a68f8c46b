// The pipeline around tiny stand-ins for its networks, whose results can be worked out by hand.
#include "mvd/sample/pipeline.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "mvd/sample/guidance.h"

namespace mvd {
namespace {

constexpr int64_t kChannels = 4, kEmbed = 2;
constexpr double kEmbedding = 0.375;

struct Call {
  int64_t batch;
  double timestep;
  std::vector<float> ids;
};

// UNet: 0.5 noise + 0.25 image + embedding. VAE: the latents of a pixel block are its first pixel's red times
// 1 to 4; a decoded picture is the latent's first channel plus the number of frames of the call / 8.
struct Stage {
  std::vector<Call> unet_calls;
  std::vector<int64_t> decode_frames;
  SvdComponents components;

  Stage() {
    components.image_embeds = [](const TensorView& image) {
      return Tensor::FromVector({1, kEmbed}, std::vector<float>{image.f32()[0], float(kEmbedding)});
    };
    components.vae_encode = [](const TensorView& image) {
      Tensor latents({1, image.shape[1] / 8, image.shape[2] / 8, kChannels});
      for (int64_t i = 0; i < latents.elements(); ++i) {
        const int64_t x = i / kChannels % latents.shape()[2], y = i / kChannels / latents.shape()[2];
        const int64_t pixel = y * 8 * image.shape[2] + x * 8;
        latents.f32()[size_t(i)] = image.f32()[size_t(pixel * 3)] * float(i % kChannels + 1);
      }
      return latents;
    };
    components.unet = [this](const SvdUnetInput& input) {
      const auto ids = input.added_time_ids.f32();
      unet_calls.push_back({input.sample.shape[0], input.timestep, {ids.begin(), ids.end()}});
      Shape shape = input.sample.shape;
      shape[-1] = kChannels;
      Tensor out(shape);
      const int64_t each = out.elements() / shape[0];
      for (int64_t i = 0; i < out.elements(); ++i) {
        const float* pixel = &input.sample.f32()[size_t(i / kChannels * 2 * kChannels)];
        const float embed = input.image_embeds.f32()[size_t(i / each * kEmbed + 1)];
        out.f32()[size_t(i)] = 0.5f * pixel[i % kChannels] + 0.25f * pixel[kChannels + i % kChannels] + embed;
      }
      return out;
    };
    components.vae_decode = [this](const SvdDecodeInput& in) {
      const TensorView& latents = in.latents;
      decode_frames.push_back(latents.shape[0]);
      Tensor out({latents.shape[0], latents.shape[1] * 8, latents.shape[2] * 8, 3});
      const int64_t each = out.elements() / latents.shape[0];
      const int64_t latent = latents.shape.elements() / latents.shape[0];
      for (int64_t i = 0; i < out.elements(); ++i) {
        out.f32()[size_t(i)] = latents.f32()[size_t(i / each * latent)] + float(latents.shape[0]) / 8;
      }
      return out;
    };
  }
};

SvdOptions SmallOptions() {
  SvdOptions options;
  options.height = 16, options.width = 24, options.num_frames = 3, options.num_inference_steps = 4;
  options.noise_aug_strength = 0.5;
  return options;
}

Tensor Filled(Shape shape, double step) {
  Tensor tensor(std::move(shape));
  for (int64_t i = 0; i < tensor.elements(); ++i) tensor.f32()[size_t(i)] = float(std::sin(step * double(i)));
  return tensor;
}

SvdConditioning Encode(Stage& stage, const SvdOptions& options) {
  const Tensor image = Filled({1, 16, 24, 3}, 0.7), noise = Filled({1, 16, 24, 3}, 1.1);
  return EncodeSvd(stage.components, image, image, noise, options);
}

TEST(Encode, AddsNoiseAndMakesTheThreeIds) {
  Stage stage;
  const SvdConditioning got = Encode(stage, SmallOptions());
  EXPECT_EQ(got.image_embeds.shape(), (Shape{1, 1, kEmbed}));
  ASSERT_EQ(got.image_latents.shape(), (Shape{1, 2, 3, kChannels}));
  const size_t pixel = size_t(8 * 24 + 16) * 3;  // block (1, 2)
  const double want = std::sin(0.7 * double(pixel)) + 0.5 * std::sin(1.1 * double(pixel));
  EXPECT_NEAR(got.image_latents.f32()[5 * kChannels + 2], 3 * want, 1e-6);
  EXPECT_EQ(got.added_time_ids.f32()[0], 6);  // fps 7, less one
  EXPECT_EQ(got.added_time_ids.f32()[1], 127);
  EXPECT_EQ(got.added_time_ids.f32()[2], 0.5f);

  SvdOptions options = SmallOptions();
  options.fps_id = 11;
  EXPECT_EQ(Encode(stage, options).added_time_ids.f32()[0], 11);
}

TEST(Encode, ClipSeesItsOwnPicture) {
  Stage stage;
  const Tensor clip = Filled({1, 50, 70, 3}, 0.3), image = Filled({1, 16, 24, 3}, 0.7);
  const SvdConditioning got = EncodeSvd(stage.components, clip, image, image, SmallOptions());
  EXPECT_EQ(got.image_embeds.f32()[0], clip.f32()[0]);
}

// The same run by hand in double: F = n/2 + w (image/4 + e) with n = x c_in, then EDM's D and Euler's step.
std::vector<double> ByHand(const SvdConditioning& conditioning, const Schedule& schedule, const Tensor& noise,
                           const SvdOptions& options, bool guided) {
  const std::vector<float> scales =
      GuidanceScales(options.min_guidance_scale, options.max_guidance_scale, options.num_frames);
  const int64_t frame = conditioning.image_latents.elements();
  std::vector<double> result;
  for (int64_t i = 0; i < noise.elements(); ++i) {
    const double weight = guided ? scales[size_t(i / frame)] : 1;
    const double condition =
        weight * (0.25 * conditioning.image_latents.f32()[size_t(i % frame)] + kEmbedding);
    double x = noise.f32()[size_t(i)] * std::sqrt(700.0 * 700 + 1);
    for (size_t step = 0; step + 1 < schedule.sigmas.size(); ++step) {
      const double s = schedule.sigmas[step], next = schedule.sigmas[step + 1], root = std::sqrt(s * s + 1);
      const double f = 0.5 * x / root + condition;
      const double denoised = x / (s * s + 1) - s / root * f;
      x += (x - denoised) / s * (next - s);
    }
    result.push_back(x);
  }
  return result;
}

void ExpectByHand(Stage& stage, const SvdOptions& options, bool guided) {
  const Schedule schedule = MakeSchedule(SvdSchedulerConfig(), options.num_inference_steps);
  const SvdConditioning conditioning = Encode(stage, options);
  const Tensor noise = Filled({1, 3, 2, 3, kChannels}, 2.3);
  const Tensor got = DenoiseSvd(stage.components, conditioning, schedule, noise, options);
  ASSERT_EQ(got.shape(), noise.shape());
  const std::vector<double> want = ByHand(conditioning, schedule, noise, options, guided);
  // The state is f32 and starts at 700 with steps that shrink it: its rounding leaves about 1e-5.
  for (size_t i = 0; i < want.size(); ++i) EXPECT_NEAR(got.f32()[i], want[i], 3e-5) << i;
}

TEST(Denoise, GuidedInOneCallPerStep) {
  Stage stage;
  ExpectByHand(stage, SmallOptions(), true);
  ASSERT_EQ(stage.unet_calls.size(), 4u);
  for (const Call& call : stage.unet_calls) {
    EXPECT_EQ(call.batch, 2);
    EXPECT_EQ(call.ids, (std::vector<float>{6, 127, 0.5f, 6, 127, 0.5f}));
  }
  EXPECT_NEAR(stage.unet_calls[0].timestep, 0.25 * std::log(700.0), 1e-6);
  EXPECT_NEAR(stage.unet_calls[3].timestep, 0.25 * std::log(0.002), 1e-6);
}

TEST(Denoise, GuidedInTwoCallsPerStep) {
  Stage stage;
  SvdOptions options = SmallOptions();
  options.guidance_batching = false;
  ExpectByHand(stage, options, true);
  ASSERT_EQ(stage.unet_calls.size(), 8u);
  for (const Call& call : stage.unet_calls) EXPECT_EQ(call.batch, 1);
}

TEST(Denoise, UnguidedIfNoScaleIsAboveOne) {
  for (double max_scale : {1.0, 0.5}) {
    Stage stage;
    SvdOptions options = SmallOptions();
    options.max_guidance_scale = max_scale;
    ExpectByHand(stage, options, false);
    ASSERT_EQ(stage.unet_calls.size(), 4u);
    EXPECT_EQ(stage.unet_calls[0].batch, 1);
  }
}

TEST(Denoise, OneStepIsTheGeneratorOfTheDistilledModel) {
  Stage stage;
  SvdOptions options = SmallOptions();
  options.num_inference_steps = 1;
  options.sampler = "one_step";
  options.max_guidance_scale = 1;
  ExpectByHand(stage, options, false);
  EXPECT_EQ(stage.unet_calls.size(), 1u);
}

TEST(Denoise, TheUnconditionalSampleComesFirstAndSeesNothing) {
  Stage stage;
  const SvdOptions options = SmallOptions();
  const SvdConditioning conditioning = Encode(stage, options);
  const Tensor noise = Filled({1, 3, 2, 3, kChannels}, 2.3);
  int calls = 0;
  stage.components.unet = [&](const SvdUnetInput& input) {
    ++calls;
    EXPECT_EQ(input.sample.shape, (Shape{2, 3, 2, 3, 2 * kChannels}));
    EXPECT_EQ(input.image_embeds.shape, (Shape{2, 1, kEmbed}));
    const auto embeds = input.image_embeds.f32(), sample = input.sample.f32();
    EXPECT_EQ(embeds[0], 0);
    EXPECT_EQ(embeds[1], 0);
    EXPECT_EQ(embeds[kEmbed + 1], float(kEmbedding));
    const size_t pixels = 3 * 2 * 3;
    for (size_t p = 0; p < pixels; ++p) {
      for (size_t c = 0; c < size_t(kChannels); ++c) {
        const float* uncond = &sample[p * 2 * kChannels];
        const float* cond = &sample[(pixels + p) * 2 * kChannels];
        EXPECT_EQ(uncond[c], cond[c]);
        EXPECT_EQ(uncond[kChannels + c], 0);
        EXPECT_EQ(cond[kChannels + c], conditioning.image_latents.f32()[p % 6 * kChannels + c]);
        // The first sample is noise sqrt(sigma^2 + 1), which c_in undoes.
        if (calls == 1) {
          EXPECT_NEAR(cond[c], noise.f32()[p * kChannels + c], 1e-6);
        }
      }
    }
    return Tensor::Zeros({2, 3, 2, 3, kChannels});
  };
  DenoiseSvd(stage.components, conditioning, MakeSchedule(SvdSchedulerConfig(), 4), noise, options);
  EXPECT_EQ(calls, 4);
}

TEST(Decode, ChunksScalesAndClamps) {
  Stage stage;
  SvdOptions options = SmallOptions();
  options.num_frames = 5;
  options.decode_chunk_size = 2;
  stage.components.scaling_factor = 0.5;
  Tensor latents = Tensor::Zeros({1, 5, 2, 3, kChannels});
  const float first[] = {0.1f, -0.2f, 9, -9, 0.3f};
  for (size_t t = 0; t < 5; ++t) latents.f32()[t * 6 * kChannels] = first[t];
  const Tensor frames = DecodeSvd(stage.components, latents, options);
  EXPECT_EQ(frames.shape(), (Shape{5, 16, 24, 3}));
  EXPECT_EQ(stage.decode_frames, (std::vector<int64_t>{2, 2, 1}));
  const double chunk[] = {2, 2, 2, 2, 1};
  for (size_t t = 0; t < 5; ++t) {
    const double want = std::clamp((first[t] / 0.5 + chunk[t] / 8) / 2 + 0.5, 0.0, 1.0);
    EXPECT_NEAR(frames.f32()[t * 16 * 24 * 3 + 700], want, 1e-6) << t;
  }
  stage.decode_frames.clear();
  options.decode_chunk_size = 0;
  DecodeSvd(stage.components, latents, options);
  EXPECT_EQ(stage.decode_frames, std::vector<int64_t>{5});
}

TEST(Noise, ImageFirstInChannelsFirstOrder) {
  const SvdOptions options = SmallOptions();
  Rng rng(RngKind::kTorchCpu, 23), again(RngKind::kTorchCpu, 23);
  const SvdNoise noise = DrawSvdNoise(rng, options);
  ASSERT_EQ(noise.image.shape(), (Shape{1, 16, 24, 3}));
  ASSERT_EQ(noise.latents.shape(), (Shape{1, 3, 2, 3, kChannels}));
  std::vector<float> image(3 * 16 * 24), latents(3 * kChannels * 2 * 3);
  again.Normal(image);
  again.Normal(latents);
  EXPECT_EQ(noise.image.f32()[(5 * 24 + 7) * 3 + 2], image[(2 * 16 + 5) * 24 + 7]);
  EXPECT_EQ(noise.latents.f32()[((1 * 2 + 1) * 3 + 2) * kChannels + 3],
            latents[((1 * kChannels + 3) * 2 + 1) * 3 + 2]);
}

TEST(Noise, SharedIsTheFirstFramesInAll) {
  SvdOptions options = SmallOptions();
  Rng rng(RngKind::kTorchCpu, 23), again(RngKind::kTorchCpu, 23);
  const SvdNoise own = DrawSvdNoise(rng, options);
  options.shared_noise = true;
  const SvdNoise shared = DrawSvdNoise(again, options);
  ASSERT_EQ(shared.latents.shape(), own.latents.shape());
  const size_t frame = shared.latents.f32().size() / 3;
  for (size_t i = 0; i < shared.latents.f32().size(); ++i)
    ASSERT_EQ(shared.latents.f32()[i], own.latents.f32()[i % frame]) << i;
  EXPECT_TRUE(std::equal(shared.image.f32().begin(), shared.image.f32().end(), own.image.f32().begin()));
}

void ExpectUsage(void (*change)(SvdOptions&), const std::string& message) {
  SvdOptions options = SmallOptions();
  change(options);
  try {
    CheckSvdOptions(options);
    ADD_FAILURE() << message;
  } catch (const Error& error) {
    EXPECT_EQ(error.exit(), Exit::kUsage);
    EXPECT_EQ(error.what(), message);
  }
}

TEST(Options, WrongOnesAreNamed) {
  CheckSvdOptions(SmallOptions());
  ExpectUsage([](SvdOptions& o) { o.height = 100; },
              "height: found 100, expected a multiple of 8 from 8 to 65536");
  ExpectUsage([](SvdOptions& o) { o.width = 0; }, "width: found 0, expected a multiple of 8 from 8 to 65536");
  ExpectUsage([](SvdOptions& o) { o.num_frames = 0; }, "num_frames: found 0, expected 1 to 65536");
  ExpectUsage([](SvdOptions& o) { o.height = o.width = 65544; },
              "height: found 65544, expected a multiple of 8 from 8 to 65536");
  ExpectUsage([](SvdOptions& o) { o.num_frames = 100'000'000; },
              "num_frames: found 100000000, expected 1 to 65536");
  ExpectUsage([](SvdOptions& o) { o.num_inference_steps = 1'000'000'000; },
              "num_inference_steps: found 1000000000, expected 1 to 100000");
  ExpectUsage([](SvdOptions& o) { o.decode_chunk_size = -1; },
              "decode_chunk_size: found -1, expected at least 0");
  ExpectUsage([](SvdOptions& o) { o.noise_aug_strength = -0.5; },
              "noise_aug_strength: found -0.5, expected at least 0");
  ExpectUsage([](SvdOptions& o) { o.fps = INFINITY; }, "fps: found inf, expected a finite number");
  ExpectUsage([](SvdOptions& o) { o.min_guidance_scale = 2, o.max_guidance_scale = 1; },
              "min_guidance_scale: found 2 with max_guidance_scale 1, expected at most 1, or a "
              "max_guidance_scale above 1");
  ExpectUsage([](SvdOptions& o) { o.sampler = "x"; },
              "sampler: found \"x\", expected one of euler, heun, dpmpp_2m, one_step");
}

TEST(Shapes, AMismatchIsBadInputAndNamed) {
  Stage stage;
  const SvdOptions options = SmallOptions();
  const SvdConditioning conditioning = Encode(stage, options);
  const Tensor short_noise = Filled({1, 2, 2, 3, kChannels}, 1);
  try {
    DenoiseSvd(stage.components, conditioning, MakeSchedule(SvdSchedulerConfig(), 4), short_noise, options);
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.exit(), Exit::kBadInput);
    EXPECT_STREQ(error.what(), "latent_noise: found shape (1,2,2,3,4), expected (1,3,2,3,4)");
  }
}

// What `run` throws; `explain` is asked about one network.
template <class F>
void ExpectNotFinite(Stage& stage, SvdNetwork network, const std::string& message, F run) {
  stage.components.explain = [&](SvdNetwork asked) {
    EXPECT_EQ(asked, network);
    return ": because";
  };
  try {
    run();
    ADD_FAILURE() << message;
  } catch (const Error& error) {
    EXPECT_EQ(error.exit(), Exit::kBadInput);
    EXPECT_EQ(error.what(), message);
  }
}

TEST(Finite, EveryStageSaysWhereANumberIsNot) {
  const SvdOptions options = SmallOptions();
  const Tensor noise = Filled({1, 3, 2, 3, kChannels}, 2.3);
  const Schedule schedule = MakeSchedule(SvdSchedulerConfig(), 4);
  const auto with_nan = [](Tensor tensor) {
    tensor.f32()[1] = NAN;
    return tensor;
  };
  {
    Stage stage;
    stage.components.image_embeds = [&](const TensorView&) { return with_nan(Tensor::Zeros({1, kEmbed})); };
    ExpectNotFinite(stage, SvdNetwork::kImageEmbeds,
                    "encode, the picture's embedding: 1 of 2 numbers are not finite: because",
                    [&] { Encode(stage, options); });
  }
  {
    Stage stage;
    stage.components.vae_encode = [&](const TensorView&) {
      return with_nan(Tensor::Zeros({1, 2, 3, kChannels}));
    };
    ExpectNotFinite(stage, SvdNetwork::kVaeEncode,
                    "encode, the picture's latents: 1 of 24 numbers are not finite: because",
                    [&] { Encode(stage, options); });
  }
  Stage stage;
  const SvdConditioning conditioning = Encode(stage, options);
  const auto unet = stage.components.unet;
  stage.components.unet = [&](const SvdUnetInput& input) {
    Tensor result = unet(input);
    if (stage.unet_calls.size() == 3) result.f32().back() = INFINITY;
    return result;
  };
  ExpectNotFinite(stage, SvdNetwork::kUnet, "denoise, step 3 of 4: 1 of 72 numbers are not finite: because",
                  [&] { DenoiseSvd(stage.components, conditioning, schedule, noise, options); });
  const auto decode = stage.components.vae_decode;
  stage.components.vae_decode = [&](const SvdDecodeInput& in) { return with_nan(decode(in)); };
  ExpectNotFinite(stage, SvdNetwork::kVaeDecode,
                  "decode, frames 1 to 3 of 3: 1 of 3456 numbers are not finite: because",
                  [&] { DecodeSvd(stage.components, noise, options); });
  const Tensor bad = with_nan(noise.Clone());
  EXPECT_THROW(DecodeSvd(stage.components, bad, options), Error);
}

TEST(Denoise, HeunReachesALastLevelThatIsNotZero) {
  Stage stage;
  SvdOptions options = SmallOptions();
  options.sampler = "heun";
  SchedulerConfig config = SvdSchedulerConfig();
  config.final_sigmas_type = "sigma_min";
  config.sigma_min = 0.5;
  const Schedule schedule = MakeSchedule(config, 4);
  const SvdConditioning conditioning = Encode(stage, options);
  DenoiseSvd(stage.components, conditioning, schedule, Filled({1, 3, 2, 3, kChannels}, 2.3), options);
  EXPECT_EQ(stage.unet_calls.size(), 8u);
  EXPECT_NEAR(stage.unet_calls.back().timestep, 0.25 * std::log(double(schedule.sigmas.back())), 1e-6);
}

TEST(Cancel, EndsEveryStage) {
  Stage stage;
  const SvdOptions options = SmallOptions();
  const SvdConditioning conditioning = Encode(stage, options);
  const Tensor image = Filled({1, 16, 24, 3}, 0.7), noise = Filled({1, 3, 2, 3, kChannels}, 2.3);
  CancelToken cancel;
  cancel.Cancel();
  const SampleHooks hooks{&cancel, nullptr};
  EXPECT_THROW(EncodeSvd(stage.components, image, image, image, options, hooks), Error);
  EXPECT_THROW(DenoiseSvd(stage.components, conditioning, MakeSchedule(SvdSchedulerConfig(), 4), noise,
                          options, hooks),
               Error);
  EXPECT_THROW(DecodeSvd(stage.components, noise, options, hooks), Error);
  EXPECT_TRUE(stage.unet_calls.empty() && stage.decode_frames.empty());
}

}  // namespace
}  // namespace mvd
