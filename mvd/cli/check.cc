// check: hold a component against a golden file.
#include <cstdio>

#include "mvd/cli/command.h"
#include "mvd/cli/flags.h"
#include "mvd/cli/option_table.h"
#include "mvd/cli/output.h"
#include "mvd/engine/bundled_models.h"
#include "mvd/engine/golden.h"

namespace mvd::cli {
namespace {

struct CheckFlags {
  std::string model, golden;
  ExecFlags exec;
  double tolerance = kUnset<double>;
  bool strict = false;
};

// diffusers' own bf16 stands at 2e-2 to 4e-2 from its f64 on random weights; f32 differs by summation order
// alone.
double DefaultTolerance(DType dtype) { return dtype == DType::kF32 ? 1e-4 : 5e-2; }

nlohmann::json ToJson(const GoldenReport& report) {
  nlohmann::json outputs = nlohmann::json::array();
  for (const GoldenOutput& o : report.outputs) {
    outputs.push_back({{"name", o.name},
                       {"shape", o.shape.dims()},
                       {"rel_rms", o.rel_rms},
                       {"max_abs", o.max_abs},
                       {"cosine", o.cosine}});
  }
  return outputs;
}

Exit Check(Session& session, const CheckFlags& o) {
  const NetworkOptions network = o.exec.Resolve(session.cancel);
  const double tolerance = IsUnset(o.tolerance) ? DefaultTolerance(network.exec.dtype) : o.tolerance;
  const auto model = FindModel(o.model);
  if (!model.empty()) TellDoubts(Model::Open(model), o.strict);
  const GoldenReport report = RunGolden(model, o.golden, network);
  const GoldenOutput* worst = &report.outputs[0];
  for (const GoldenOutput& output : report.outputs) {
    if (!(output.rel_rms <= worst->rel_rms)) worst = &output;
  }
  const bool pass = worst->rel_rms <= tolerance;
  if (session.json) {
    nlohmann::json object = {{"component", report.component},
                             {"model", nullptr},
                             {"golden", o.golden},
                             {"executor", network.executor},
                             {"dtype", Name(network.exec.dtype)},
                             {"tolerance", tolerance},
                             {"pass", pass},
                             {"outputs", ToJson(report)}};
    if (!o.model.empty()) object["model"] = o.model;
    PrintJson(object);
  } else {
    for (const GoldenOutput& output : report.outputs) {
      std::printf("%-20s %-22s rel_rms %.3e  max_abs %.3e  cosine %.9f\n", output.name.c_str(),
                  ToString(output.shape).c_str(), output.rel_rms, output.max_abs, output.cosine);
    }
    std::printf("%s %s rel_rms %.3e, tolerance %.1e\n", pass ? "PASS" : "FAIL", worst->name.c_str(),
                worst->rel_rms, tolerance);
  }
  return pass ? Exit::kOk : Exit::kCheckFailed;
}

}  // namespace

Runner DeclareCheck(CLI::App& app) {
  auto o = std::make_shared<CheckFlags>();
  o->exec.dtype = "f32";
  AddOption(app,
            WithHelp(Table().model, "Model folder or name, the component's own folder, or a single file"),
            o->model);
  AddOption(app, Table().strict, o->strict);
  AddOption(app,
            {.flags = "--golden",
             .help = "Golden file (safetensors)",
             .value = "FILE",
             .required = true,
             .group = "Model"},
            o->golden);
  AddOption(app,
            {.flags = "--tol",
             .help = "Largest relative RMS error",
             .value = "X",
             .least = 0,
             .most = 1e6,
             .unset = "1e-4 for f32, 5e-2 for bf16"},
            o->tolerance);
  o->exec.Declare(app);
  return [o](Session& session) { return Check(session, *o); };
}

}  // namespace mvd::cli
