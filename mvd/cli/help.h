// --help, and what is said of a command line that cannot be read.
#pragma once

#include <memory>
#include <string>

namespace CLI {
class App;
class FormatterBase;
class ParseError;
}  // namespace CLI

namespace mvd::cli {

// Options by group, in columns of at most 100 characters; aliases only in --help-all.
std::shared_ptr<CLI::FormatterBase> MakeHelpFormatter();

// "Exit codes: 0 done, 1 ...", wrapped, for the end of the help.
std::string ExitCodesHelp();

// One line: which word of the command line is wrong, what was perhaps meant, and which help says more.
std::string ExplainParseError(const CLI::App& root, const CLI::ParseError& error);

// Throws Error(kUsage) for what CLI11 would read as -h with letters behind it.
void RefuseLettersBehindHelp(int argc, const char* const* argv);

// "mobilevd train diffusion"
std::string CommandName(const CLI::App& app);

}  // namespace mvd::cli
