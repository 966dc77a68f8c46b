#include "mvd/sample/preconditioning.h"

#include "mvd/base/check.h"

namespace mvd {

Preconditioning Precondition(std::string_view prediction_type, double sigma) {
  Preconditioning result = VPrediction(sigma);
  if (prediction_type == "v_prediction") return result;
  if (prediction_type == "epsilon") {
    result.c_skip = 1, result.c_out = -sigma;
    return result;
  }
  MVD_CHECK(prediction_type == "sample", prediction_type);
  result.c_skip = 0, result.c_out = 1;
  return result;
}

}  // namespace mvd
