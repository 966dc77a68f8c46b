#include "mvd/engine/golden.h"

#include <algorithm>
#include <charconv>
#include <functional>

#include "mvd/compress/inclusion.h"
#include "mvd/engine/svd_engine.h"
#include "mvd/exec/metrics.h"
#include "mvd/io/safetensors.h"
#include "mvd/measure/frechet.h"
#include "mvd/sample/resize.h"

namespace mvd {
namespace {

// A golden file with strict access: everything asked for exists and has the rank and sizes expected.
class Golden {
 public:
  explicit Golden(const std::filesystem::path& path) : file_(SafetensorsFile::Open(path)) {}

  const std::string& path() const { return file_.path(); }
  const SafetensorsFile& file() const { return file_; }

  Tensor Input(const std::string& name, int rank) const {
    const Shape shape = file_.Get("input." + name).shape;
    if (shape.rank() != rank) Fail(name, shape, "rank " + std::to_string(rank));
    return Finite("input." + name);
  }
  // A tensor as f32. What is not finite can neither be computed with nor be compared.
  Tensor Finite(const std::string& name) const {
    Tensor tensor = ConvertTo(file_.Get(name), DType::kF32);
    if (const int64_t count = CountNonFinite(tensor.f32()))
      ThrowBadInput(path(), "tensor '", name, "' holds ", count, " numbers that are not finite");
    return tensor;
  }
  // `expected` may hold -1 for any size.
  Tensor Input(const std::string& name, const Shape& expected) const {
    Tensor tensor = Input(name, expected.rank());
    for (int i = 0; i < expected.rank(); ++i) {
      if (expected[i] >= 0 && tensor.shape()[i] != expected[i])
        Fail(name, tensor.shape(), ToString(expected) + ", -1 for any");
      if (tensor.shape()[i] < 1) Fail(name, tensor.shape(), "at least one element");
    }
    return tensor;
  }
  bool Has(const std::string& name) const { return file_.tensors().contains(name); }

  std::string Text(const std::string& key) const {
    const auto found = file_.metadata().find(key);
    if (found == file_.metadata().end()) ThrowBadInput(path(), "metadata key '", key, "' is missing");
    return found->second;
  }
  double Number(const std::string& key) const {
    const std::string text = Text(key);
    double value = 0;
    const auto result = std::from_chars(text.data(), text.data() + text.size(), value);
    if (result.ec != std::errc() || result.ptr != text.data() + text.size()) {
      ThrowBadInput(path(), "metadata key '", key, "' is '", Printable(text), "', expected a number");
    }
    return value;
  }
  int64_t Integer(const std::string& key, int64_t least = 1, int64_t most = 1 << 20) const {
    const double value = Number(key);
    if (!(value >= double(least) && value <= double(most)) || value != double(int64_t(value))) {
      ThrowBadInput(path(), "metadata key '", key, "' is ", value, ", expected an integer from ", least,
                    " to ", most);
    }
    return int64_t(value);
  }

 private:
  [[noreturn]] void Fail(const std::string& name, const Shape& found, const std::string& expected) const {
    ThrowBadInput(path(), "tensor 'input.", name, "' has shape ", found, ", expected ", expected);
  }
  SafetensorsFile file_;
};

using Outputs = std::map<std::string, Tensor>;  // in the golden's own layout

struct Context {
  const Golden& golden;
  const Model* model;
  const NetworkOptions& options;

