// The tables of Mobile Video Diffusion (arXiv 2412.07583) that speak of cost: the paper's figures, the preset
// that stands for each row, and what the paper leaves open. The one place that has them: `repro`,
// docs/repro.md and tests/paper_flops_test.cc read it.
#pragma once

#include <string_view>
#include <vector>

#include "mvd/models/svd_unet.h"

namespace mvd {

// A choice that the paper leaves open, or why its figure and ours part.
struct PaperNote {
  // A count that the note compares: of a preset, of the same with one choice made otherwise, or how much less
  // than `saved_from` it is, which the paper's figures of both say too.
  struct Count {
    std::string_view what, preset;
    void (*change)(SvdUnetConfig&) = nullptr;
    std::string_view saved_from = {};
  };
  std::string_view text;
  std::vector<Count> counts = {};
};

// A figure of the paper that is no number: the model did not fit.
inline constexpr double kPaperOom = -1;

// One network with the paper's figures of one call: batch 1, no guidance, 14 frames. A figure of 0 is not
// printed.
struct PaperNetwork {
  std::string_view preset;
  double tflops = 0;
  // Relative, how far our count may lie from what the printed figure stands for, and how far below it.
  double tolerance = 0;
  double gpu_ms = 0, phone_ms = 0;
  std::vector<const PaperNote*> notes = {};
  double printed_to = 0.01;
  double below = tolerance;
  std::string_view component = "unet";
  void (*change)(SvdUnetConfig&) = nullptr;  // what the preset is not
};

struct PaperRow {
  std::string_view label;
  const PaperNetwork* network;
  int nfe = 0;                       // evaluations of the network for a clip, the unconditional ones too
  std::vector<double> quality = {};  // as PaperTable::quality names them
  const PaperNote* note = nullptr;   // of this row alone
  bool of_others = false;            // a model of other authors with this network: its NFE is theirs
  // Of the model that comes with the program: the evaluation of recipes/demo/ladder.sh that answers this row;
  // empty: none does.
  std::string_view demo = {};
  int bucket = 0;  // rows of one model at several motion buckets
};

struct PaperTable {
  std::string_view name, title;
  std::vector<std::string_view> quality;  // measured on clips of trained models
  std::vector<PaperRow> rows;
  bool gpu = true, phone = true;  // whether it prints these latencies

  bool HasNfe() const { return rows.front().nfe > 0; }
};

// Every UNet whose FLOPs the paper prints.
const std::vector<PaperNetwork>& PaperNetworks();
// The one of this preset, which must be among them.
const PaperNetwork& FindPaperNetwork(std::string_view preset);

// Names of tables: "2", "A1", "3", "4", "5", "6", "7", "A2", "A3".
const std::vector<PaperTable>& PaperTables();
// Error(kUsage) that lists the names.
const PaperTable& FindPaperTable(std::string_view name);

// The abstract has SVD at 1817.2 TFLOPs a clip.
inline constexpr double kAbstractSvdTflops = 1817.2;

}  // namespace mvd
