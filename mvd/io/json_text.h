// JSON out: text that any reader and any terminal takes.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace mvd {

// The value as text that is valid UTF-8 and holds no control characters but the line ends of `indent`,
// whatever its strings hold: bytes that are not UTF-8 (a file's name may have them) become U+FFFD, control
// characters are escaped.
std::string JsonText(const nlohmann::json& value, int indent = -1);

}  // namespace mvd
