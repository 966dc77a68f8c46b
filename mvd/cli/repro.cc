// repro: a table of the paper with ours beside it, counted at full size and, on wish, timed on this machine.
#include <malloc.h>

#include <cstdio>
#include <iostream>
#include <map>

#include "mvd/cli/command.h"
#include "mvd/cli/flags.h"
#include "mvd/cli/option_table.h"
#include "mvd/cli/output.h"
#include "mvd/cli/repro_ladder.h"
#include "mvd/cli/repro_report.h"

namespace mvd::cli {
namespace {

struct ReproFlags {
  std::string table;
  std::string demo, output;
  bool markdown = false, latency = false;
  ExecFlags exec;
  RepetitionFlags repetitions{.warmup = 1, .reps = 1};
};

Exit ListTables(const Session& session) {
  nlohmann::json object = nlohmann::json::object();
  for (const PaperTable& table : PaperTables()) {
    object[std::string(table.name)] = table.title;
    if (!session.json)
      std::printf("%-3s %s\n", std::string(table.name).c_str(), std::string(table.title).c_str());
  }
  if (session.json) PrintJson(nlohmann::json{{"tables", object}});
  return Exit::kOk;
}

// Times the row's network, unless this machine lacks the memory for it.
void Measure(const PaperNetwork& paper, const NetworkOptions& options, const RepetitionFlags& repetitions,
             StatusLine& status, OurFigures& ours) {
  const Model model = Model::Random(FindPreset(paper.preset), 0, options.exec.dtype, options.exec.threads);
  Network network(BuildRow(paper, ours.sizes, paper.change), options);
  const int64_t bytes = network.Plan().total();
  if (bytes > SystemMemoryBytes("MemAvailable:")) {
    ours.too_large_bytes = bytes;
    return;
  }
  network.Load(*model.Weights(paper.component), status.AsProgress());
  const std::vector<Tensor> inputs = RandomInputs(network.graph());
  const std::vector<TensorView> views(inputs.begin(), inputs.end());
  ours.timing = TimeCalls(network, views, repetitions, ours.calls, status);
}

void MeasureAll(const Session& session, const ReproFlags& o, Repro& repro) {
  const NetworkOptions options = o.exec.Resolve(session.cancel);
  StatusLine status(session.quiet);
  repro.measured = ThisMachine(options);
  repro.repetitions = o.repetitions;
  std::map<const PaperNetwork*, OurFigures> done;  // rows of one network are measured once
  for (ReproRow& row : repro.rows) {
    const PaperNetwork& network = *row.paper->network;
    const auto [at, is_new] = done.try_emplace(&network, row.ours);
    if (is_new) {
      Measure(network, options, o.repetitions, status, at->second);
      malloc_trim(0);  // small blocks between the large ones would keep whole pages
      const auto& timing = at->second.timing;
      status.Note(StrCat(network.preset, " ", network.component, ": ",
                         timing ? FormatFixed(timing->median, 2) + " s"
                                : "needs " + FormatBytes(double(at->second.too_large_bytes))));
    }
    row.ours.timing = at->second.timing;
    row.ours.too_large_bytes = at->second.too_large_bytes;
  }
}

Exit RunRepro(Session& session, const ReproFlags& o) {
  if (o.table.empty()) return ListTables(session);
  if (o.table == "ladder") {
    if (o.demo.empty() || o.output.empty())
      ThrowUsage("repro ladder draws --demo FOLDER as --output FILE.svg or FILE.png");
    LadderChart(DemoEvaluations(o.demo)).Write(o.output);
    if (session.json) PrintJson(nlohmann::json{{"output", o.output}});
    return Exit::kOk;
  }
  if (!o.output.empty()) ThrowUsage("--output is for `repro ladder`");
  if (session.json && o.markdown) ThrowUsage("--json and --markdown exclude each other");
  Repro repro = CountTable(FindPaperTable(o.table));
  if (!o.demo.empty()) repro.demo = DemoEvaluations(o.demo);
  if (o.latency) MeasureAll(session, o, repro);
  if (session.json)
    PrintJson(ReproJson(repro));
  else
    std::cout << (o.markdown ? ReproMarkdown(repro) : ReproText(repro));
  return Exit::kOk;
}

}  // namespace

Runner DeclareRepro(CLI::App& app) {
  auto o = std::make_shared<ReproFlags>();
  AddOption(app,
            {.flags = "table",
             .help = "Its number in the paper, or `ladder`: quality against cost as a chart; without one, "
                     "the list",
             .value = "TABLE"},
            o->table);
  AddOption(app, {.flags = "--output,-o", .help = "ladder: the chart, .svg or .png", .value = "FILE"},
            o->output);
  AddOption(app, {.flags = "--markdown", .help = "As markdown"}, o->markdown);
  AddOption(
      app,
      {.flags = "--demo",
       .help = "Folder of evaluations that recipes/demo/ladder.sh made: our quality at the demo's scale",
       .value = "FOLDER"},
      o->demo);
  AddOption(app,
            {.flags = "--latency",
             .help = "Also time one call of each network, of a decoder one clip, at full size with random "
                     "weights"},
            o->latency);
  o->repetitions.Declare(app);
  o->exec.Declare(app);
  return [o](Session& session) { return RunRepro(session, *o); };
}

}  // namespace mvd::cli
