#pragma once

#include "mvd/cli/command.h"

namespace mvd::cli {

Runner DeclareDataPrepare(CLI::App& app);

}  // namespace mvd::cli
