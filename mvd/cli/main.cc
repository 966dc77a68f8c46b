// mobilevd: the list of commands, and the one place where failures become a line of text and an exit code.
#include <malloc.h>

#include <cstdio>
#include <iostream>
#include <new>

#include "mvd/base/thread_limits.h"
#include "mvd/cli/command.h"
#include "mvd/cli/terminal.h"

namespace mvd::cli {
namespace {

constexpr Command kCommands[] = {
    {"generate", "Make a clip from a picture", DeclareGenerate},
    {"inspect", "Say what a model folder, weights file, clip or picture is", DeclareInspect},
    {"explain", "Print a model's graph with the shape, cost and place of every node", DeclareExplain},
    {"cost", "Count FLOPs, parameters and memory of a model", DeclareCost},
    {"check", "Compare a component with a golden file of the original", DeclareCheck},
    {"bench", "Time one component", DeclareBench},
    {"repro", "Print a table of the paper beside what is counted and measured here", DeclareRepro},
    {"init", "Write a model folder with seeded random weights", DeclareInit},
    {"data", "Make a training set", DeclareData},
    {"train", "Train a model, from a commented TOML file", DeclareTrain},
    {"evaluate", "Measure a model on clips and photographs that it never saw", DeclareEvaluate},
    {"compress", "Make a model smaller: fold, multiscale, prune, funnels, low rank", DeclareCompress},
    {"convert", "Write a model folder with its weights in another type", DeclareConvert},
    {"doctor", "Say what this machine offers and what the program would use", DeclareDoctor},
};

// The failure as one line on stderr, and as the contract's object on stdout where --json was given.
Exit Report(const Session& session, Exit exit, const std::string& file, const std::string& message) {
  std::fprintf(stderr, "mobilevd: %s\n", message.c_str());
  if (session.json) {
    nlohmann::json object = {{"error", message}, {"file", nullptr}, {"exit", int(exit)}};
    if (!file.empty()) object["file"] = file;
    std::cout << object.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) << "\n";
  }
  return exit;
}

Exit Run(int argc, char** argv, Session& session) {
  CLI::App app("Mobile Video Diffusion: from one picture a short clip.", "mobilevd");
  app.set_version_flag("--version", "mobilevd " MVD_VERSION);
  app.require_subcommand(1);
  app.get_formatter()->column_width(36);
  Runner chosen;
  for (const Command& command : kCommands) {
    CLI::App* sub = app.add_subcommand(command.name, command.help);
    sub->add_flag("--json", session.json, "Print one JSON object on stdout");
    sub->add_flag("-q,--quiet", session.quiet, "No progress on stderr");
    const Runner runner = command.declare(*sub);
    sub->callback([&chosen, runner] { chosen = runner; });
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& success) {
    return Exit(app.exit(success));  // --help, --version: on stdout
  } catch (const CLI::ParseError& error) {
    std::string message = error.what();
    for (char& c : message) c = c == '\n' ? ' ' : c;
    return Report(session, Exit::kUsage, "", message + "; see mobilevd --help");
  }
  return chosen(session);
}

Exit Guarded(int argc, char** argv, Session& session) {
  try {
    return Run(argc, argv, session);
  } catch (const Error& error) {
    return Report(session, error.exit(), error.file(), error.what());
  } catch (const std::bad_alloc&) {
    return Report(session, Exit::kOutOfMemory, "", "out of memory");
  } catch (const std::exception& error) {
    return Report(session, Exit::kInternal, "", std::string("internal error: ") + error.what());
  }
}

}  // namespace
}  // namespace mvd::cli

int main(int argc, char** argv) {
  mvd::WaitBriefly(argv);
  // Weights of one stage are freed before the next begins: large blocks come straight from the system and go
  // back to it, where glibc would raise its own limit and keep them.
  mallopt(M_MMAP_THRESHOLD, 256 << 10);
  static mvd::CancelToken cancel;
  static std::atomic<int> grace_ms{800};
  mvd::cli::InstallCancellation(cancel, grace_ms);
  mvd::cli::Session session{.cancel = &cancel, .cancel_grace_ms = &grace_ms};
  const mvd::Exit exit = mvd::cli::Guarded(argc, argv, session);
  std::fflush(stdout);
  return int(exit);
}
