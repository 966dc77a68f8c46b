// compress: a model folder to a smaller one, by the steps of Mobile Video Diffusion, alone or as a preset.
#include <CLI/CLI.hpp>
#include <cmath>
#include <cstdio>
#include <sstream>

#include "mvd/base/atomic_file.h"
#include "mvd/base/stopwatch.h"
#include "mvd/cli/command.h"
#include "mvd/cli/flags.h"
#include "mvd/cli/option_table.h"
#include "mvd/cli/output.h"
#include "mvd/cli/terminal.h"
#include "mvd/compress/describe_compression.h"
#include "mvd/compress/unet_rewrite.h"
#include "mvd/compress/unet_steps.h"
#include "mvd/engine/bundled_models.h"
#include "mvd/engine/unet_folder.h"

namespace mvd::cli {
namespace fs = std::filesystem;
namespace {

struct CompressFlags {
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
std::vector<std::string> KeepList(const CompressFlags& o, const SvdUnetConfig& config,
                                  WeightSource& weights) {
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

SvdUnetConfig Target(const CompressFlags& o, const UnetFolder& source, WeightSource& weights) {
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

RewriteOptions Rewriting(const CompressFlags& o) {
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

nlohmann::json Describe(const CompressFlags& o, const SvdUnetConfig& target, const UnetRewrite& rewrite,
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

Exit Compress(Session& session, const CompressFlags& o) {
  if (o.output.empty() && !o.dry_run) ThrowUsage("--output or --dry-run is needed");
  fs::path output(o.output);
  if (!output.has_filename()) output = output.parent_path();
  const RewriteOptions rewriting = Rewriting(o);
  const UnetFolder source = UnetFolder::Open(FindModel(o.model));
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
    PrintJson(report);
  else
    std::printf("%s\n", o.dry_run ? Summary(report).c_str() : output.c_str());
  return Exit::kOk;
}

void DeclareSteps(CLI::App& app, CompressFlags& o, CLI::Option& preset) {
  const char* group = "Steps";
  CompressionSteps& s = o.steps;
  AddOption(app,
            {.flags = "--keep",
             .help = "Temporal blocks to keep: N (the most important), names between commas, @FILE with one "
                     "name per line, or survivors=N (those that fit the paper's FLOPs)",
             .value = "BLOCKS",
             .group = group},
            o.keep);
  AddOption(app,
            {.flags = "--importance",
             .help = "JSON list for --keep N",
             .value = "FILE",
             .unset = "the mix factors, 1 - alpha",
             .group = group},
            o.importance);
  std::vector<CLI::Option*> steps = {
      AddOption(app,
                {.flags = "--fold-cross-attention",
                 .help = "Replace cross-attention to the single token by its value",
                 .group = group},
                s.fold_cross_attention),
      AddOption(app,
                {.flags = "--temporal-multiscale",
                 .help = "Pool frames by this factor after the first block",
                 .value = "N",
                 .least = 2,
                 .most = 8,
                 .unset = "no pooling",
                 .group = group},
                s.temporal_multiscale),
      AddOption(app,
                {.flags = "--spatial-multiscale",
                 .help = "Pool pixels by this factor at the same place",
                 .value = "N",
                 .least = 2,
                 .most = 8,
                 .unset = "no pooling",
                 .group = group},
                s.spatial_multiscale),
      AddOption(app,
                {.flags = "--funnels",
                 .help = "Channel funnels: attention=R, convolutions=R, both=R, or @FILE, JSON from pairs to "
                         "channels; repeatable",
                 .value = "WHERE",
                 .group = group},
                o.funnels),
      AddOption(app, {.flags = "--merge", .help = "Multiply funnels into their layers", .group = group},
                s.merge),
      AddOption(app,
                {.flags = "--low-rank",
                 .help = "Attention projections as two layers of this share of their rank",
                 .value = "R",
                 .least = 1e-6,
                 .most = 1,
                 .unset = "full rank",
                 .group = group},
                o.low_rank)};
  for (CLI::Option* step : steps) step->excludes(&preset);
  group = "Details";
  AddOption(app,
            {.flags = "--multiscale-frame-index",
             .help = "Numbers of pooled frames: 0, 1, ... (inner) or 0.5, 2.5, ... (outer)",
             .value = "NAME",
             .choices = {std::string(kInnerFrames), std::string(kOuterFrames)},
             .group = group},
            s.multiscale_frame_index)
      ->needs(steps[1]);
  AddOption(app,
            {.flags = "--spatial-multiscale-restore",
             .help = "Where the pixels come back",
             .value = "NAME",
             .choices = {std::string(kRestoreBeforeUpBlock), std::string(kRestoreBeforeUpsampler)},
             .group = group},
            s.spatial_multiscale_restore)
      ->needs(steps[2]);
}

void DeclareDetails(CLI::App& app, CompressFlags& o) {
  const char* group = "Details";
  AddOption(app,
            {.flags = "--funnel-init",
             .help = "csi: coupled singular values; he: random",
             .value = "NAME",
             .choices = {"csi", "he"},
             .group = group},
            o.funnel_init);
  AddOption(app, {.flags = "--seed", .help = "Seed of --funnel-init he", .value = "N", .group = group},
            o.seed);
  OptionSpec dtype = InGroup(Table().weight_dtype, group);
  dtype.unset = "that of the source";
  AddOption(app, dtype, o.dtype);
  AddOption(app, InGroup(Table().threads, group), o.threads);
}

}  // namespace

Runner DeclareCompress(CLI::App& app) {
  auto o = std::make_shared<CompressFlags>();
  std::vector<std::string> variants;
  for (const MobileVariant& variant : MobileVariants()) variants.emplace_back(variant.name);
  AddOption(app,
            {.flags = "model",
             .help = "Model folder or name, or a UNet's own folder",
             .value = "MODEL",
             .required = true},
            o->model);
  AddOption(app, Table().output_folder, o->output);
  AddOption(app, {.flags = "--dry-run", .help = "Show what would be done"}, o->dry_run);
  auto* const preset = AddOption(app,
                                 {.flags = "--preset",
                                  .help = "All steps to a network of the paper",
                                  .value = "NAME",
                                  .choices = variants},
                                 o->preset);
  AddOption(app,
            {.flags = "--no-merge", .help = "With --preset: funnels stay beside their layers, for training"},
            o->no_merge)
      ->needs(preset);
  DeclareSteps(app, *o, *preset);
  DeclareDetails(app, *o);
  return [o](Session& session) { return Compress(session, *o); };
}

}  // namespace mvd::cli
