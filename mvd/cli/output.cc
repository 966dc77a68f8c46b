#include "mvd/cli/output.h"

#include <unistd.h>

#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>

#include "mvd/io/json.h"
#include "mvd/io/json_text.h"

namespace mvd::cli {
namespace {

constexpr size_t kMaxLineBytes = 1 << 16;

}  // namespace

void PrintJson(const nlohmann::json& object) { std::cout << JsonText(object) << "\n"; }

void PrintError(const std::string& message) {
  std::fprintf(stderr, "mobilevd: %s\n", Shown(message).c_str());
}

void PrintPath(const std::string& path) {
  std::printf("%s\n", ::isatty(STDOUT_FILENO) ? Shown(path).c_str() : path.c_str());
}

std::string Shown(const std::string& text) { return Printable(text, kMaxLineBytes); }

}  // namespace mvd::cli
