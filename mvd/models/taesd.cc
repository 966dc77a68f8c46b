#include "mvd/models/taesd.h"

#include "mvd/base/check.h"
#include "mvd/base/motion.h"
#include "mvd/ir/builder.h"

namespace mvd {
namespace {

constexpr double kMagnitude = 3;  // of the soft clamp; latent_magnitude does not reach it in the original

constexpr int64_t kMostScale = 64;
constexpr char kShuffle[] = "pixel_shuffle";

Act ActOf(const std::string& name) {
  if (name == "relu") return Act::kRelu;
  if (name == "gelu") return Act::kGelu;
  MVD_CHECK(name == "silu" || name == "swish", name);
  return Act::kSilu;
}

// Layers are numbered as in the original's Sequential, where activations and upsamplers count too.
class Layers {
 public:
  Layers(Builder& b, Act act) : b_(b), act_(act) {}

  std::string Next() { return "layers." + std::to_string(index_++); }
  void Skip() { ++index_; }

  // Three 3x3 convolutions with activations between, the input added, and a ReLU whatever act_fn says.
  ValueId Block(ValueId x) {
    Scope scope(b_, Next());
    const int64_t channels = b_.dims(x).c;
    ValueId h = b_.Activation(b_.Conv2d(x, "conv.0", channels), act_);
    h = b_.Activation(b_.Conv2d(h, "conv.2", channels), act_);
    return b_.Activation(b_.Add(b_.Conv2d(h, "conv.4", channels), x), Act::kRelu);
  }
  ValueId Blocks(ValueId x, int64_t count) {
    for (int64_t i = 0; i < count; ++i) x = Block(x);
    return x;
  }
  // To `factor` times the size, same channels.
  ValueId Upsample(ValueId x, int64_t factor, bool shuffle) {
    const Dims d = b_.dims(x);
    Skip();  // the upsampler
    if (shuffle) return Shuffle(b_.Conv2d(x, Next(), d.c * factor * factor, {.bias = false}), factor);
    return b_.Conv2d(b_.ResizeNearest(x, d.t, factor * d.h, factor * d.w), Next(), d.c, {.bias = false});
  }
  // (B,T,H,W,ffC), channels by row, column and C of the patch, to (B,T,fH,fW,C): channels last, so the pixels
  // of a patch's row already stand side by side, and rows need only be laid one behind another.
  ValueId Shuffle(ValueId x, int64_t factor) {
    const Dims d = b_.dims(x);
    const int64_t row = d.c / factor;
    std::vector<ValueId> rows;
    for (int64_t i = 0; i < factor; ++i)
      rows.push_back(b_.Reshape(b_.Slice(x, 4, i * row, row), {d.b, d.t, d.h, 1, d.w * row}));
    return b_.Reshape(b_.Concat(rows, 3), {d.b, d.t, d.h * factor, d.w * factor, row / factor});
  }

