// What is wrong with a command line, in one line.
#include <CLI/CLI.hpp>

#include "mvd/base/error.h"
#include "mvd/base/nearest.h"
#include "mvd/cli/help.h"
#include "mvd/io/json.h"

namespace mvd::cli {
namespace {

// The command that was reached, and those above it.
std::vector<const CLI::App*> ParsedChain(const CLI::App& root) {
  std::vector<const CLI::App*> chain = {&root};
  while (!chain.back()->get_subcommands().empty()) chain.push_back(chain.back()->get_subcommands()[0]);
  return chain;
}

std::vector<std::string> CommandNames(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* sub : app.get_subcommands([](const CLI::App* s) { return !s->get_group().empty(); }))
    names.push_back(sub->get_name());
  return names;
}

std::string Help(const CLI::App& app) { return "; see " + CommandName(app) + " --help"; }

bool MeansTheHub(const std::string& flag) {
  return flag == "-hf" || flag == "-hfr" || flag == "--hf" || flag.starts_with("--hf-");
}

constexpr const char* kHubAdvice =
    ": this program downloads nothing; fetch the model (hf download ORG/REPO --local-dir FOLDER) and give "
    "--model FOLDER";

std::string UnknownFlag(const std::vector<const CLI::App*>& chain, const std::string& word) {
  const std::string flag = word.substr(0, word.find('='));
  const CLI::App& command = *chain.back();
  std::string message = "'" + Printable(flag, 80) + "' is no option of " + CommandName(command);
  if (MeansTheHub(flag)) return message + kHubAdvice;
  std::vector<std::string> flags;
  for (const CLI::App* app : chain) {
    for (const CLI::Option* option : app->get_options())
      for (const std::string& name : option->get_lnames()) flags.push_back("--" + name);
  }
  return message + DidYouMean(flag.starts_with("--") ? flag : "-" + flag, flags) + Help(command);
}

std::string UnknownWord(const CLI::App& command, const std::string& word) {
  const std::vector<std::string> names = CommandNames(command);
  if (names.empty())
    return "'" + Printable(word, 80) + "' is one argument too many for " + CommandName(command) +
           Help(command);
  return "'" + Printable(word, 80) + "' is no command" + DidYouMean(word, names) + Help(command);
}

std::string FirstLine(std::string text) {
  const size_t line = text.find('\n');
  if (line != text.npos) text.resize(line);
  return text;
}

}  // namespace

std::string ExplainParseError(const CLI::App& root, const CLI::ParseError& error) {
  const std::vector<const CLI::App*> chain = ParsedChain(root);
  const CLI::App& command = *chain.back();
  // A mistyped word is often why something else is missing.
  if (const std::vector<std::string> left = root.remaining(true); !left.empty()) {
    const std::string& word = left[0];
    return word.size() > 1 && word[0] == '-' ? UnknownFlag(chain, word) : UnknownWord(command, word);
  }
  const std::string what = FirstLine(error.what());
  if (dynamic_cast<const CLI::ArgumentMismatch*>(&error))
    return what.substr(0, what.find_first_of(":,")) + " needs a value" + Help(command);
  if (dynamic_cast<const CLI::RequiredError*>(&error) && !CommandNames(command).empty()) {
    std::string names;
    for (const std::string& name : CommandNames(command)) names += (names.empty() ? "" : ", ") + name;
    return CommandName(command) + " needs a command: " + names + Help(command);
  }
  return what + Help(command);
}

void RefuseLettersBehindHelp(int argc, const char* const* argv) {
  std::string command = "mobilevd";
  if (argc > 1 && argv[1][0] != '-') command += StrCat(" ", Printable(argv[1], 40));
  for (int i = 1; i < argc && std::string_view(argv[i]) != "--"; ++i) {
    const std::string word = argv[i];
    if (!word.starts_with("-h") || word.size() == 2) continue;
    const std::string message = "'" + Printable(word, 80) + "' is no option of " + command;
    if (MeansTheHub(word)) ThrowUsage(message, kHubAdvice);
    ThrowUsage(message, "; see ", command, " --help");
  }
}

}  // namespace mvd::cli
