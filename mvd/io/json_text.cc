#include "mvd/io/json_text.h"

#include <cstdio>
#include <nlohmann/json.hpp>

namespace mvd {

std::string JsonText(const nlohmann::json& value, int indent) {
  const std::string text =
      value.dump(indent, ' ', /*ensure_ascii=*/false, nlohmann::json::error_handler_t::replace);
  // nlohmann-json escapes C0, but neither DEL nor C1 (0xc2 and one more byte), which stand in strings only.
  std::string safe;
  safe.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    const bool is_c1 = uint8_t(text[i]) == 0xc2 && i + 1 < text.size() && uint8_t(text[i + 1]) < 0xa0;
    if (!is_c1 && text[i] != '\x7f') {
      safe += text[i];
      continue;
    }
    char escaped[8];
    std::snprintf(escaped, sizeof escaped, "\\u00%02x", unsigned(uint8_t(text[is_c1 ? ++i : i])));
    safe += escaped;
  }
  return safe;
}

}  // namespace mvd