  // Builds, loads and runs one network; the inputs are in the graph's order and layout.
  Tensor Run(std::string_view component, const CallSizes& sizes,
             const std::vector<TensorView>& inputs) const {
    if (!model->Has(component)) ThrowBadInput(model->origin(), "has no component for '", component, "'");
    Network network(FindComponent(component).build(model->configs(), sizes), options);
    network.Load(*model->Weights(component));
    return std::move(network.Run(inputs)[0]);
  }
};

// (N,1,H,W,C) or (1,N,H,W,C) -> (N,C,H,W)
Tensor Images(Tensor&& x) {
  const Dims d = DimsOf(x.shape());
  return ToChannelsFirst(std::move(x).Reshaped({d.frames(), d.h, d.w, d.c}));
}

Outputs RunUnet(const Context& c) {
  const SvdUnetConfig& config = c.model->configs().unet;
  const Tensor sample = c.golden.Input("sample", {-1, -1, config.in_channels, -1, -1});
  const int64_t b = sample.shape()[0], t = sample.shape()[1];
  const Tensor embeds = c.golden.Input("encoder_hidden_states", {b, 1, config.cross_attention_dim[0]});
  const int64_t ids = config.projection_class_embeddings_input_dim / config.addition_time_embed_dim;
  const Tensor added = c.golden.Input("added_time_ids", {b, ids});
  const TensorView stored = c.golden.file().Get("input.timestep");
  if (stored.shape.elements() != 1)
    ThrowBadInput(c.golden.path(), "tensor 'input.timestep' has shape ", stored.shape,
                  ", expected () or (1)");
  const std::vector<float> value(size_t(b), c.golden.Finite("input.timestep").f32()[0]);
  const Tensor timestep = Tensor::FromVector({b, 1, 1, 1, 1}, value);
  const int64_t factor = ScaleFactor(c.model->configs().vae);
  const CallSizes sizes{b, t, sample.shape()[3] * factor, sample.shape()[4] * factor};
  Outputs outputs;
  const Tensor last = ToChannelsLast(sample);
  outputs["output.sample"] = ToChannelsFirst(c.Run("unet", sizes, {last, timestep, embeds, added}));
  return outputs;
}

Outputs RunEncoder(const Context& c, std::string_view component, int64_t channels) {
  const Tensor image = c.golden.Input("image", {-1, channels, -1, -1});
  const CallSizes sizes{image.shape()[0], 1, image.shape()[2], image.shape()[3]};
  Outputs outputs;
  outputs["output.latent"] = Images(c.Run(component, sizes, {ToChannelsLast(image)}));
  return outputs;
}
Outputs RunVaeEncoder(const Context& c) {
  return RunEncoder(c, "vae_encoder", c.model->configs().vae.in_channels);
}
Outputs RunTaesdEncoder(const Context& c) {
  return RunEncoder(c, "taesd_encoder", c.model->configs().taesd.in_channels);
}

Outputs RunDecoder(const Context& c, std::string_view component, int64_t channels, int64_t frames) {
  const Tensor latent = c.golden.Input("latent", {-1, channels, -1, -1});
  const int64_t n = latent.shape()[0], factor = PixelsPerLatent(c.model->configs(), component);
  if (n % frames != 0)
    ThrowBadInput(c.golden.path(), "tensor 'input.latent' has ", n,
                  " frames, expected a multiple of num_frames ", frames);
  const CallSizes sizes{n / frames, frames, latent.shape()[2] * factor, latent.shape()[3] * factor};
  Outputs outputs;
  outputs["output.image"] = Images(c.Run(component, sizes, {ToChannelsLast(latent)}));
  return outputs;
}
Outputs RunVaeDecoder(const Context& c) {
  return RunDecoder(c, "vae_decoder", c.model->configs().vae.latent_channels, c.golden.Integer("num_frames"));
}
Outputs RunTaesdDecoder(const Context& c) {
  return RunDecoder(c, "taesd_decoder", c.model->configs().taesd.latent_channels, 1);
}

Outputs RunImageEncoder(const Context& c) {
  const ClipVisionConfig& config = c.model->configs().image_encoder;
  const Tensor pixels =
      c.golden.Input("pixel_values", {-1, config.num_channels, config.image_size, config.image_size});
  const int64_t n = pixels.shape()[0];
  Tensor embeds =
      c.Run("image_encoder", {n, 1, config.image_size, config.image_size}, {ToChannelsLast(pixels)});
  Outputs outputs;
  outputs["output.image_embeds"] = std::move(embeds).Reshaped({n, config.projection_dim});
  return outputs;
}

Outputs RunPreprocess(const Context& c) {
  const Tensor image = ToChannelsLast(c.golden.Input("image", {-1, 3, -1, -1}));
  Outputs outputs;
  outputs["output.pixel_values"] =
      ToChannelsFirst(ClipPixels(image, c.model ? c.model->preprocessing() : ClipPreprocessing{}));
  return outputs;
}

Outputs RunScheduler(const Context& c) {
  const SchedulerConfig config = c.model ? c.model->scheduler() : SvdSchedulerConfig();
  const std::string file = c.model ? c.model->scheduler_file() : "scheduler_config.json";
  const Schedule schedule = MakeSchedule(config, c.golden.Integer("num_inference_steps", 1, kMaxSteps), file);
  Outputs outputs;
  outputs["output.sigmas"] = Tensor::FromVector({int64_t(schedule.sigmas.size())}, schedule.sigmas);
  outputs["output.timesteps"] = Tensor::FromVector({schedule.steps()}, schedule.timesteps);
  return outputs;
}

Outputs RunInclusion(const Context& c) {
  const Tensor importance = c.golden.Input("importance", Shape{-1});
  const std::span<const float> q = importance.f32();
  const int64_t budget = c.golden.Integer("budget", 1, int64_t(q.size()));
  const Inclusion inclusion =
      SolveInclusion(std::vector<double>(q.begin(), q.end()), budget, c.golden.path());
  const std::vector<float> p(inclusion.probabilities.begin(), inclusion.probabilities.end());
  Outputs outputs;
  outputs["output.probabilities"] = Tensor::FromVector(importance.shape(), p);
  return outputs;
}

// (n,d) and (m,d) features, one row a clip.
template <double (*kDistance)(const FeatureMatrix&, const FeatureMatrix&, const std::string&)>
Outputs RunDistance(const Context& c) {
  const auto matrix = [&](const char* name) {
    const Tensor features = c.golden.Input(name, Shape{-1, -1});
    const auto values = features.f32();
    return FeatureMatrix{features.shape()[0], features.shape()[1], {values.begin(), values.end()}};
  };
  const double distance = kDistance(matrix("real"), matrix("fake"), c.golden.path());
  Outputs outputs;
  outputs["output.distance"] = Tensor::FromVector(Shape{}, std::vector<float>{float(distance)});
  return outputs;
}

Outputs RunPipeline(const Context& c) {
  const Golden& g = c.golden;
  SvdOptions o;
  o.height = g.Integer("height");
  o.width = g.Integer("width");
  o.num_frames = g.Integer("num_frames");
  o.num_inference_steps = g.Integer("num_inference_steps");
  o.fps = g.Number("fps");
  o.motion_bucket_id = g.Number("motion_bucket_id");
  o.noise_aug_strength = g.Number("noise_aug_strength");
  o.min_guidance_scale = g.Number("min_guidance_scale");
  o.max_guidance_scale = g.Number("max_guidance_scale");
  o.decode_chunk_size = g.Integer("decode_chunk_size");
  CheckSvdOptions(o);
  Tensor image = g.Input("image", {o.height, o.width, 3});
  for (float& x : image.f32()) x = x / 127.5f - 1;
  image = std::move(image).Reshaped({1, o.height, o.width, 3});
  const int64_t factor = ScaleFactor(c.model->configs().vae), channels = c.model->configs().unet.out_channels;
  const Tensor image_noise = ToChannelsLast(g.Input("image_noise", {1, 3, o.height, o.width}));
  const Tensor noise = ToChannelsLast(
      g.Input("latent_noise", {1, o.num_frames, channels, o.height / factor, o.width / factor}));
  SvdEngine engine(*c.model, c.options);
  const SvdComponents components = engine.Components();
  const SampleHooks hooks{.cancel = c.options.exec.cancel, .progress = {}};
  const SvdConditioning conditioning = EncodeSvd(components, image, image, image_noise, o, hooks);
  const Schedule schedule =
      MakeSchedule(c.model->scheduler(), o.num_inference_steps, c.model->scheduler_file());
  const Tensor latents = DenoiseSvd(components, conditioning, schedule, noise, o, hooks);
  Outputs outputs;
  outputs["output.frames"] = DecodeSvd(components, latents, o, hooks);
  outputs["output.latents"] = ToChannelsFirst(latents);
  return outputs;
}

struct Case {
  std::string_view component;
  bool needs_model;
  Outputs (*run)(const Context&);
};

constexpr Case kCases[] = {
    {"unet", true, RunUnet},
    {"vae_encoder", true, RunVaeEncoder},
    {"vae_decoder", true, RunVaeDecoder},
    {"taesd_encoder", true, RunTaesdEncoder},
    {"taesd_decoder", true, RunTaesdDecoder},
    {"image_encoder", true, RunImageEncoder},
    {"image_preprocess", false, RunPreprocess},
    {"scheduler", false, RunScheduler},
    {"pipeline", true, RunPipeline},
    {"inclusion_probabilities", false, RunInclusion},
    {"frechet", false, RunDistance<FrechetDistance>},
    {"kernel_distance", false, RunDistance<KernelDistance>},
};

const Case& FindCase(const Golden& golden) {
  const std::string name = golden.Text("component");
  std::string names;
  for (const Case& row : kCases) {
    if (row.component == name) return row;
    names += (names.empty() ? "" : ", ") + std::string(row.component);
  }
  ThrowBadInput(golden.path(), "metadata key 'component' is '", Printable(name), "', expected one of ",
                names);
}

GoldenReport Compare(const Golden& golden, const Outputs& outputs) {
  GoldenReport report;
  report.component = golden.Text("component");
  for (const auto& [name, entry] : golden.file().tensors()) {
    if (!name.starts_with("output.")) continue;
    const auto found = outputs.find(name);
    if (found == outputs.end())
      ThrowBadInput(golden.path(), "tensor '", name, "' is no output of ", report.component);
    if (entry.info.shape != found->second.shape()) {
      ThrowBadInput(golden.path(), "tensor '", name, "' has shape ", entry.info.shape, ", this model gives ",
                    found->second.shape());
    }
    const Tensor want = golden.Finite(name);
    const ErrorMetrics metrics = Measure(found->second.f32(), want.f32());
    report.outputs.push_back({name, entry.info.shape, metrics.rel_rms, metrics.max_abs, metrics.cosine});
  }
  if (report.outputs.empty()) ThrowBadInput(golden.path(), "has no tensor 'output.*'");
  return report;
}

}  // namespace

double GoldenReport::worst() const {
  double worst = 0;
  for (const GoldenOutput& output : outputs) worst = std::max(worst, output.rel_rms);
  return worst;
}

GoldenReport RunGolden(const std::filesystem::path& model_path, const std::filesystem::path& golden_path,
                       const NetworkOptions& options) {
  const Golden golden(golden_path);
  const Case& row = FindCase(golden);
  std::optional<Model> model;
  if (!model_path.empty()) model = Model::Open(model_path);
  if (!model && row.needs_model) ThrowUsage("--model is needed for component '", row.component, "'");
  return Compare(golden, row.run(Context{golden, model ? &*model : nullptr, options}));
}

}  // namespace mvd
