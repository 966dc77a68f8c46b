// A table of the paper beside ours, and its three forms: text, markdown, JSON.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "mvd/cli/demo_evaluations.h"
#include "mvd/cli/timing.h"
#include "mvd/engine/components.h"
#include "mvd/models/paper_tables.h"

namespace mvd::cli {

// What is ours of a row.
struct OurFigures {
  CallSizes sizes;
  int64_t calls = 1;  // of the graph; a decoder's are one a frame
  int64_t nfe = 0;    // of a clip as the preset makes it; 0 where it is not ours to say
  double tflops = 0;  // of all these calls
  int64_t parameters = 0;
  std::optional<Timing> timing;  // of all these calls
  int64_t too_large_bytes = 0;   // what it would need, where this machine lacks it
};

struct ReproRow {
  const PaperRow* paper;
  OurFigures ours;
  std::vector<size_t> notes;  // into Repro::notes

  // Ours against the figure as it is printed; 0 where the paper prints none.
  double Deviation() const;
  bool BeyondTolerance() const;
};

// Operations of a clip: what the paper's factor of 523 is made of.
struct ClipFactor {
  const ReproRow *svd, *mobile;
  double Papers() const;
  double Ours() const;
};

struct Repro {
  const PaperTable* table;
  std::vector<ReproRow> rows;
  std::vector<std::string> notes;  // what the paper leaves open in these rows, in their order
  std::optional<MeasuredOn> measured;
  RepetitionFlags repetitions;
  DemoEvaluations demo;  // empty: none were given

  std::optional<ClipFactor> Factor() const;
};

// Figures of the demo's model that answers a row, by the column's name; those that it has.
std::vector<std::pair<std::string, double>> DemoFigures(const Repro& repro, const ReproRow& row);

// Counts every row on its preset's graph; nothing is measured yet.
Repro CountTable(const PaperTable& table);
Graph BuildRow(const PaperNetwork& network, const CallSizes& sizes, void (*change)(SvdUnetConfig&) = nullptr);

std::string ReproText(const Repro& repro);
std::string ReproMarkdown(const Repro& repro);
nlohmann::json ReproJson(const Repro& repro);

}  // namespace mvd::cli
