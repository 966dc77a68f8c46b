// Golden files: inputs and outputs of one component as the original computes them, and the run that repeats
// them here.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "mvd/base/tensor.h"
#include "mvd/engine/network.h"

namespace mvd {

struct GoldenOutput {
  std::string name;  // "output.sample"
  Shape shape;
  double rel_rms = 0;  // ||got - want||_2 / ||want||_2
  double max_abs = 0;
  double cosine = 0;
};

struct GoldenReport {
  std::string component;
  std::vector<GoldenOutput> outputs;
  double worst() const;
};

// Runs the component that `golden`'s metadata names with the weights of `model` (empty where the component
// has none) on the golden's inputs. Errors: kNotFound for a path that does not exist, kBadInput naming file
// and tensor.
GoldenReport RunGolden(const std::filesystem::path& model, const std::filesystem::path& golden,
                       const NetworkOptions& options);

}  // namespace mvd
