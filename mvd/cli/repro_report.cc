#include "mvd/cli/repro_report.h"

#include <algorithm>
#include <cmath>

#include "mvd/cli/flags.h"
#include "mvd/cost/cost.h"
#include "mvd/sample/guidance.h"

namespace mvd::cli {
namespace {

double Tflops(const Graph& graph) { return double(CountCost(graph).total.flops) / 1e12; }

CallSizes SizesOf(const PaperNetwork& network) {
  const ClipDefaults d = FindPreset(network.preset).defaults;
  const bool decoder = network.component != "unet";  // frame by frame
  return {.batch = 1, .frames = decoder ? 1 : d.frames, .height = d.height, .width = d.width};
}

OurFigures Count(const PaperRow& row) {
  const PaperNetwork& network = *row.network;
  const ClipDefaults d = FindPreset(network.preset).defaults;
  OurFigures ours;
  ours.sizes = SizesOf(network);
  ours.calls = network.component == "unet" ? 1 : d.frames;
  const GraphCost cost = CountCost(BuildRow(network, ours.sizes, network.change));
  ours.tflops = double(ours.calls * cost.total.flops) / 1e12;
  ours.parameters = cost.total.parameters;
  if (row.nfe > 0 && !row.of_others) {
    const bool guided = GuidanceOn(GuidanceScales(d.min_guidance_scale, d.max_guidance_scale, d.frames));
    ours.nfe = d.num_inference_steps * (guided ? 2 : 1);
  }
  return ours;
}

// "before_up_block 4.05 TFLOPs", "saved by them 1.44 TFLOPs, in the paper 1.40".
std::string CountText(const PaperNote::Count& count) {
  const PaperNetwork& network = FindPaperNetwork(count.preset);
  const double ours = Tflops(BuildRow(network, SizesOf(network), count.change));
  if (count.saved_from.empty()) return StrCat(count.what, " ", FormatFixed(ours, 2), " TFLOPs");
  const PaperNetwork& base = FindPaperNetwork(count.saved_from);
  return StrCat(count.what, " ", FormatFixed(Tflops(BuildRow(base, SizesOf(base))) - ours, 2),
                " TFLOPs, in the paper ", FormatFixed(base.tflops - network.tflops, 2));
}

std::string NoteText(const PaperNote& note) {
  std::string text(note.text);
  for (size_t i = 0; i < note.counts.size(); ++i)
    text += (i == 0 ? " Counted: " : "; ") + CountText(note.counts[i]);
  return text + (note.counts.empty() ? "" : ".");
}

}  // namespace

double ReproRow::Deviation() const {
  return paper->network->tflops > 0 ? ours.tflops / paper->network->tflops - 1 : 0;
}

bool ReproRow::BeyondTolerance() const { return std::abs(Deviation()) > paper->network->tolerance; }

double ClipFactor::Papers() const {
  return svd->paper->nfe * svd->paper->network->tflops /
         (mobile->paper->nfe * mobile->paper->network->tflops);
}

double ClipFactor::Ours() const {
  return double(svd->ours.nfe) * svd->ours.tflops / (double(mobile->ours.nfe) * mobile->ours.tflops);
}

std::optional<ClipFactor> Repro::Factor() const {
  const auto row = [&](std::string_view preset) -> const ReproRow* {
    for (const ReproRow& each : rows)
      if (each.paper->nfe > 0 && each.paper->network->preset == preset) return &each;
    return nullptr;
  };
  const ClipFactor factor{row("svd"), row("mobilevd")};
  return factor.svd && factor.mobile ? std::optional(factor) : std::nullopt;
}

Graph BuildRow(const PaperNetwork& network, const CallSizes& sizes, void (*change)(SvdUnetConfig&)) {
  ModelConfigs configs = FindPreset(network.preset).models;
  if (change) change(configs.unet);
  return FindComponent(network.component).build(configs, sizes);
}

std::vector<std::pair<std::string, double>> DemoFigures(const Repro& repro, const ReproRow& row) {
  const std::string run(row.paper->demo);
  std::vector<std::pair<std::string, double>> figures;
  const auto add = [&](const std::string& name, std::optional<double> value, double scale = 1) {
    if (value) figures.emplace_back(name, *value * scale);
  };
  if (row.paper->bucket > 0) {
    const std::string at = StrCat(", bucket ", row.paper->bucket);
    for (const char* measure : {"temporal flickering", "dynamic degree"})
      add(measure, repro.demo.Figure(run, measure + at));
    return figures;
  }
  add("Frechet", repro.demo.Figure(run, "Frechet distance"));
  add("flow error", repro.demo.Figure(run, "flow error"));
  add("flicker", repro.demo.Figure(run, "flicker"));
  add("GFLOPs a clip", repro.demo.Cost(run, "flops"), 1e-9);
  return figures;
}

Repro CountTable(const PaperTable& table) {
  Repro repro{&table, {}, {}, {}, {}, {}};
  std::vector<const PaperNote*> notes;
  for (const PaperRow& paper : table.rows) {
    ReproRow row{&paper, Count(paper), {}};
    std::vector<const PaperNote*> own = paper.network->notes;
    if (paper.note) own.push_back(paper.note);
    for (const PaperNote* note : own) {
      const auto at = std::find(notes.begin(), notes.end(), note);
      row.notes.push_back(size_t(at - notes.begin()));
      if (at == notes.end()) notes.push_back(note);
    }
    std::sort(row.notes.begin(), row.notes.end());
    repro.rows.push_back(std::move(row));
  }
  for (const PaperNote* note : notes) repro.notes.push_back(NoteText(*note));
  return repro;
}

}  // namespace mvd::cli
