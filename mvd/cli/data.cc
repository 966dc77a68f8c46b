// data: makes training sets. Its own commands are listed here.
#include <CLI/CLI.hpp>

#include "mvd/cli/command.h"
#include "mvd/cli/data_prepare.h"
#include "mvd/cli/data_synth.h"

namespace mvd::cli {
namespace {

constexpr Command kDataCommands[] = {
    {"prepare", "Make shards from a folder of clips and pictures",
     "films/ -o shards/ --height 256 --width 512", DeclareDataPrepare},
    {"synth", "Make clips of procedural scenes", "-o clips/ -n 16", DeclareDataSynth},
};

}  // namespace

Runner DeclareData(CLI::App& app) {
  app.require_subcommand(1);
  auto chosen = std::make_shared<Runner>();
  for (const Command& command : kDataCommands) {
    AddCommand(app, command, *chosen)->fallthrough();  // --json and --quiet, declared above, may stand behind
  }
  return [chosen](Session& session) { return (*chosen)(session); };
}

}  // namespace mvd::cli
