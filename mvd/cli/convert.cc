// convert: a model folder with its weights in another type, or made of a single file.
#include <cstdio>

#include "mvd/cli/command.h"
#include "mvd/cli/flags.h"
#include "mvd/cli/option_table.h"
#include "mvd/cli/output.h"
#include "mvd/cli/terminal.h"
#include "mvd/engine/bundled_models.h"
#include "mvd/engine/convert_folder.h"
#include "mvd/engine/weight_doubts.h"

namespace mvd::cli {
namespace {

struct ConvertFlags {
  std::string model, output, dtype = "bf16";
};

Exit Run(Session& session, const ConvertFlags& o) {
  StatusLine status(session.quiet);
  const DType dtype = WeightDType(o.dtype);
  std::filesystem::path output(o.output);
  if (!output.has_filename()) output = output.parent_path();
  const ConvertReport report =
      ConvertFolder(FindModel(o.model), output, dtype, session.cancel, status.AsProgress());
  status.Clear();
  if (!report.note.empty()) status.Note(o.model + ": " + report.note);
  for (const std::string& doubt : DoubtUnused(o.model, report.unused)) status.Warn(doubt);
  status.Note(StrCat(report.tensors, " tensors, ", FormatBytes(double(report.bytes_before)), " -> ",
                     FormatBytes(double(report.bytes_after)), " in ", o.dtype));
  if (session.json) {
    PrintJson(nlohmann::json{{"output", output.string()},
                             {"dtype", o.dtype},
                             {"tensors", report.tensors},
                             {"bytes_before", report.bytes_before},
                             {"bytes_after", report.bytes_after}});
  } else {
    std::printf("%s\n", output.c_str());
  }
  return Exit::kOk;
}

}  // namespace

Runner DeclareConvert(CLI::App& app) {
  auto o = std::make_shared<ConvertFlags>();
  AddOption(
      app,
      {.flags = "model",
       .help =
           "Model folder or name, one component's own folder, or a single file such as svd_xt.safetensors",
       .value = "MODEL",
       .required = true},
      o->model);
  AddOption(app, Required(Table().output_folder), o->output);
  AddOption(app, Table().weight_dtype, o->dtype);
  return [o](Session& session) { return Run(session, *o); };
}

}  // namespace mvd::cli
