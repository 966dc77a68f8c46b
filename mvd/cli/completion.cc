// completion: scripts for bash, zsh and fish, made from the declared commands and options.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>

#include "mvd/cli/command.h"
#include "mvd/cli/output.h"
#include "mvd/engine/bundled_models.h"

namespace mvd::cli {
namespace {

// What a shell completes behind an option, or as an argument.
struct Completes {
  bool value = false, files = false, folders = false;
  std::vector<std::string> words;
};

struct CompletedOption {
  std::vector<std::string> flags;  // "--height", "-H"; empty: a positional argument
  std::string help;
  Completes completes;
};

struct CompletedCommand {
  std::string path, help;  // "train diffusion"; empty: the program itself
  std::vector<const CompletedCommand*> below;
  std::vector<CompletedOption> options;
};

Completes CompletesOf(const CLI::Option& option) {
  Completes completes;
  const DeclaredOption* declared = FindDeclared(option);
  if (!declared || !declared->takes_value) return completes;
  const std::string& value = declared->spec.value;
  completes.value = true;
  completes.words = declared->spec.choices;
  completes.files = value == "FILE" || value == "PATH";
  completes.folders = value == "FOLDER" || value == "MODEL";
  if (value == "MODEL") completes.words.emplace_back(kDefaultModel);
  return completes;
}

// Aliases are taken, too, but would only make the list long.
std::vector<std::string> FlagsOf(const CLI::Option& option) {
  std::vector<std::string> flags;
  const DeclaredOption* declared = FindDeclared(option);
  std::istringstream names(declared ? declared->spec.flags : option.get_name());
  for (std::string name; std::getline(names, name, ',');)
    if (name.starts_with('-')) flags.push_back(name);
  return flags;
}

std::vector<CompletedOption> OptionsOf(const CLI::App& app) {
  std::vector<CompletedOption> options;
  for (const CLI::Option* option : app.get_options())
    options.push_back({FlagsOf(*option), option->get_description(), CompletesOf(*option)});
  return options;
}

// The program first, each command behind the one it belongs to.
void Collect(const CLI::App& app, const std::string& path,
             std::vector<std::unique_ptr<CompletedCommand>>& all, const CompletedCommand* above) {
  CompletedCommand& command = *all.emplace_back(std::make_unique<CompletedCommand>());
  command.path = path, command.help = app.get_description(), command.options = OptionsOf(app);
  if (above && !above->path.empty()) {  // --json and --quiet fall through to the command above
    for (const CompletedOption& option : above->options) {
      const bool known = std::ranges::any_of(
          command.options, [&](const CompletedOption& own) { return own.flags == option.flags; });
      if (!known && !option.flags.empty()) command.options.push_back(option);
    }
  }
  for (const CLI::App* sub : app.get_subcommands([](const CLI::App* s) { return !s->get_group().empty(); })) {
    const size_t at = all.size();
    Collect(*sub, path + (path.empty() ? "" : " ") + sub->get_name(), all, &command);
    command.below.push_back(all[at].get());
  }
}

std::string LastWord(const std::string& path) { return path.substr(path.rfind(' ') + 1); }

std::string Joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : " ") + word;
  return text;
}

using Commands = std::vector<std::unique_ptr<CompletedCommand>>;

std::string BashAction(const Completes& completes) {
  std::string action;
  if (!completes.words.empty()) action += " -W '" + Joined(completes.words) + "'";
  if (completes.files) action += " -f";
  if (completes.folders) action += " -d";
  return "mapfile -t COMPREPLY < <(compgen" + action + " -- \"$cur\"); return ;;\n";
}

std::string Bash(const Commands& commands) {
  std::string paths, values, words;
  for (const auto& command : commands) {
    if (!command->path.empty()) paths += (paths.empty() ? "" : " | ") + ("'" + command->path + "'");
    std::vector<std::string> offered;
    for (const CompletedCommand* below : command->below) offered.push_back(LastWord(below->path));
    for (const CompletedOption& option : command->options) {
      if (option.flags.empty())
        offered.insert(offered.begin(), option.completes.words.begin(), option.completes.words.end());
      offered.insert(offered.end(), option.flags.begin(), option.flags.end());
      const Completes& c = option.completes;
      if (option.flags.empty() || !c.value) continue;
      std::string patterns;
      for (const std::string& flag : option.flags)
        patterns += (patterns.empty() ? "" : " | ") + ("'" + command->path + " " + flag + "'");
      values += "    " + patterns + ") " +
                (c.words.empty() && !c.files && !c.folders ? "return ;;\n" : BashAction(c));
    }
    words += "    '" + command->path + "') words='" + Joined(offered) + "' ;;\n";
  }
  return "# bash completion of mobilevd: source <(mobilevd completion bash)\n"
         "_mobilevd() {\n"
         "  local cur=${COMP_WORDS[COMP_CWORD]} command='' words='' i\n"
         "  COMPREPLY=()\n"
         "  for ((i = 1; i < COMP_CWORD; i++)); do\n"
         "    local longer=\"${command:+$command }${COMP_WORDS[i]}\"\n"
         "    case \"$longer\" in\n"
         "    " +
         paths +
         ") command=$longer ;;\n"
         "    esac\n"
         "  done\n"
         "  case \"$command ${COMP_WORDS[COMP_CWORD-1]}\" in\n" +
         values +
         "  esac\n"
         "  case \"$command\" in\n" +
         words +
         "  esac\n"
         "  mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\")\n"
         "  # Anything that is no option may be a file.\n"
         "  if [[ $cur != -* && -n $command ]]; then mapfile -t COMPREPLY < <(compgen -f -- \"$cur\"; "
         "[[ $words != -* ]] && compgen -W \"${words%% -*}\" -- \"$cur\"); fi\n"
         "}\n"
         "complete -o filenames -F _mobilevd mobilevd\n";
}

