// What the program prints, made safe for a terminal: names and texts come out of files that anybody may have
// made, and an escape sequence in one must not reach it. JSON is valid whatever bytes a file's name has.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace mvd::cli {

// The one object of --json: a line on stdout. Bytes that are not UTF-8 become U+FFFD.
void PrintJson(const nlohmann::json& object);

// "mobilevd: MESSAGE", one line on stderr, with or without --quiet. May be called from any thread.
void PrintError(const std::string& message);

// The path of what was made, a line on stdout: as it is, for scripts, but as Shown where a person looks at
// it.
void PrintPath(const std::string& path);

// Of text from a file: one line, with '?' for control characters and for bytes that are not UTF-8.
std::string Shown(const std::string& text);

}  // namespace mvd::cli
