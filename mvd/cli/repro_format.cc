// The three forms of a reproduced table. Cells are made once, for text and markdown; a column that no row
// fills is left out.
#include <algorithm>
#include <cmath>

#include "mvd/cli/flags.h"
#include "mvd/cli/repro_report.h"

namespace mvd::cli {
namespace {

struct Column {
  std::string name, whose;  // "TFLOPs", "paper" or "ours"
  std::vector<std::string> cells;
};

std::string Latency(double ms) { return ms == kPaperOom ? "OOM" : ms > 0 ? FormatFixed(ms, 0) : ""; }

// As the paper prints it: 149, 0.61.
std::string Quality(double value) { return FormatFixed(value, value == std::round(value) ? 0 : 2); }

std::string Size(const CallSizes& s) { return StrCat(s.width, "x", s.height); }

std::string NetworkText(const PaperNetwork& network) {
  return network.component == "unet" ? std::string(network.preset) : std::string(network.component);
}

std::string Seconds(const OurFigures& ours) {
  if (ours.timing) return FormatFixed(ours.timing->median, 2);
  return ours.too_large_bytes > 0 ? "OOM" : "";
}

std::string Signed(double percent) { return (percent > 0 ? "+" : "") + FormatFixed(percent, 1); }

std::string NoteNumbers(const ReproRow& row) {
  std::string text;
  for (size_t note : row.notes) text += StrCat(text.empty() ? "" : ",", note + 1);
  return text;
}

std::vector<Column> Columns(const Repro& repro) {
  std::vector<Column> columns;
  const auto column = [&](std::string name, std::string whose, auto cell) {
    Column made{std::move(name), std::move(whose), {}};
    for (const ReproRow& row : repro.rows) made.cells.push_back(cell(row));
    const bool empty = std::all_of(made.cells.begin(), made.cells.end(), [](auto& c) { return c.empty(); });
    if (!empty) columns.push_back(std::move(made));
  };
  const PaperTable& table = *repro.table;
  const auto if_printed = [](const ReproRow& row, std::string text) {
    return row.paper->network->tflops > 0 ? text : "";
  };
  column("model", "", [](const ReproRow& r) { return std::string(r.paper->label); });
  column("pixels", "", [](const ReproRow& r) { return Size(r.ours.sizes); });
  column("network", "ours", [](const ReproRow& r) { return NetworkText(*r.paper->network); });
  column("NFE", "paper", [](const ReproRow& r) { return r.paper->nfe > 0 ? StrCat(r.paper->nfe) : ""; });
  column("NFE", "ours", [](const ReproRow& r) { return r.ours.nfe > 0 ? StrCat(r.ours.nfe) : ""; });
  for (size_t i = 0; i < table.quality.size(); ++i)
    column(std::string(table.quality[i]), "paper",
           [i](const ReproRow& r) { return Quality(r.paper->quality[i]); });
  column("TFLOPs", "paper", [&](const ReproRow& r) {
    return if_printed(r, FormatFixed(r.paper->network->tflops, r.paper->network->printed_to < 0.1 ? 2 : 1));
  });
  column("TFLOPs", "ours", [](const ReproRow& r) { return FormatFixed(r.ours.tflops, 2); });
  column("dev %", "", [&](const ReproRow& r) { return if_printed(r, Signed(100 * r.Deviation())); });
  column("tol %", "",
         [&](const ReproRow& r) { return if_printed(r, FormatFixed(100 * r.paper->network->tolerance, 1)); });
  column("M params", "ours",
         [](const ReproRow& r) { return FormatFixed(double(r.ours.parameters) / 1e6, 1); });
  column("GPU ms", "paper",
         [&](const ReproRow& r) { return table.gpu ? Latency(r.paper->network->gpu_ms) : ""; });
  column("phone ms", "paper",
         [&](const ReproRow& r) { return table.phone ? Latency(r.paper->network->phone_ms) : ""; });
  column("s", "ours", [](const ReproRow& r) { return Seconds(r.ours); });
  for (const char* name :
       {"Frechet", "flow error", "flicker", "GFLOPs a clip", "temporal flickering", "dynamic degree"})
    column(name, "demo", [&](const ReproRow& row) {
      for (const auto& [measure, value] : DemoFigures(repro, row))
        if (measure == name) return FormatFixed(value, 2);
      return std::string();
    });
  column("notes", "", NoteNumbers);
  return columns;
}

std::string Title(const Repro& repro) {
  return StrCat("Table ", repro.table->name,
                " of Mobile Video Diffusion (arXiv 2412.07583): ", repro.table->title);
}

std::string Times(int64_t nfe, double tflops) { return StrCat(nfe, " x ", FormatFixed(tflops, 2)); }

std::string FactorText(const ClipFactor& f) {
  const PaperRow &svd = *f.svd->paper, &mobile = *f.mobile->paper;
  const double paper = svd.network->tflops, abstract = kAbstractSvdTflops;
  return StrCat("Operations of a clip: ", Times(svd.nfe, paper), " TFLOPs of SVD are ",
                FormatFixed(f.Papers(), 0), " times the ", Times(mobile.nfe, mobile.network->tflops),
                " of MobileVD by the paper's figures; by ours ", Times(f.svd->ours.nfe, f.svd->ours.tflops),
                " are ", FormatFixed(f.Ours(), 0), " times ",
                Times(f.mobile->ours.nfe, f.mobile->ours.tflops),
                ". The abstract's factor of 523 is this one; its ", FormatFixed(abstract, 1), " TFLOPs are ",
                FormatFixed(abstract / paper, 0), " x ", FormatFixed(paper, 2), " and only ",
                FormatFixed(abstract / mobile.network->tflops, 0), " times MobileVD's, at odds with the ",
                svd.nfe, " evaluations of its tables.");
}

std::string OursText(const Repro& repro) {
  std::string text =
      "Ours is counted on the graph that the program builds: 14 frames, batch 1, one call without guidance "
      "(for a decoder: one clip). It is the same on every machine. ";
  if (!repro.measured) return text + "`--latency` adds the seconds measured on this one.";
  const MeasuredOn& on = *repro.measured;
  return StrCat(text, "Seconds, of the same, were measured with random weights on ", on.processor,
                ", executor ", on.executor, " in ", on.dtype, on.isa.empty() ? "" : ", instruction set ",
                on.isa, ", ", on.threads, " threads; median of ", repro.repetitions.reps, " after ",
                repro.repetitions.warmup, " to warm up. OOM: more than this machine's free memory.");
}

// What stands below the table, paragraph by paragraph.
std::vector<std::string> Remarks(const Repro& repro) {
  std::vector<std::string> remarks;
  std::string beyond;
  for (const ReproRow& row : repro.rows) {
    if (row.BeyondTolerance())
      beyond += StrCat(beyond.empty() ? "" : "; ", row.paper->label, ": ", Signed(100 * row.Deviation()),
                       " % (notes ", NoteNumbers(row), ")");
  }
  if (!beyond.empty()) remarks.push_back("Beyond the tolerance: " + beyond + ".");
  for (size_t i = 0; i < repro.notes.size(); ++i) remarks.push_back(StrCat("[", i + 1, "] ", repro.notes[i]));
  if (const auto factor = repro.Factor()) remarks.push_back(FactorText(*factor));
  remarks.push_back(OursText(repro));
  remarks.push_back(
      "FVD and JEDi, GPU and phone latency are the paper's alone: its models and devices are not at hand.");
  if (!repro.demo.empty()) {
    remarks.push_back(
        "Demo: the same change on the model that comes with the program, trained by recipes/demo/ladder.sh "
        "and "
        "measured by `mobilevd evaluate` (docs/evaluate.md): Frechet distance on features of our own, which "
        "no "
        "FVD compares with.");
  }
  return remarks;
}

std::string Pad(const std::string& text, size_t width, bool left) {
  const std::string space(width - text.size(), ' ');
  return left ? text + space : space + text;
}

// At most `width` characters a line, later ones indented under a note's text.
std::string Wrapped(const std::string& text, size_t width) {
  std::string out;
  size_t line = 0;
  const std::string indent = text.starts_with("[") ? "    " : "";
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find(' ', at), text.size());
    if (line > 0 && line + 1 + end - at > width) {
      out += "\n" + indent;
      line = indent.size();
    } else if (line > 0) {
      out += " ", ++line;
    }
    out += text.substr(at, end - at), line += end - at;
    at = end + 1;
  }
  return out + "\n";
}

