// mobilevd: the list of commands, and the one place where failures become a line of text and an exit code.
#include <malloc.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <new>
#include <span>
#include <system_error>

#include "mvd/base/file_error.h"
#include "mvd/base/process_end.h"
#include "mvd/base/thread_limits.h"
#include "mvd/cli/command.h"
#include "mvd/cli/help.h"
#include "mvd/cli/output.h"
#include "mvd/cli/terminal.h"

namespace mvd::cli {
namespace {

constexpr Command kCommands[] = {
    {"generate", "Make a clip from a picture", "photo.jpg -o clip.mp4", DeclareGenerate},
    {"inspect", "Show what a model, weights file, clip, picture or shard holds", "clip.mp4", DeclareInspect},
    {"explain", "Print a model's graph with the shape, cost and place of every node",
     "--model demo --component unet --summary", DeclareExplain},
    {"cost", "Count FLOPs, parameters and memory of a model",
     "--preset svd --height 576 --width 1024 --frames 14", DeclareCost},
    {"check", "Compare a component with a golden file of the original",
     "--model demo --golden golden.safetensors", DeclareCheck},
    {"bench", "Time one component", "--preset svd-tiny --component unet", DeclareBench},
    {"repro", "Print a table of the paper beside what is counted and measured here", "1", DeclareRepro},
    {"init", "Write a model folder with seeded random weights", "--preset svd-tiny -o my-model", DeclareInit},
    {"data", "Make a training set", "prepare films/ -o shards/", DeclareData},
    {"train", "Train a model, from a commented TOML file", "diffusion run.toml --dry-run", DeclareTrain},
    {"evaluate", "Measure a model on clips and photographs that it never saw", "--model demo --clips 16",
     DeclareEvaluate},
    {"compress", "Make a model smaller: fold, multiscale, prune, funnels, low rank",
     "my-model --preset mobilevd -o smaller", DeclareCompress},
    {"convert", "Write a model folder with its weights in another type", "my-model --dtype bf16 -o half",
     DeclareConvert},
    {"doctor", "Show what this machine offers and what the program would use", "", DeclareDoctor},
    {"completion", "Print a completion script for a shell", "bash > ~/.mobilevd-completion",
     DeclareCompletion},
};

// The failure as one line on stderr, and as the contract's object on stdout where --json was given.
Exit Report(const Session& session, Exit exit, const std::string& file, const std::string& message) {
  ClaimEnd();
  PrintError(message);
  if (session.json) {
    nlohmann::json object = {{"error", message}, {"file", nullptr}, {"exit", int(exit)}};
    if (!file.empty()) object["file"] = file;
    PrintJson(object);
  }
  return exit;
}

// Before anything is parsed: a failure to parse is reported as JSON, too.
bool WantsJson(int argc, char** argv) {
  for (const std::string_view word : std::span(argv, size_t(argc))) {
    if (word == "--") return false;
    if (word == "--json") return true;
  }
  return false;
}

Exit Run(int argc, char** argv, Session& session) {
  RefuseLettersBehindHelp(argc, argv);
  CLI::App app("Mobile Video Diffusion: from one picture a short clip", "mobilevd");
  app.set_version_flag("--version", "mobilevd " MVD_VERSION);
  app.set_help_flag("-h,--help", "Print this help and exit")->group("General");
  app.set_help_all_flag("--help-all", "The same with every alias of an option")->group("General");
  app.get_version_ptr()->description("Print the version and exit")->group("General");
  app.formatter(MakeHelpFormatter());
  app.require_subcommand(1);
  app.footer("`mobilevd COMMAND --help` shows a command's options and an example.\n" + ExitCodesHelp());
  Runner chosen;
  for (const Command& command : kCommands) {
    CLI::App* const sub = AddCommand(app, command, chosen);
    AddOption(*sub, {.flags = "--json", .help = "Print one JSON object on stdout", .group = "General"},
              session.json);
    AddOption(*sub, {.flags = "--quiet,-q", .help = "No progress on stderr", .group = "General"},
              session.quiet);
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& success) {
    return Exit(app.exit(success));  // --help, --version: on stdout
  } catch (const CLI::ParseError& error) {
    return Report(session, Exit::kUsage, "", ExplainParseError(app, error));
  }
  return chosen(session);
}

// Process-wide, for the thread that waits for signals outlives main's frame.
CancelToken cancel_token;
std::atomic<int> cancel_grace_ms{800};

Exit RunAndFlush(int argc, char** argv, Session& session) {
  InstallCancellation(cancel_token, cancel_grace_ms);
  const Exit exit = Run(argc, argv, session);
  ClaimEnd();
  if (exit == Exit::kOk) FlushStdout();
  return exit;
}

Exit Guarded(int argc, char** argv, Session& session) {
  try {
    return RunAndFlush(argc, argv, session);
  } catch (const ReaderGone& error) {
    ClaimEnd();
    return error.exit();
  } catch (const Error& error) {
    return Report(session, error.exit(), error.file(), error.what());
  } catch (const std::bad_alloc&) {
    return Report(session, Exit::kOutOfMemory, "", "out of memory");
  } catch (const std::system_error& error) {
    // What std::thread says where the system gives no more of them.
    if (error.code() == std::errc::resource_unavailable_try_again)
      return Report(session, Exit::kOutOfMemory, "", "out of memory: a thread cannot be started");
    return Report(session, Exit::kInternal, "", std::string("internal error: ") + error.what());
  } catch (const std::exception& error) {
    return Report(session, Exit::kInternal, "", std::string("internal error: ") + error.what());
  }
}

}  // namespace
}  // namespace mvd::cli

int main(int argc, char** argv) {
  std::set_terminate([] {
    if (!mvd::CleanUpIfOutOfMemory()) std::abort();
    std::fputs("mobilevd: out of memory\n", stderr);
    std::_Exit(int(mvd::Exit::kOutOfMemory));
  });
  mvd::WaitBriefly(argv);
  // Weights of one stage are freed before the next begins: large blocks come straight from the system and go
  // back to it, where glibc would raise its own limit and keep them.
  mallopt(M_MMAP_THRESHOLD, 256 << 10);
  mvd::cli::OpenStandardDescriptors();
  using namespace mvd::cli;
  Session session{
      .cancel = &cancel_token, .json = WantsJson(argc, argv), .cancel_grace_ms = &cancel_grace_ms};
  const mvd::Exit exit = Guarded(argc, argv, session);
  std::fflush(stdout);
  return int(exit);
}
