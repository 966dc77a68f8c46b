#pragma once

#include "mvd/cli/command.h"

namespace mvd::cli {

Runner DeclareDataSynth(CLI::App& app);

}  // namespace mvd::cli