nlohmann::json MeasuredJson(const Repro& repro) {
  if (!repro.measured) return nullptr;
  const MeasuredOn& on = *repro.measured;
  return {{"processor", on.processor},
          {"executor", on.executor},
          {"dtype", on.dtype},
          {"isa", on.isa},
          {"threads", on.threads},
          {"weights", "random"},
          {"reps", repro.repetitions.reps},
          {"warmup", repro.repetitions.warmup}};
}

nlohmann::json PrintedOrNull(double value) { return value > 0 ? nlohmann::json(value) : nullptr; }
nlohmann::json LatencyJson(bool printed, double ms) {
  if (!printed) return nullptr;
  return ms == kPaperOom ? nlohmann::json("OOM") : PrintedOrNull(ms);
}

nlohmann::json Demo(const Repro& repro, const ReproRow& row) {
  nlohmann::json object = nlohmann::json::object();
  for (const auto& [name, value] : DemoFigures(repro, row)) object[name] = value;
  return object.empty() ? nlohmann::json(nullptr) : object;
}

nlohmann::json RowJson(const Repro& repro, const ReproRow& row) {
  const PaperTable& table = *repro.table;
  const PaperRow& paper = *row.paper;
  const PaperNetwork& network = *paper.network;
  const OurFigures& ours = row.ours;
  nlohmann::json quality = nlohmann::json::object();
  for (size_t i = 0; i < table.quality.size(); ++i) quality[std::string(table.quality[i])] = paper.quality[i];
  nlohmann::json notes = nlohmann::json::array();
  for (size_t note : row.notes) notes.push_back(note + 1);
  nlohmann::json seconds;
  if (ours.timing)
    seconds = {{"median", ours.timing->median}, {"min", ours.timing->min}, {"max", ours.timing->max}};
  const bool printed = network.tflops > 0;
  return {{"model", paper.label},
          {"preset", network.preset},
          {"component", network.component},
          {"width", ours.sizes.width},
          {"height", ours.sizes.height},
          {"paper",
           {{"nfe", PrintedOrNull(paper.nfe)},
            {"tflops", PrintedOrNull(network.tflops)},
            {"gpu_ms", LatencyJson(table.gpu, network.gpu_ms)},
            {"phone_ms", LatencyJson(table.phone, network.phone_ms)},
            {"quality", quality}}},
          {"demo", Demo(repro, row)},
          {"ours",
           {{"nfe", PrintedOrNull(double(ours.nfe))},
            {"tflops", ours.tflops},
            {"parameters", ours.parameters},
            {"calls", ours.calls},
            {"seconds", seconds},
            {"too_large_bytes", PrintedOrNull(double(ours.too_large_bytes))}}},
          {"deviation", printed ? nlohmann::json(row.Deviation()) : nullptr},
          {"tolerance", PrintedOrNull(network.tolerance)},
          {"notes", notes}};
}

}  // namespace