 private:
  Builder& b_;
  Act act_;
  int64_t index_ = 0;
};

// Side by side; a last patch that the picture does not fill is filled with zeros.
Builder::Conv Patches(int64_t side, int64_t height, int64_t width) {
  const bool whole = height % side == 0 && width % side == 0;
  return {.kernel = side, .stride = side, .pad_end_only = true, .padding = whole ? 0 : side - 1};
}

// Zeros of x's size: the motion of a picture.
ValueId Still(Builder& b, ValueId x, int64_t channels) {
  const Dims d = b.dims(x);
  return b.Expand(b.Affine(b.Slice(x, 4, 0, 1), 0, 0), {d.b, d.t, d.h, d.w, channels});
}

// 0 up to `low`, 1 from `high`, straight between.
ValueId Ramp(Builder& b, ValueId x, double low, double high) {
  const double slope = 1 / (high - low);
  const ValueId up = b.Activation(b.Affine(x, slope, -low * slope), Act::kRelu);
  const ValueId over = b.Activation(b.Affine(x, slope, -high * slope), Act::kRelu);
  return b.Add(up, b.Affine(over, -1, 0));
}

// What a decoder with motion is given beside its latents; kNoValue without.
struct MotionInputs {
  ValueId motion = kNoValue, picture = kNoValue, travel = kNoValue, seen = kNoValue;
};

// Motion (B,T,h,w,3) at a quarter of the pixels of `seen` (B,1,H,W,3), corrected by what the picture shows
// where the motion leads: outlines lie where its colours change.
ValueId SharpenMotion(Builder& b, ValueId cells, const MotionInputs& in, int64_t features) {
  constexpr int64_t kQuarter = 4;
  Scope scope(b, "motion");
  const auto layer = [&](ValueId x, const char* name) {
    return b.Activation(b.Conv2d(x, name, features), Act::kRelu);
  };
  const Builder::Conv patches{.kernel = kQuarter, .stride = kQuarter, .padding = 0};
  const ValueId guide =
      layer(b.Activation(b.Conv2d(in.seen, "guide_in", features, patches), Act::kRelu), "guide");
  const Dims g = b.dims(guide), d = b.dims(cells);
  const ValueId flow = b.Multiply(b.Slice(cells, 4, 0, 2), in.travel);
  const ValueId coarse = b.ResizeNearest(cells, d.t, g.h, g.w);
  ValueId x = layer(b.Concat({b.Warp(guide, flow), coarse}, 4), "conv_in");
  x = layer(layer(x, "conv_1"), "conv_2");
  return b.Add(coarse, b.Conv2d(x, "conv_out", kMotionValues));
}

// Latents (B,T,h,w,C) to pictures (B,T,H,W,3).
ValueId Paint(Builder& b, Layers& layers, const TaesdConfig& config, ValueId x) {
  x = b.Affine(b.Activation(b.Affine(x, 1 / kMagnitude, 0), Act::kTanh), kMagnitude, 0);
  const ValueId latent = x;
  const Act act = ActOf(config.act_fn);
  const int64_t channels = config.decoder_block_out_channels[0];
  x = b.Activation(b.Conv2d(x, layers.Next(), channels), act);
  layers.Skip();  // the activation
  const size_t levels = config.num_decoder_blocks.size();
  for (size_t level = 0; level < levels; ++level) {
    x = layers.Blocks(x, config.num_decoder_blocks[level]);
    if (level + 1 == levels) break;
    x = layers.Upsample(x, config.upsampling_scaling_factor, config.upsample_fn == kShuffle);
  }
  const int64_t p = config.patch_size;
  x = b.Conv2d(x, layers.Next(), config.out_channels * p * p);
  if (p > 1) x = layers.Shuffle(x, p);
  if (config.shortcut) {
    const int64_t f = ScaleFactor(config);
    x = b.Add(x, layers.Shuffle(b.Conv2d(latent, "shortcut", config.out_channels * f * f), f));
  }
  return b.Affine(x, 2, -1);
}

// The picture (B,1,H,W,3) moved by motion latents (B,T,h,w,C), and `said` (B,T,h',w',3), what the other
// latents decode to, where nothing of the picture is visible; kNoValue: nowhere.
ValueId MovePicture(Builder& b, Layers& layers, const MotionInputs& in, int64_t features, ValueId said) {
  int64_t across = 1;
  while (kMotionValues * across * across < b.dims(in.motion).c) ++across;
  ValueId cells = across == 1 ? in.motion : layers.Shuffle(in.motion, across);
  if (features > 0) cells = SharpenMotion(b, cells, in, features);
  const ValueId flow = b.Multiply(b.Slice(cells, 4, 0, 2), in.travel);
  if (said == kNoValue) return b.Warp(in.picture, flow);
  // Latents are noisy about +1 and -1: only what is clearly hidden is painted anew, and nothing of the first
  // frame, which alone has no travel.
  const double least = MotionTravel(0, 1);
  const ValueId hidden = b.Affine(Ramp(b, b.Slice(cells, 4, 2, 1), -0.5, 0.5), -1, 1);
  const ValueId visible = b.Affine(b.Multiply(hidden, Ramp(b, in.travel, 0, least)), -1, 1);
  return b.Warp(in.picture, flow, visible, said);
}

void CheckHalf(const ConfigChecker& check, const std::vector<int64_t>& channels,
               std::string_view channels_key, const std::vector<int64_t>& blocks,
               std::string_view blocks_key) {
  check.Length(channels_key, channels.size(), 1, 8);
  check.Length(blocks_key, blocks.size(), channels.size(), channels.size());
  check.Range(channels_key, channels, 1, 16384);
  check.Range(blocks_key, blocks, 0, 64);
  for (int64_t width : channels) {
    // The original's convolutions between levels keep the next level's width: it cannot run otherwise.
    if (width != channels[0]) check.Fail(channels_key, "differs between levels, expected one width");
  }
}

}  // namespace

void CheckConfig(const ConfigChecker& check, const TaesdConfig& config) {
  CheckHalf(check, config.encoder_block_out_channels, "encoder_block_out_channels", config.num_encoder_blocks,
            "num_encoder_blocks");
  CheckHalf(check, config.decoder_block_out_channels, "decoder_block_out_channels", config.num_decoder_blocks,
            "num_decoder_blocks");
  check.OneOf("act_fn", config.act_fn, {"relu", "silu", "swish", "gelu"});
  check.OneOf("upsample_fn", config.upsample_fn, {"nearest", kShuffle});
  check.Range("in_channels", config.in_channels, 1, 16384);
  check.Range("out_channels", config.out_channels, 1, 16384);
  check.Range("latent_channels", config.latent_channels, 1, 1024);
  check.Range("upsampling_scaling_factor", config.upsampling_scaling_factor, 1, 8);
  check.Range("patch_size", config.patch_size, 1, 8);
  check.Range("motion_channels", config.motion_channels, 0, config.latent_channels - 1);
  check.Range("motion_features", config.motion_features, 0, 1024);
  if (!config.motion_paints && config.motion_channels == 0)
    check.Fail("motion_paints",
               "is false, expected true where motion_channels is 0: nothing else makes a frame");
  const int64_t most = MotionChannels(ScaleFactor(config));
  if (config.motion_channels > 0 && config.motion_channels != most)
    check.Fail("motion_channels", "is ", config.motion_channels, ", expected 0 or, at ", ScaleFactor(config),
               " pixels per latent, ", most);
  if (ScaleFactor(config) > kMostScale) {
    check.Fail("upsampling_scaling_factor", "makes ", ScaleFactor(config),
               " pixels of one, expected at most ", kMostScale);
  }
  check.Real("scaling_factor", config.scaling_factor, 0, 1e6);
}

int64_t ScaleFactor(const TaesdConfig& config) {
  int64_t factor = config.patch_size;
  for (size_t i = 1; i < config.decoder_block_out_channels.size(); ++i) {
    factor *= config.upsampling_scaling_factor;
  }
  return factor;
}

Graph BuildTaesdEncoder(const TaesdConfig& config, int64_t images, int64_t height, int64_t width) {
  Builder b("taesd_encoder");
  const ValueId image = b.Input("image", {images, 1, height, width, config.in_channels}, Phase::kStep);
  ValueId x = b.Affine(image, 0.5, 0.5);  // [-1,1] to TAESD's [0,1]
  Scope scope(b, "encoder");
  Layers layers(b, ActOf(config.act_fn));
  const int64_t channels = config.encoder_block_out_channels[0];
  for (size_t level = 0; level < config.num_encoder_blocks.size(); ++level) {
    const int64_t p = config.patch_size;
    const Builder::Conv halve{.stride = 2, .bias = false};
    const Builder::Conv first = p > 1 ? Patches(p, height, width) : Builder::Conv{};
    x = b.Conv2d(x, layers.Next(), channels, level == 0 ? first : halve);
    x = layers.Blocks(x, config.num_encoder_blocks[level]);
  }
  const int64_t latents = config.latent_channels - config.motion_channels;
  x = b.Conv2d(x, layers.Next(), latents);
  if (config.shortcut) {
    const Builder::Conv patches = Patches(ScaleFactor(config), height, width);
    x = b.Add(x, b.Conv2d(image, "shortcut", latents, patches));
  }
  if (config.motion_channels > 0) x = b.Concat({x, Still(b, x, config.motion_channels)}, 4);
  b.Output("latent", x);
  return b.Finish();
}

Graph BuildTaesdDecoder(const TaesdConfig& config, int64_t batch, int64_t frames, int64_t height,
                        int64_t width, PictureSize size) {
  Builder b("taesd_decoder");
  ValueId x = b.Input("latent", {batch, frames, height, width, config.latent_channels}, Phase::kStep);
  MotionInputs in;
  if (config.motion_channels > 0) {
    const int64_t f = ScaleFactor(config), seen = config.latent_channels - config.motion_channels;
    if (size.height == 0) size = {height * f, width * f};
    in.picture = b.Input("picture", {batch, 1, size.height, size.width, config.out_channels}, Phase::kClip);
    in.travel = b.Input("travel", {batch, frames, 1, 1, 1}, Phase::kStep);
    if (config.motion_features > 0)
      in.seen = b.Input("seen", {batch, 1, height * f, width * f, config.out_channels}, Phase::kClip);
    in.motion = b.Slice(x, 4, seen, config.motion_channels);
    x = b.Slice(x, 4, 0, seen);
  }
  Scope scope(b, "decoder");
  Layers layers(b, ActOf(config.act_fn));
  if (in.motion == kNoValue || config.motion_paints)
    x = Paint(b, layers, config, x);
  else
    x = kNoValue;
  if (in.motion != kNoValue) x = MovePicture(b, layers, in, config.motion_features, x);
  b.Output("image", x);
  return b.Finish();
}

}  // namespace mvd
