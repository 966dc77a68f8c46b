#include "mvd/cli/command.h"

#include <CLI/CLI.hpp>

#include "mvd/cli/help.h"

namespace mvd::cli {

CLI::App* AddCommand(CLI::App& parent, const Command& command, Runner& chosen) {
  CLI::App* const sub = parent.add_subcommand(command.name, command.help);
  for (const char* help : {"--help", "--help-all"}) sub->get_option(help)->group("General");
  const std::string example = *command.example ? std::string(" ") + command.example : "";
  const Runner runner = command.declare(*sub);
  // A command may have said more already.
  const std::string more = sub->get_footer();
  sub->footer("Example:\n  " + CommandName(*sub) + example + (more.empty() ? "" : "\n\n" + more));
  sub->callback([&chosen, runner] { chosen = runner; });
  return sub;
}

}  // namespace mvd::cli
