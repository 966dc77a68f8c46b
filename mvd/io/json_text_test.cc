#include "mvd/io/json_text.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "mvd/io/json.h"

namespace mvd {
namespace {

TEST(JsonText, IsValidWhateverTheBytes) {
  const std::string text = JsonText({{"name", "caf\xe9.jpg"}});
  EXPECT_EQ(ParseJson(text, "a")["name"], "caf\uFFFD.jpg");
}

TEST(JsonText, KeepsControlCharactersFromTheTerminal) {
  const std::string evil = "a\x1b[31m\x7f\xc2\x9b\xc3\xa4\n";
  for (const int indent : {-1, 2}) {
    std::string text = JsonText({{evil, {evil}}}, indent);
    EXPECT_EQ(ParseJson(text, "a"), nlohmann::json({{evil, {evil}}}));
    std::erase(text, '\n');
    EXPECT_FALSE(HasControlCharacters(text)) << text;
  }
  EXPECT_NE(JsonText(evil).find("\xc3\xa4"), std::string::npos);
}

}  // namespace
}  // namespace mvd
