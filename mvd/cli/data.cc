// data: makes training sets. Its own commands are listed here.
#include "mvd/cli/command.h"
#include "mvd/cli/data_prepare.h"
#include "mvd/cli/data_synth.h"

namespace mvd::cli {
namespace {

constexpr Command kDataCommands[] = {
    {"prepare", "Make shards from a folder of clips and pictures", DeclareDataPrepare},
    {"synth", "Make shards or clips of procedural scenes", DeclareDataSynth},
};

}  // namespace

Runner DeclareData(CLI::App& app) {
  app.require_subcommand(1);
  auto chosen = std::make_shared<Runner>();
  for (const Command& command : kDataCommands) {
    CLI::App* sub = app.add_subcommand(command.name, command.help);
    sub->fallthrough();  // --json and --quiet, declared above, may stand behind
    const Runner runner = command.declare(*sub);
    sub->callback([chosen, runner] { *chosen = runner; });
  }
  return [chosen](Session& session) { return (*chosen)(session); };
}

}  // namespace mvd::cli
