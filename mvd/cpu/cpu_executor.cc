#include "mvd/cpu/cpu_executor.h"

#include <cstring>
#include <new>

#include "mvd/base/stopwatch.h"
#include "mvd/cpu/onednn.h"
#include "mvd/cpu/plan.h"
#include "mvd/cpu/program.h"

namespace mvd {
namespace {

using cpu::Program;
using cpu::Step;

// oneDNN says in its own way that memory is out.
template <class F>
decltype(auto) WithBadAlloc(const F& body) {
  try {
    return body();
  } catch (const dnnl::error& error) {
    if (error.status == dnnl_out_of_memory) throw std::bad_alloc();
    throw;
  }
}

// Weights that a step packs or keeps by itself; any other weight an op reads is an operand like an
// activation.
bool IsLayer(Op op) { return op == Op::kConv2d || op == Op::kConvTemporal || op == Op::kLinear; }

bool TakesOwnWeights(Op op) {
  switch (op) {
    case Op::kConv2d:
    case Op::kConvTemporal:
    case Op::kLinear:
    case Op::kGroupNorm:
    case Op::kLayerNorm:
    case Op::kBlend:
      return true;
    default:
      return false;
  }
}

Step MakeStep(Program& program, ValueId id) {
  switch (program.node(id).op) {
    case Op::kConv2d:
    case Op::kConvTemporal:
      return cpu::MakeConv(program, id);
    case Op::kLinear:
      return cpu::MakeLinear(program, id);
    case Op::kGroupNorm:
    case Op::kLayerNorm:
      return cpu::MakeNorm(program, id);
    case Op::kAttention:
      return cpu::MakeAttention(program, id);
    case Op::kActivation:
    case Op::kGeglu:
    case Op::kAffine:
    case Op::kAdd:
    case Op::kMultiply:
    case Op::kBlend:
    case Op::kTimestep:
    case Op::kFrameIndices:
      return cpu::MakePointwise(program, id);
    case Op::kConcat:
    case Op::kSlice:
    case Op::kExpand:
    case Op::kReshape:
    case Op::kResizeNearest:
    case Op::kMaxPool:
      return cpu::MakeRearrange(program, id);
    case Op::kWarp:
      return cpu::MakeWarp(program, id);
    case Op::kInput:
    case Op::kWeight:
    case Op::kWeightProduct:
      break;
  }
  MVD_CHECK(false, program.node(id).name, ": ", Name(program.node(id).op), " runs only while weights load");
  return {};
}

class CpuExecutor : public Executor {
 public:
  explicit CpuExecutor(const ExecOptions& options) {
    program_.options = options;
    program_.isa = &FindIsa(options.isa);
    if (options.dtype != DType::kF32 && options.dtype != DType::kBF16) {
      ThrowUsage("the cpu executor computes in f32 or bf16, not ", mvd::Name(options.dtype));
    }
    if (options.dtype == DType::kBF16 && !program_.isa->bf16) {
      ThrowUsage("bf16 needs AVX-512, this run has ", program_.isa->name, ": use --dtype f32");
    }
  }

  std::string_view Name() const override { return "cpu"; }
  std::string Unsupported(const Graph&, const Node&) const override { return ""; }

  MemoryPlan Plan(const Graph& graph) const override {
    const int threads = std::max(1, program_.options.threads.count);
    return WithBadAlloc(
        [&] { return cpu::PlanMemory(cpu::Lower(graph, program_.options.dtype), *program_.isa, threads); });
  }

  void Load(const Graph& graph, WeightSource& weights, const Progress& progress) override {
    Verify(graph);
    steps_.clear();
    program_.constants.clear();
    program_.scratch = {};
    program_.weights = &weights;
    cpu::Lowered lowered = cpu::Lower(graph, program_.options.dtype);
    PlaceValues(lowered);
    program_.graph = std::move(lowered.graph);
    program_.types = std::move(lowered.types);
    const size_t count = program_.graph.nodes.size();
    for (size_t i = 0; i < count; ++i) {
      if (program_.options.cancel) program_.options.cancel->Poll();
      const Node& node = program_.graph.nodes[i];
      if (!cpu::IsComputed(node)) continue;
      PlaceConstants(node);
      steps_.push_back(WithBadAlloc([&] { return MakeStep(program_, ValueId(i)); }));
      if (progress) progress("weights", double(i + 1) / double(count));
    }
    program_.scratch.Allocate(std::max(1, program_.options.threads.count));
    program_.weights = nullptr;
  }