std::string ZshQuoted(const std::string& text) {
  std::string quoted;
  for (char c : text) {
    if (c == '\'')
      quoted += "'\\''";
    else if (c == '[' || c == ']' || c == ':' || c == '\\')
      quoted += std::string("\\") + c;
    else
      quoted += c;
  }
  return quoted;
}

std::string ZshAction(const Completes& c) {
  if (c.folders) return c.words.empty() ? "_files -/" : "{ compadd " + Joined(c.words) + "; _files -/ }";
  if (c.files) return "_files";
  return c.words.empty() ? " " : "(" + Joined(c.words) + ")";
}

std::string FunctionName(const std::string& path) {
  std::string name = "_mobilevd" + (path.empty() ? "" : "_" + path);
  std::ranges::replace(name, ' ', '_');
  std::ranges::replace(name, '-', '_');
  return name;
}

std::string Zsh(const Commands& commands) {
  std::string text =
      "#compdef mobilevd\n# zsh completion of mobilevd: mobilevd completion zsh > "
      "\"${fpath[1]}/_mobilevd\"\n";
  for (const auto& command : commands) {
    text += FunctionName(command->path) + "() {\n  _arguments -C \\\n";
    for (const CompletedOption& option : command->options) {
      for (const std::string& flag : option.flags) {
        text += "    '" + flag + "[" + ZshQuoted(option.help) + "]";
        if (option.completes.value) text += ":value:" + ZshAction(option.completes);
        text += "' \\\n";
      }
    }
    if (command->below.empty()) {
      text += "    '*:file:_files'\n}\n";
      continue;
    }
    std::string names, cases;
    for (const CompletedCommand* below : command->below) {
      const std::string name = LastWord(below->path);
      names += " " + name + "\\:\"" + ZshQuoted(below->help) + "\"";
      cases += "    " + name + ") " + FunctionName(below->path) + " ;;\n";
    }
    text += "    '1:command:((" + names +
            " ))' '*::argument:->argument'\n  [[ $state == argument ]] && case "
            "$words[1] in\n" +
            cases + "  esac\n}\n";
  }
  return text + "compdef _mobilevd mobilevd\n";
}

std::string FishQuoted(const std::string& text) {
  std::string quoted = "'";
  for (char c : text) quoted += c == '\'' || c == '\\' ? std::string("\\") + c : std::string(1, c);
  return quoted + "'";
}

std::string FishCondition(const std::string& path) {
  if (path.empty()) return "__fish_use_subcommand";
  std::string condition;
  std::istringstream words(path);
  for (std::string word; words >> word;)
    condition += (condition.empty() ? "" : "; and ") + ("__fish_seen_subcommand_from " + word);
  return condition;
}

std::string Fish(const Commands& commands) {
  std::string text =
      "# fish completion of mobilevd: mobilevd completion fish > "
      "~/.config/fish/completions/mobilevd.fish\n"
      "complete -c mobilevd -n __fish_use_subcommand -f\n";
  for (const auto& command : commands) {
    const std::string begin = "complete -c mobilevd -n " + FishQuoted(FishCondition(command->path));
    std::vector<std::string> names;
    for (const CompletedCommand* below : command->below) names.push_back(LastWord(below->path));
    for (const CompletedCommand* below : command->below) {
      std::string when = FishCondition(command->path);
      if (!command->path.empty()) when += "; and not __fish_seen_subcommand_from " + Joined(names);
      text += "complete -c mobilevd -n " + FishQuoted(when) + " -f -a " + LastWord(below->path) + " -d " +
              FishQuoted(below->help) + "\n";
    }
    for (const CompletedOption& option : command->options) {
      if (option.flags.empty()) continue;
      std::string line = begin;
      for (const std::string& flag : option.flags)
        line += flag.starts_with("--") ? " -l " + flag.substr(2) : " -s " + flag.substr(1);
      const Completes& c = option.completes;
      if (c.value) line += c.files || c.folders ? " -r -F" : " -x";
      if (!c.words.empty()) line += " -a " + FishQuoted(Joined(c.words));
      text += line + " -d " + FishQuoted(option.help) + "\n";
    }
  }
  return text;
}

Exit Complete(const Session& session, const CLI::App& program, const std::string& shell) {
  Commands commands;
  Collect(program, "", commands, nullptr);
  const std::string script = shell == "bash"  ? Bash(commands)
                             : shell == "zsh" ? Zsh(commands)
                                              : Fish(commands);
  if (session.json)
    PrintJson(nlohmann::json{{"shell", shell}, {"script", script}});
  else
    std::cout << script;
  return Exit::kOk;
}

}  // namespace

Runner DeclareCompletion(CLI::App& app) {
  auto shell = std::make_shared<std::string>();
  AddOption(app,
            {.flags = "shell",
             .help = "Shell that will read it",
             .value = "SHELL",
             .choices = {"bash", "zsh", "fish"},
             .required = true},
            *shell);
  return [shell, &app](Session& session) { return Complete(session, *app.get_parent(), *shell); };
}

}  // namespace mvd::cli
