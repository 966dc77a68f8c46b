// The tables of Mobile Video Diffusion (arXiv 2412.07583) that give costs: the paper's figures, the preset
// for each row, and what the paper leaves open. This is the only place that has them; `repro`, docs/repro.md
// and tests/paper_flops_test.cc read it.
#pragma once

#include <string_view>
#include <vector>

#include "mvd/models/svd_unet.h"

namespace mvd {

// A choice that the paper leaves open, or the reason why its figure and ours differ.
struct PaperNote {
  // A count that the note compares: of a preset, of a preset with one choice made differently, or of how much
  // less it is than `saved_from`, which can be compared with the paper's figures of both.
  struct Count {
    std::string_view what, preset;
    void (*change)(SvdUnetConfig&) = nullptr;
    std::string_view saved_from = {};
  };
  std::string_view text;
  std::vector<Count> counts = {};
};

// The paper prints OOM in place of a figure: the model did not fit.
inline constexpr double kPaperOom = -1;

// One network with the paper's figures of one call: batch 1, no guidance, 14 frames. A figure of 0 is not
// printed.
struct PaperNetwork {
  std::string_view preset;
  double tflops = 0;
  // How far our count may be from the printed figure, relative; `below`: how far below it.
  double tolerance = 0;
  double gpu_ms = 0, phone_ms = 0;
  std::vector<const PaperNote*> notes = {};
  double printed_to = 0.01;
  double below = tolerance;
  std::string_view component = "unet";
  void (*change)(SvdUnetConfig&) = nullptr;  // what differs from the preset
};

struct PaperRow {
  std::string_view label;
  const PaperNetwork* network;
  int nfe = 0;                       // evaluations of the network per clip, unconditional ones included
  std::vector<double> quality = {};  // as PaperTable::quality names them
  const PaperNote* note = nullptr;   // of this row alone
  bool of_others = false;            // another group's model with this network; the NFE is theirs
  // The evaluation of the bundled model, made by recipes/demo/ladder.sh, that corresponds to this row; empty:
  // none.
  std::string_view demo = {};
  int bucket = 0;  // rows of one model at several motion buckets
};

struct PaperTable {
  std::string_view name, title;
  std::vector<std::string_view> quality;  // measured on clips of trained models
  std::vector<PaperRow> rows;
  bool gpu = true, phone = true;  // whether the table prints these latencies

  bool HasNfe() const { return rows.front().nfe > 0; }
};

// Every UNet whose FLOPs the paper prints.
const std::vector<PaperNetwork>& PaperNetworks();
// The one with this preset, which must be among them.
const PaperNetwork& FindPaperNetwork(std::string_view preset);

// Names of tables: "2", "A1", "3", "4", "5", "6", "7", "A2", "A3".
const std::vector<PaperTable>& PaperTables();
// Error(kUsage) that lists the names.
const PaperTable& FindPaperTable(std::string_view name);

// The abstract gives 1817.2 TFLOPs per clip for SVD.
inline constexpr double kAbstractSvdTflops = 1817.2;

}  // namespace mvd
