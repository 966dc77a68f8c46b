// The table of instruction sets against the processor the tests run on.
#include "mvd/cpu/isa.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "mvd/base/error.h"
#include "mvd/cpu/kernels/levels.h"

namespace mvd {
namespace {

TEST(Isa, AutoIsTheBestSupportedLevel) {
  const IsaLevel* best = nullptr;
  for (const IsaLevel& level : IsaLevels()) {
    if (level.supported()) best = &level;
  }
  ASSERT_NE(best, nullptr);
  if (!std::getenv("ONEDNN_MAX_CPU_ISA")) {
    EXPECT_EQ(&FindIsa("auto"), best);
  }
}

TEST(Isa, LevelsByNameWithTheirOwnKernels) {
  EXPECT_EQ(IsaLevels()[0].name, "scalar");
  for (const IsaLevel& level : IsaLevels()) {
    EXPECT_EQ(level.name == "amx" ? "avx512_bf16" : level.name, level.kernels().isa);
    if (level.supported() && OneDnnAllows(level)) {
      EXPECT_EQ(&FindIsa(level.name), &level);
    } else {
      EXPECT_THROW(FindIsa(level.name), Error) << level.name;
    }
  }
}

// Every compiled level of kernels can be chosen.
TEST(Isa, NoKernelsAreLeftOut) {
  for (const kernels::Level& level : kernels::Levels()) {
    bool found = false;
    for (const IsaLevel& isa : IsaLevels()) found = found || isa.name == level.name;
    EXPECT_TRUE(found) << level.name;
  }
}

TEST(Isa, UnknownNameIsAUsageError) {
  for (const char* name : {"", "sse9", "AVX2", "avx"}) {
    try {
      FindIsa(name);
      FAIL() << name;
    } catch (const Error& e) {
      EXPECT_EQ(e.exit(), Exit::kUsage);
      EXPECT_NE(std::string(e.what()).find("avx512_bf16"), std::string::npos) << e.what();
    }
  }
}

}  // namespace
}  // namespace mvd
