#include "mvd/cpu/winograd.h"

#include "mvd/cpu/onednn.h"

namespace mvd::cpu {
namespace {

// Tiles of one piece of work: their transformed inputs and one panel of sums share the L2 cache; more tiles
// read the weights less often but were no faster even where weights come from memory. Few channels have small
// weights and do better with fewer tiles (TAESD's decoder: 1.74 s with 24, 1.72 s with 32).
int64_t TilesPerBlock(int64_t inputs) { return inputs < 128 ? 32 : 48; }

// Multiplications of a frame from which on their number counts. Below, the direct sum is kept: it rounds less
// (bf16: 1.7e-3 where this one has 4.3e-3), and most weights lie in small frames, where the SVD UNet's would
// grow by another 0.4 GB.
constexpr int64_t kLeastProducts = 1'000'000'000;
constexpr int64_t kLeastChannels = 64;
constexpr int64_t kChannelUnit = 16;  // what the kernels ask for

int64_t TilesOf(const Dims& d) { return d.frames() * ((d.h + 1) / 2) * ((d.w + 1) / 2); }

int64_t BlockOf(int64_t tiles, int64_t inputs) {
  const int64_t most = TilesPerBlock(inputs), blocks = (tiles + most - 1) / most;
  return (tiles + blocks - 1) / blocks;
}

kernels::WinogradSizes SizesOf(const Graph& graph, ValueId id, DType source, const IsaLevel& isa) {
  const Dims x = DimsOf(graph.shape(graph.node(id).inputs[0])), y = DimsOf(graph.shape(id));
  return WithType(source, [&]<class E>(E) {
    return kernels::Typed<E>(isa.kernels()).winograd_sizes(x.c, y.c, BlockOf(TilesOf(y), x.c));
  });
}

// The job of a whole layer, without `first`, `count` and `scratch`. `weights` and `bias` must stay.
template <class E>
kernels::WinogradJob<E> JobOf(const Program& program, ValueId id, const Tensor& weights, const Bias& bias) {
  const Node& node = program.node(id);
  const Dims x = program.dims(node.inputs[0]), y = program.dims(id);
  const ValueId residual = node.input(3);
  const bool added = residual != kNoValue;
  return {.source = program.at<E>(node.inputs[0]),
          .weights = weights.data(),
          .height = y.h,
          .width = y.w,
          .inputs = x.c,
          .outputs = y.c,
          .first = 0,
          .count = 0,
          .bias = bias.data,
          .bias_frames = bias.per_item ? y.t : y.frames(),
          .act = KernelActivation(node.as<Conv2dAttrs>().act),
          .residual = added ? program.at<char>(residual) : nullptr,
          .residual_bf16 = added && program.type(residual) == DType::kBF16,
          .target = program.at<char>(id),
          .target_bf16 = program.type(id) == DType::kBF16,
          .scratch = nullptr};
}

template <class E>
Step MakeTyped(Program& program, ValueId id) {
  const kernels::TypedKernels<E>& kernels = kernels::Typed<E>(program.table());
  const Node& node = program.node(id);
  const Node& weight_node = program.node(node.inputs[1]);
  const int64_t inputs = weight_node.shape[1], outputs = weight_node.shape[0];
  const kernels::WinogradSizes sizes = SizesOf(program.graph, id, program.type(node.inputs[0]), *program.isa);

  auto weights = std::make_shared<Tensor>(Shape{sizes.weights}, DType::kU8);
  {
    const Aligned stored = TakeWeight(program, node.inputs[1]);
    const bool f32 = stored.view.dtype == DType::kF32;
    const Tensor converted = f32 ? Tensor() : ConvertTo(stored.view, DType::kF32);
    const float* w = f32 ? stored.view.f32().data() : converted.f32().data();
    ParallelFor(program.options.threads, sizes.panels, [&](int64_t panel, int) {
      kernels.winograd_pack(w, inputs, outputs, panel, weights->data());
    });
  }
  ReleaseWeight(program, node.inputs[1]);
  program.weight_bytes += sizes.weights;
  program.scratch.Need(sizes.scratch);

  auto bias = std::make_shared<Bias>(MakeBias(program, node.input(2), outputs));
  const auto layer = JobOf<E>(program, id, *weights, *bias);
  const int64_t tiles = TilesOf(program.dims(id)), block = BlockOf(tiles, inputs);
  const auto run = [=, &program, &kernels](int64_t first, int64_t count, int thread) {
    auto job = layer;
    job.first = first;
    job.count = count;
    job.scratch = program.scratch.At(thread);
    kernels.winograd(job);
  };
  // The pointers in `layer` live in `weights` and `bias`.
  return {id, [=, &program] {
            static_cast<void>(weights), static_cast<void>(bias);
            ForPieces(program, tiles, block, run);
          }};
}

}  // namespace

bool UsesWinograd(const Graph& graph, ValueId id, DType source, const IsaLevel& isa) {
  const Node& node = graph.node(id);
  if (node.op != Op::kConv2d) return false;
  // Without the instruction that multiplies bf16 the packed weights would be f32.
  if (isa.name == "amx" || (source == DType::kBF16 && isa.name != "avx512_bf16")) return false;
  const auto& a = node.as<Conv2dAttrs>();
  const Shape& w = graph.shape(node.inputs[1]);
  if (w[2] != 3 || w[3] != 3 || a.stride != 1) return false;
  if (a.top != 1 || a.left != 1 || a.bottom != 1 || a.right != 1) return false;
  const Dims y = DimsOf(node.shape);
  return w[0] >= kLeastChannels && w[1] >= kLeastChannels && w[0] % kChannelUnit == 0 &&
         w[1] % kChannelUnit == 0 && y.h * y.w * w.elements() >= kLeastProducts;
}

bool UsesWinograd(const Program& program, ValueId id) {
  const Node& node = program.node(id);
  return node.op == Op::kConv2d &&
         UsesWinograd(program.graph, id, program.type(node.inputs[0]), *program.isa);
}

Step MakeWinograd(Program& program, ValueId id) {
  return WithType(program.type(program.node(id).inputs[0]),
                  [&]<class E>(E) { return MakeTyped<E>(program, id); });
}

int64_t WinogradWeightBytes(const Graph& graph, ValueId id, DType source, const IsaLevel& isa) {
  return SizesOf(graph, id, source, isa).weights;
}

int64_t WinogradScratchBytes(const Graph& graph, ValueId id, DType source, const IsaLevel& isa) {
  return SizesOf(graph, id, source, isa).scratch;
}

}  // namespace mvd::cpu
