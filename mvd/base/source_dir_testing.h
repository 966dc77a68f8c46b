// Where the source tree lies, for tests that read testdata/, models/ or recipes/.
#pragma once

#include <filesystem>

namespace mvd {

std::filesystem::path SourceDir();

}  // namespace mvd
