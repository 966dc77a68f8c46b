// Times a training step's forward and backward pass of a UNet on the torch graph:
//   bench_torch CONFIG.json BATCH FRAMES HEIGHT WIDTH f32|bf16 [THREADS [SEGMENTS]], sizes in latent pixels.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "mvd/base/stopwatch.h"
#include "mvd/io/json.h"
#include "mvd/models/svd_unet.h"
#include "mvd/torch/torch_graph.h"

using namespace mvd;  // NOLINT

namespace {

Parameters RandomParameters(const Graph& graph) {
  Parameters parameters;
  for (ValueId id : graph.All(Op::kWeight)) {
    const Node& node = graph.node(id);
    const int64_t fan = node.shape.rank() > 1 ? node.shape.elements() / node.shape[0] : 100;
    at::Tensor value = at::randn(node.shape.dims(), at::kFloat) / std::sqrt(double(fan));
    if (node.shape.rank() == 1) value = value + 1;
    parameters[node.name] = value.requires_grad_(true);
  }
  return parameters;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 7) return 2;
  const int64_t b = std::atoll(argv[2]), t = std::atoll(argv[3]), h = std::atoll(argv[4]),
                w = std::atoll(argv[5]);
  at::set_num_threads(argc > 7 ? std::atoi(argv[7]) : 2);
  const auto config = ReadConfig<SvdUnetConfig>(ReadJsonFile(argv[1]), argv[1]);
  Graph built = BuildSvdUnet(config, b, t, h, w);
  const Parameters parameters = RandomParameters(built);
  const TorchGraph graph(std::move(built),
                         {.compute = std::string(argv[6]) == "bf16" ? at::kBFloat16 : at::kFloat,
                          .recompute_segments = argc > 8 ? std::atoi(argv[8]) : 0});
  TensorMap inputs;
  for (ValueId id : graph.graph().All(Op::kInput)) {
    inputs[graph.graph().node(id).name] = at::randn(graph.graph().shape(id).dims(), at::kFloat);
  }
  std::vector<double> seconds;
  for (int i = 0; i < 7; ++i) {
    const Stopwatch watch;
    for (const auto& [name, parameter] : parameters) parameter.mutable_grad() = at::Tensor();
    const TensorMap outputs = graph.Run(parameters, inputs);
    const double forward = watch.Seconds();
    outputs.at("sample").square().mean().backward();
    if (i >= 2) seconds.push_back(watch.Seconds());
    if (i == 6) std::printf("forward %.3f ", forward);
  }
  std::sort(seconds.begin(), seconds.end());
  std::printf("step %.3f s at best, %.3f median, %.2f clips/s\n", seconds[0], seconds[2],
              double(b) / seconds[2]);
  return 0;
}
