#include "mvd/cli/help.h"

#include <CLI/CLI.hpp>

#include "mvd/base/error.h"
#include "mvd/cli/option_spec.h"

namespace mvd::cli {
namespace {

constexpr size_t kColumns = 100;  // of a line
constexpr size_t kIndent = 32;    // where meanings begin
constexpr size_t kShortList = 20;

// Words in lines of kColumns; the first line begins at column `at`, the others at `indent`.
std::string Wrap(const std::string& text, size_t at, size_t indent) {
  std::string out;
  std::istringstream words(text);
  bool first = true;
  for (std::string word; words >> word;) {
    if (!first && at + 1 + word.size() > kColumns) {
      out += "\n" + std::string(indent, ' ');
      at = indent, first = true;
    }
    if (!first) out += " ", ++at;
    out += word, at += word.size(), first = false;
  }
  return out;
}

std::string Joined(const std::vector<std::string>& names, const char* between) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : between) + name;
  return text;
}

std::vector<std::string> Split(const std::string& names) {
  std::vector<std::string> list;
  std::istringstream in(names);
  for (std::string name; std::getline(in, name, ',');) list.push_back(name);
  return list;
}

bool TakesMany(const CLI::Option& option) { return option.get_items_expected_max() > 1; }

// "-H, --height PIXELS": the short name first, as other programs have it.
std::string Left(const CLI::Option& option) {
  const DeclaredOption* declared = FindDeclared(option);
  if (!declared) {  // --help and --version, which CLI11 declares
    const std::string names = Joined(Split(option.get_name(false, true)), ", ");
    return names.starts_with("--") ? "    " + names : names;
  }
  const OptionSpec& spec = declared->spec;
  if (option.get_positional()) return spec.Flag() + (TakesMany(option) ? "..." : "");
  std::vector<std::string> names = Split(spec.flags);
  std::ranges::stable_sort(names, {}, [](const std::string& name) { return name.starts_with("--"); });
  std::string left = Joined(names, ", ");
  if (left.starts_with("--")) left = "    " + left;
  if (!declared->takes_value) return left;
  const std::string list = Joined(spec.choices, "|");
  return left + " " + (!list.empty() && spec.most == 0 && list.size() <= kShortList ? list : spec.value);
}

std::string Meaning(const CLI::Option& option, bool all) {
  const DeclaredOption* declared = FindDeclared(option);
  if (!declared) return option.get_description();
  const OptionSpec& spec = declared->spec;
  std::string text = spec.help;
  const bool listed = spec.most == 0 && Joined(spec.choices, "|").size() <= kShortList;
  if (const std::string expected = Expected(spec); !expected.empty() && !listed) text += ": " + expected;
  if (!declared->default_text.empty()) text += " (default: " + declared->default_text + ")";
  if (all && !spec.aliases.empty()) text += "; also " + Joined(Split(spec.aliases), ", ");
  return text;
}

class HelpFormatter : public CLI::FormatterBase {
 public:
  std::string make_help(const CLI::App* app, std::string, CLI::AppFormatMode mode) const override {
    const bool all = mode == CLI::AppFormatMode::All;
    std::string text = app->get_description() + ".\n\nUsage: " + Usage(*app) + "\n";
    text += Commands(*app);
    for (const std::string& group : Groups(*app)) {
      text += "\n" + group + ":\n";
      for (const CLI::Option* option : app->get_options()) {
        if (option->get_group() == group) text += Line(Left(*option), Meaning(*option, all));
      }
    }
    if (const std::string footer = app->get_footer(); !footer.empty()) text += "\n" + footer + "\n";
    return text;
  }

 private:
  static std::string Line(const std::string& left, const std::string& meaning) {
    std::string line = "  " + left;
    line += line.size() + 2 > kIndent ? "\n" + std::string(kIndent, ' ')
                                      : std::string(kIndent - line.size(), ' ');
    return line + Wrap(meaning, kIndent, kIndent) + "\n";
  }

  static std::string Usage(const CLI::App& app) {
    std::string usage = CommandName(app);
    if (!app.get_subcommands({}).empty()) return usage + " COMMAND [options]";
    usage += " [options]";
    for (const CLI::Option* option : app.get_options()) {
      if (!option->get_positional()) continue;
      const std::string left = Left(*option);
      usage += option->get_required() ? " " + left : " [" + left + "]";
    }
    return usage;
  }

  static std::string Commands(const CLI::App& app) {
    std::string text;
    for (const CLI::App* sub : app.get_subcommands([](const CLI::App* s) { return !s->get_group().empty(); }))
      text += Line(sub->get_name(), sub->get_description());
    return text.empty() ? "" : "\nCommands:\n" + text;
  }

  // In the order of their first option, those of every command last; the empty name hides.
  static std::vector<std::string> Groups(const CLI::App& app) {
    std::vector<std::string> groups = app.get_groups();
    std::erase(groups, "");
    std::ranges::stable_sort(groups, {}, [](const std::string& group) { return group == "General"; });
    return groups;
  }
};

const char* MeaningOf(Exit exit) {
  switch (exit) {
    case Exit::kOk:
      return "done";
    case Exit::kInternal:
      return "a bug of this program";
    case Exit::kUsage:
      return "wrong usage";
    case Exit::kBadInput:
      return "a bad input or model";
    case Exit::kNotFound:
      return "a path does not exist";
    case Exit::kOutOfMemory:
      return "out of memory";
    case Exit::kCancelled:
      return "cancelled";
    case Exit::kPartial:
      return "part of a batch failed";
    case Exit::kCheckFailed:
      return "a check failed";
    case Exit::kNotWritten:
      return "a file could not be written";
    case Exit::kNotAllowed:
      return "no permission";
  }
  return nullptr;
}

}  // namespace

std::shared_ptr<CLI::FormatterBase> MakeHelpFormatter() { return std::make_shared<HelpFormatter>(); }

std::string CommandName(const CLI::App& app) {
  const CLI::App* parent = app.get_parent();
  return parent ? CommandName(*parent) + " " + app.get_name() : app.get_name();
}

std::string ExitCodesHelp() {
  std::string text = "Exit codes:";
  for (int code = 0; const char* meaning = MeaningOf(Exit(code)); ++code)
    text += StrCat(code ? "," : "", " ", code, " ", meaning);
  return Wrap(text, 0, 2);
}

}  // namespace mvd::cli