  void Run(std::span<const TensorView> inputs, std::span<const MutableTensorView> outputs,
           bool new_clip) override {
    const ScopedThreads threads(program_.options.threads);
    const Graph& graph = program_.graph;
    MVD_CHECK_EQ(input_ids_.size(), inputs.size());
    MVD_CHECK_EQ(graph.outputs.size(), outputs.size());
    for (size_t i = 0; i < inputs.size(); ++i) {
      const ValueId id = input_ids_[i];
      MVD_CHECK_EQ(inputs[i].shape.elements(), graph.shape(id).elements());
      Convert(inputs[i].dtype, inputs[i].data, program_.type(id), program_.at<char>(id),
              size_t(graph.shape(id).elements()));
    }
    WithBadAlloc([&] {
      if (new_clip) RunPhase(Phase::kClip);
      RunPhase(Phase::kStep);
    });
    for (size_t i = 0; i < outputs.size(); ++i) {
      const ValueId id = graph.outputs[i].value;
      MVD_CHECK_EQ(outputs[i].shape.elements(), graph.shape(id).elements());
      Convert(program_.type(id), program_.at<char>(id), outputs[i].dtype, outputs[i].data,
              size_t(graph.shape(id).elements()));
    }
  }

  void SetObserver(NodeObserver observer) override { observer_ = std::move(observer); }

 private:
  // One arena: the planned values, then the inputs.
  void PlaceValues(const cpu::Lowered& lowered) {
    const Graph& graph = lowered.graph;
    const MemoryLayout layout = cpu::LayOut(lowered);
    input_ids_ = graph.All(Op::kInput);
    arena_ = Tensor({cpu::Align(layout.arena_bytes) + cpu::InputBytes(lowered)}, DType::kU8);
    char* base = static_cast<char*>(arena_.data());
    program_.address.assign(graph.nodes.size(), nullptr);
    int64_t next = cpu::Align(layout.arena_bytes);
    for (ValueId id : input_ids_) {
      program_.address[size_t(id)] = base + next;
      next += cpu::Align(graph.shape(id).elements() * int64_t(SizeOf(lowered.types[size_t(id)])));
    }
    for (size_t i = 0; i < graph.nodes.size(); ++i) {
      const ValueId storage = layout.storage[i];
      if (layout.offset[size_t(storage)] != kNotInArena)
        program_.address[i] = base + layout.offset[size_t(storage)];
      else if (storage != ValueId(i))
        program_.address[i] = program_.address[size_t(storage)];
    }
  }

  // Operands that are weights, or computed from weights alone, get an address before their first reader is
  // made.
  void PlaceConstants(const Node& node) {
    for (ValueId input : node.inputs) {
      if (input == kNoValue || program_.address[size_t(input)]) continue;
      const Node& source = program_.node(input);
      const bool weight = source.op == Op::kWeight;
      const bool packed = input == node.input(1) && !node.inputs.empty() && IsLayer(node.op);
      if (packed || (weight && TakesOwnWeights(node.op))) continue;
      if (weight)
        program_.constants[input] = program_.ConstantF32(input);
      else
        program_.ConstantF32(input);
      program_.address[size_t(input)] = static_cast<char*>(program_.constants.at(input).data());
    }
  }

  void RunPhase(Phase phase) {
    for (const Step& step : steps_) {
      const Node& node = program_.node(step.node);
      if (node.phase != phase) continue;
      if (program_.options.cancel) program_.options.cancel->Poll();
      const Stopwatch watch;
      step.run();
      if (observer_) observer_({node, watch.Seconds(), [&] { return ValueOf(step.node); }});
    }
  }

  Tensor ValueOf(ValueId id) const {
    return ConvertTo({program_.type(id), program_.graph.shape(id), program_.at<char>(id)}, DType::kF32);
  }

  Program program_;
  std::vector<Step> steps_;
  std::vector<ValueId> input_ids_;
  Tensor arena_;
  NodeObserver observer_;
};

}  // namespace

bool HasCpuExecutor() { return true; }

std::unique_ptr<Executor> MakeCpuExecutor(const ExecOptions& options) {
  return std::make_unique<CpuExecutor>(options);
}

}  // namespace mvd
