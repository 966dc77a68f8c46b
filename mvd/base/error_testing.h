// What tests of bad input share, in every folder.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "mvd/base/error.h"

namespace mvd {

// `body` throws an Error with this exit whose one line contains `reason`; returns the file that it names.
template <class Body>
std::string ExpectOneLineError(Exit exit, const std::string& reason, const Body& body) {
  try {
    body();
    ADD_FAILURE() << "no error, expected: " << reason;
  } catch (const Error& error) {
    const std::string what = error.what();
    EXPECT_EQ(int(error.exit()), int(exit)) << what;
    EXPECT_NE(what.find(reason), what.npos) << "found: " << what << "\nexpected in it: " << reason;
    EXPECT_EQ(what.find('\n'), what.npos) << what;
    EXPECT_LT(what.size(), 1000u) << what;
    return error.file();
  }
  return "";
}

}  // namespace mvd
