// compress: a model folder to a smaller one, by the steps of Mobile Video Diffusion, alone or as a preset.
#include <cmath>
#include <cstdio>
#include <iostream>
#include <sstream>

#include "mvd/base/atomic_file.h"
#include "mvd/base/stopwatch.h"
#include "mvd/cli/command.h"
#include "mvd/cli/flags.h"
#include "mvd/cli/terminal.h"
#include "mvd/compress/describe_compression.h"
#include "mvd/compress/unet_rewrite.h"
#include "mvd/compress/unet_steps.h"
#include "mvd/engine/unet_folder.h"

namespace mvd::cli {
namespace fs = std::filesystem;
namespace {

struct Options {
  std::string model, output, preset, keep, importance, funnel_init = "csi", dtype;
  std::vector<std::string> funnels;
  CompressionSteps steps;
  double low_rank = 0;
  uint64_t seed = 0;
  int threads = 0;
  bool no_merge = false, dry_run = false;
};

double Number(const std::string& option, const std::string& text) {
  size_t used = 0;
  double value = 0;
  try {
    value = std::stod(text, &used);
  } catch (const std::exception&) {
    used = text.size() + 1;
  }
  if (used != text.size()) ThrowUsage(option, ": '", Printable(text), "' is no number");
  return value;
}

int64_t Count(const std::string& option, const std::string& text) {
  const double value = Number(option, text);
  if (value != std::floor(value) || std::abs(value) > 1e9)
    ThrowUsage(option, ": '", Printable(text), "' is no number of blocks");
  return int64_t(value);
}

// "attention=0.5", "convolutions=0.5", "both=0.5", or @FILE, a JSON object from pairs to channels.
void AddFunnels(const std::string& text, CompressionSteps& steps) {
  if (text.starts_with('@')) {
    const std::string file = text.substr(1);
    const nlohmann::json map = ReadJsonFile(file);
    if (!map.is_object()) ThrowBadInput(file, "is ", map.type_name(), ", expected an object");
    for (const auto& [name, width] : map.items()) {
      if (!width.is_number_integer() || width < 1 || width > 65536)
        ThrowBadInput(file, "key '", Printable(name), "' is no number of channels");
      steps.funnel_widths[name] = width;
    }
    return;
  }
  const size_t equals = text.find('=');
  const std::string place = text.substr(0, equals);
  if (equals == text.npos || (place != "attention" && place != "convolutions" && place != "both"))
    ThrowUsage("--funnels ", Printable(text),
               ": expected attention=R, convolutions=R, both=R with R in (0,1], or @FILE");
  const double factor = Number("--funnels", text.substr(equals + 1));
  if (place != "convolutions") steps.funnel_factors[FunnelPlace::kAttention] = factor;
  if (place != "attention") steps.funnel_factors[FunnelPlace::kConvolutions] = factor;
}

// A JSON list, a number for each temporal block that is left.
std::vector<double> ReadImportance(const std::string& file, size_t blocks) {
  const nlohmann::json list = ReadJsonFile(file);
  if (!list.is_array() || list.size() != blocks)
    ThrowBadInput(file, "holds ", list.is_array() ? StrCat(list.size(), " numbers") : list.type_name(),
                  ", expected a list of ", blocks, ", one a temporal block");
  std::vector<double> importance;
  for (const nlohmann::json& item : list) {
    if (!item.is_number()) ThrowBadInput(file, "entry ", importance.size(), " is no number");
    importance.push_back(item);
  }
  return importance;
}

// --keep: N, survivors=N, @FILE with a name a line, or names between commas.
std::vector<std::string> KeepList(const Options& o, const SvdUnetConfig& config, WeightSource& weights) {
  constexpr std::string_view kSurvivors = "survivors=";
  const bool number = o.keep.find_first_not_of("-0123456789") == o.keep.npos;
  if (!o.importance.empty() && !number) ThrowUsage("--importance is for --keep with a number");
  if (number) {
    const size_t blocks = KeptTemporalBlocks(config).size();
    return MostImportantBlocks(
        config,
        o.importance.empty() ? TemporalImportance(config, weights) : ReadImportance(o.importance, blocks),
        Count("--keep", o.keep));
  }
  if (o.keep.starts_with(kSurvivors))
    return SurvivingTemporalBlocks(config, Count("--keep", o.keep.substr(kSurvivors.size())));
  const bool file = o.keep.starts_with('@');
  std::istringstream text(file ? ReadFile(o.keep.substr(1), kMaxJsonBytes) : o.keep);
  std::vector<std::string> names;
  for (std::string name; std::getline(text, name, file ? '\n' : ',');) {
    if (file && name.ends_with('\r')) name.pop_back();
    if (!name.empty()) names.push_back(name);
  }
  return names;
}

SvdUnetConfig Target(const Options& o, const UnetFolder& source, WeightSource& weights) {
  CompressionSteps steps = o.steps;
  if (!o.keep.empty()) steps.keep = KeepList(o, source.config, weights);
  if (!o.preset.empty())
    return ApplyVariant(source.config, FindVariant(o.preset), steps.keep, !o.no_merge, source.config_file);
  for (const std::string& text : o.funnels) AddFunnels(text, steps);
  if (o.low_rank != 0) steps.low_rank = o.low_rank;
  const SvdUnetConfig target = ApplySteps(source.config, steps, source.config_file);
  if (target == source.config) ThrowUsage("no step is given; see mobilevd compress --help");
  return target;
}

RewriteOptions Rewriting(const Options& o) {
  RewriteOptions options;
  options.funnel_init = o.funnel_init == "he" ? FunnelInit::kHe : FunnelInit::kCoupled;
  options.seed = o.seed;
  if (!o.dtype.empty()) options.dtype = WeightDType(o.dtype);
  return options;
}

int64_t Parameters(const std::map<std::string, TensorInfo>& tensors) {
  int64_t sum = 0;
  for (const auto& [name, info] : tensors) sum += info.shape.elements();
  return sum;
}

nlohmann::json Describe(const Options& o, const SvdUnetConfig& target, const UnetRewrite& rewrite,
                        const std::vector<std::string>& unknown) {
  return {{"source", o.model},
          {"model", o.output},
          {"dry_run", o.dry_run},
          {"compression", DescribeCompression(target)},
          {"parameters", {{"before", Parameters(rewrite.before())}, {"after", Parameters(rewrite.after())}}},
          {"tensors",
           {{"before", rewrite.before().size()},
            {"after", rewrite.after().size()},
            {"dropped", rewrite.dropped()},
            {"changed", rewrite.changed()},
            {"added", rewrite.added()},
            {"unknown", unknown}}}};
}

std::string Summary(const nlohmann::json& report) {
  const auto& tensors = report["tensors"];
  std::string text =
      StrCat("UNet: ", report["parameters"]["before"], " -> ", report["parameters"]["after"], " parameters, ",
             tensors["before"], " -> ", tensors["after"], " tensors: ", tensors["dropped"].size(),
             " dropped, ", tensors["changed"].size(), " changed, ", tensors["added"].size(), " new");
  for (const auto& line : report["compression"]) text += "\n  " + line.get<std::string>();
  if (!tensors["unknown"].empty())
    text += StrCat("\n  left out: ", tensors["unknown"].size(), " tensors that the network does not have, '",
                   tensors["unknown"][0].get<std::string>(), "' the first");
  return text;
}

Exit Compress(Session& session, const Options& o) {
  if (o.output.empty() && !o.dry_run) ThrowUsage("--output or --dry-run is needed");
  fs::path output(o.output);
  if (!output.has_filename()) output = output.parent_path();
  const RewriteOptions rewriting = Rewriting(o);
  const UnetFolder source = UnetFolder::Open(o.model);
  FolderWeights weights(source.unet);
  SvdUnetConfig target = Target(o, source, weights);
  StatusLine status(session.quiet);
  if (target.sampling.decoder == "tiny" && source.folder.is_pipeline && !source.HasTinyDecoder()) {
    target.sampling.decoder.clear();
    status.Note("no TAESD in this folder: clips are decoded by its own decoder");
  }
  UnetRewrite rewrite(source.config, target, weights, rewriting);
  std::vector<std::string> unknown;
  for (const std::string& name : weights.Names())
    if (!rewrite.before().contains(name)) unknown.push_back(name);
  nlohmann::json report = Describe(o, target, rewrite, unknown);
  if (!o.dry_run) {
    CheckNewFolder(output);
    status.Note(Summary(report));
    const Stopwatch clock;
    WriteUnetFolder(source, target, rewrite, output, {o.threads > 0 ? o.threads : HardwareThreads()},
                    session.cancel, status.AsProgress());
    report["seconds"] = clock.Seconds();
    report["peak_resident_bytes"] = PeakResidentBytes();
    status.Note(StrCat("took ", FormatSeconds(clock.Seconds()), ", peak memory ",
                       FormatBytes(double(PeakResidentBytes()))));
  }
  if (session.json)
    std::cout << report.dump() << "\n";
  else
    std::printf("%s\n", o.dry_run ? Summary(report).c_str() : output.c_str());
  return Exit::kOk;
}

}  // namespace

Runner DeclareCompress(CLI::App& app) {
  auto o = std::make_shared<Options>();
  CompressionSteps& s = o->steps;
  std::vector<std::string> variants;
  for (const MobileVariant& variant : MobileVariants()) variants.emplace_back(variant.name);
  app.add_option("model", o->model, "Model folder, or a UNet's own")->required();
  app.add_option("-o,--output", o->output, "Folder to write");
  app.add_flag("--dry-run", o->dry_run, "Say what would be done");
  auto* const preset =
      app.add_option("--preset", o->preset, "All steps to a network of the paper: " + Join(variants));
  app.add_flag("--no-merge", o->no_merge, "With --preset: funnels stay beside their layers, for training")
      ->needs(preset);
  const char* group = "Steps";
  app.add_option("--keep", o->keep,
                 "Temporal blocks to keep: N (the most important), names between commas, @FILE with a name a "
                 "line, survivors=N (those that the paper's FLOPs fit)")
      ->group(group);
  app.add_option("--importance", o->importance,
                 "JSON list for --keep N; default from the mix factors, 1 - alpha")
      ->group(group);
  std::vector<CLI::Option*> steps = {
      app.add_flag("--fold-cross-attention", s.fold_cross_attention,
                   "Cross-attention to the one token is its value"),
      app.add_option("--temporal-multiscale", s.temporal_multiscale,
                     "Pool frames by this behind the first block")
          ->check(CLI::Range(2, 8)),
      app.add_option("--spatial-multiscale", s.spatial_multiscale, "Pool pixels by this at the same place")
          ->check(CLI::Range(2, 8)),
      app.add_option("--funnels", o->funnels,
                     "Channel funnels: attention=R, convolutions=R, both=R, or @FILE, JSON from pairs to "
                     "channels (repeatable)"),
      app.add_flag("--merge", s.merge, "Multiply funnels into their layers"),
      app.add_option("--low-rank", o->low_rank,
                     "Attention projections as two layers of this share of their rank")
          ->check(CLI::Range(1e-6, 1.0))};
  for (CLI::Option* step : steps) step->group(group)->excludes(preset);
  group = "Details";
  const auto one_of = [](auto... names) {
    return CLI::IsMember(std::vector<std::string>{std::string(names)...});
  };
  app.add_option("--multiscale-frame-index", s.multiscale_frame_index,
                 "Numbers of pooled frames: 0, 1, ... (inner) or 0.5, 2.5, ... (outer)")
      ->capture_default_str()
      ->check(one_of(kInnerFrames, kOuterFrames))
      ->needs(steps[1])
      ->group(group);
  app.add_option("--spatial-multiscale-restore", s.spatial_multiscale_restore, "Where the pixels come back")
      ->capture_default_str()
      ->check(one_of(kRestoreBeforeUpBlock, kRestoreBeforeUpsampler))
      ->needs(steps[2])
      ->group(group);
  app.add_option("--funnel-init", o->funnel_init, "csi: coupled singular values; he: random")
      ->capture_default_str()
      ->check(one_of("csi", "he"))
      ->group(group);
  app.add_option("--seed", o->seed, "Of --funnel-init he")->capture_default_str()->group(group);
  app.add_option("--dtype", o->dtype, "f32, bf16 or f16; default as it is")->group(group);
  app.add_option("-t,--threads", o->threads, "Threads; 0 uses every processor")
      ->capture_default_str()
      ->check(CLI::Range(0, 1024))
      ->group(group);
  return [o](Session& session) { return Compress(session, *o); };
}

}  // namespace mvd::cli
