// Checks for our own bugs: they stay on in release builds and name the values. Bad input is an Error instead.
#pragma once

#include <sstream>
#include <stdexcept>
#include <string>

namespace mvd {

// A broken invariant of the program itself; main turns it into exit code 1.
class InternalError : public std::logic_error {
 public:
  using std::logic_error::logic_error;
};

// Concatenates streamable values.
template <class... Args>
std::string StrCat(const Args&... args) {
  std::ostringstream out;
  (out << ... << args);
  return out.str();
}

[[noreturn]] inline void CheckFailed(const char* file, int line, const std::string& message) {
  throw InternalError(StrCat(file, ":", line, ": ", message));
}

}  // namespace mvd

#define MVD_CHECK(condition, ...)                                                                      \
  do {                                                                                                 \
    if (!(condition)) {                                                                                \
      ::mvd::CheckFailed(__FILE__, __LINE__,                                                           \
                         ::mvd::StrCat("check failed: " #condition __VA_OPT__(, ": ", ) __VA_ARGS__)); \
    }                                                                                                  \
  } while (0)
#define MVD_CHECK_OP(a, op, b)                                                                            \
  do {                                                                                                    \
    const auto& mvd_check_a = (a);                                                                        \
    const auto& mvd_check_b = (b);                                                                        \
    if (!(mvd_check_a op mvd_check_b)) {                                                                  \
      ::mvd::CheckFailed(                                                                                 \
          __FILE__, __LINE__,                                                                             \
          ::mvd::StrCat("check failed: " #a " " #op " " #b ": ", mvd_check_a, " against ", mvd_check_b)); \
    }                                                                                                     \
  } while (0)
#define MVD_CHECK_EQ(a, b) MVD_CHECK_OP(a, ==, b)
#define MVD_CHECK_LE(a, b) MVD_CHECK_OP(a, <=, b)
#define MVD_CHECK_LT(a, b) MVD_CHECK_OP(a, <, b)
#define MVD_CHECK_GE(a, b) MVD_CHECK_OP(a, >=, b)