std::string ReproText(const Repro& repro) {
  const std::vector<Column> columns = Columns(repro);
  std::string out = Title(repro) + "\n\n";
  const auto line = [&](auto cell) {
    std::string text;
    for (const Column& column : columns) {
      size_t width = std::max(column.name.size(), column.whose.size());
      for (const std::string& each : column.cells) width = std::max(width, each.size());
      const bool words = column.name == "model" || column.name == "network";
      text += (text.empty() ? "" : "  ") + Pad(cell(column), width, words);
    }
    out += text.substr(0, text.find_last_not_of(' ') + 1) + "\n";
  };
  line([](const Column& c) { return c.name; });
  line([](const Column& c) { return c.whose; });
  for (size_t i = 0; i < repro.rows.size(); ++i) line([i](const Column& c) { return c.cells[i]; });
  for (const std::string& remark : Remarks(repro)) out += "\n" + Wrapped(remark, 110);
  return out;
}

std::string ReproMarkdown(const Repro& repro) {
  const std::vector<Column> columns = Columns(repro);
  std::string out = "### " + Title(repro) + "\n\n";
  const auto line = [&](auto cell) {
    for (const Column& column : columns) out += "| " + cell(column) + " ";
    out += "|\n";
  };
  line([](const Column& c) { return c.name + (c.whose.empty() ? "" : ", " + c.whose); });
  line([](const Column&) { return std::string("---"); });
  for (size_t i = 0; i < repro.rows.size(); ++i) line([i](const Column& c) { return c.cells[i]; });
  for (const std::string& remark : Remarks(repro)) out += "\n" + remark + "\n";
  return out;
}

nlohmann::json ReproJson(const Repro& repro) {
  nlohmann::json rows = nlohmann::json::array();
  for (const ReproRow& row : repro.rows) rows.push_back(RowJson(repro, row));
  nlohmann::json object = {
      {"table", repro.table->name}, {"title", repro.table->title},        {"rows", rows},
      {"notes", repro.notes},       {"measured_on", MeasuredJson(repro)}, {"clip_factor", nullptr}};
  if (const auto factor = repro.Factor()) {
    object["clip_factor"] = {{"paper", factor->Papers()},
                             {"ours", factor->Ours()},
                             {"abstract_tflops_of_svd", kAbstractSvdTflops}};
  }
  return object;
}

}  // namespace mvd::cli
