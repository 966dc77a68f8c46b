// Linear layers: oneDNN's matmul on packed weights, one serial call for a block of rows. Blocks are fixed by
// the shape alone and each row is summed in one go, so the result does not depend on the number of threads.
#include "mvd/cpu/onednn.h"
#include "mvd/cpu/plan.h"

namespace mvd::cpu {
namespace {

using dnnl::memory;

// Rows a block has. For geglu the gates of a block wait in scratch: few enough rows to stay in the L2 cache.
int64_t BlockRows(int64_t rows, int64_t outputs, Act act) {
  const int64_t most = act == Act::kGeglu ? std::max<int64_t>(128, (1 << 18) / outputs / 64 * 64) : 512;
  const int64_t pieces = std::max<int64_t>((rows + most - 1) / most, std::min<int64_t>(8, rows / 32));
  return pieces <= 1 ? rows : (rows + pieces - 1) / pieces;
}

// One compiled matmul for a number of rows.
struct Matmul {
  dnnl::matmul::primitive_desc desc;
  dnnl::matmul primitive;
  memory::desc second;
};

// What distinguishes the matmuls of one layer.
struct Form {
  DType type;    // of source and weights
  DType target;  // of the result
  DType second;  // of the residual, or of the gates
  int64_t inputs, outputs;
  bool bias;
  Act act;
  bool residual;
  bool multiply;  // by a second operand of the output's shape: the gates of geglu
};

Matmul Compile(const Form& form, int64_t rows, const memory::desc* weights) {
  const auto type = DnnlType(form.type);
  using Tag = memory::format_tag;
  const memory::desc source({rows, form.inputs}, type, Tag::ab);
  const memory::desc target({rows, form.outputs}, DnnlType(form.target), Tag::ab);
  const memory::desc any({form.inputs, form.outputs}, type, Tag::any);
  const memory::desc bias({1, form.outputs}, memory::data_type::f32, Tag::ab);
  const memory::desc second({rows, form.outputs}, DnnlType(form.second), Tag::ab);
  dnnl::post_ops ops = Epilogue(form.act, form.residual ? &second : nullptr);
  if (form.multiply) ops.append_binary(dnnl::algorithm::binary_mul, second);
  dnnl::primitive_attr attr;
  attr.set_post_ops(ops);
  attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  const memory::desc& w = weights ? *weights : any;
  // One thread: blocks run side by side, and a primitive must not split what we have split.
  const ScopedThreads serial(Threads{1});
  const dnnl::matmul::desc desc =
      form.bias ? dnnl::matmul::desc(source, w, bias, target) : dnnl::matmul::desc(source, w, target);
  dnnl::matmul::primitive_desc made(desc, attr, Engine());
  return {made, dnnl::matmul(made), second};
}

// A packed weight matrix and the matmuls for a full and for the last block.
struct Layer {
  Form form;
  Matmul full, last;
  memory weights;

  void Run(int64_t rows, int64_t block, const void* source, const float* bias, const void* second,
           void* target, void* scratchpad) const {
    const Matmul& matmul = rows == block ? full : last;
    const auto& d = matmul.desc;
    // Handles are cheap shells round pointers; each thread makes its own.
    std::unordered_map<int, memory> args = {
        {DNNL_ARG_SRC, memory(d.src_desc(), Engine(), const_cast<void*>(source))},
        {DNNL_ARG_WEIGHTS, weights},
        {DNNL_ARG_DST, memory(d.dst_desc(), Engine(), target)},
        {DNNL_ARG_SCRATCHPAD, memory(d.scratchpad_desc(), Engine(), scratchpad)}};
    if (form.bias) args.emplace(DNNL_ARG_BIAS, memory(d.bias_desc(), Engine(), const_cast<float*>(bias)));
    if (second) {
      args.emplace(DNNL_ARG_ATTR_MULTIPLE_POST_OP(0) | DNNL_ARG_SRC_1,
                   memory(matmul.second, Engine(), const_cast<void*>(second)));
    }
    dnnl::stream stream(Engine());
    matmul.primitive.execute(stream, args);
  }
  int64_t scratchpad_bytes() const {
    return int64_t(std::max(full.desc.scratchpad_desc().get_size(), last.desc.scratchpad_desc().get_size()));
  }
};

// `data` is (outputs, inputs), row-major.
std::shared_ptr<Layer> MakeLayer(const Form& form, int64_t rows, int64_t block, const TensorView& data) {
  auto layer = std::make_shared<Layer>();
  layer->form = form;
  layer->full = Compile(form, block, nullptr);
  const memory::desc packed = layer->full.desc.weights_desc();
  const int64_t rest = rows % block;
  layer->last = rest ? Compile(form, rest, &packed) : layer->full;
  const memory::desc plain({form.inputs, form.outputs}, DnnlType(data.dtype), memory::format_tag::ba);
  layer->weights = Pack(data, plain, packed);
  return layer;
}

TensorView HalfOf(const TensorView& weight, int half) {
  TensorView view = weight;
  view.shape = {weight.shape[0] / 2, weight.shape.elements() / weight.shape[0]};
  view.data = static_cast<const char*>(weight.data) + half * int64_t(view.bytes());
  return view;
}

// Where a node's rows, bias and residual lie.
struct Operands {
  const char* source;
  char* target;
  const char* residual;
  int64_t rows_an_item;  // rows that share a bias; all rows where it does not vary
  int64_t items;
  int64_t inputs, outputs;
  size_t element, source_element, residual_element;
  DType second;
};

Operands OperandsOf(const Program& program, ValueId id, bool per_item) {
  const Node& node = program.node(id);
  const Dims x = program.dims(node.inputs[0]), y = program.dims(id);
  const ValueId residual = node.input(3);
  return {program.at<char>(node.inputs[0]),
          program.at<char>(id),
          residual == kNoValue ? nullptr : program.at<char>(residual),
          per_item ? y.tokens() / y.b : y.tokens(),
          per_item ? y.b : 1,
          x.c,
          y.c,
          SizeOf(program.type(id)),
          SizeOf(program.type(node.inputs[0])),
          SizeOf(residual == kNoValue ? program.type(id) : program.type(residual)),
          residual == kNoValue ? program.type(id) : program.type(residual)};
}

}  // namespace

Step MakeLinear(Program& program, ValueId id) {
  const Node& node = program.node(id);
  const Act act = node.op == Op::kLinear ? node.as<LinearAttrs>().act : node.as<Conv2dAttrs>().act;
  const Aligned weight = TakeWeight(program, node.inputs[1]);
  const int64_t all_outputs = program.graph.shape(node.inputs[1])[0];
  auto bias = std::make_shared<Bias>(MakeBias(program, node.input(2), all_outputs));
  const Operands o = OperandsOf(program, id, bias->per_item);
  const int64_t block = BlockRows(o.rows_an_item, o.outputs, act);
  Form form{program.type(node.inputs[0]),
            program.type(id),
            o.second,
            o.inputs,
            o.outputs,
            bias->data != nullptr,
            act,
            o.residual != nullptr,
            false};
  const bool geglu = act == Act::kGeglu;
  std::shared_ptr<Layer> gates;
  int64_t gate_bytes = 0;
  if (geglu) {
    form.act = Act::kGelu;
    gates = MakeLayer(form, o.rows_an_item, block, HalfOf(weight.view, 1));
    form.act = Act::kNone;
    form.multiply = true;
    gate_bytes = (block * o.outputs * int64_t(o.element) + 63) / 64 * 64;
  }
  const TensorView values = geglu ? HalfOf(weight.view, 0) : weight.view;
  const auto layer = MakeLayer(form, o.rows_an_item, block, values);
  ReleaseWeight(program, node.inputs[1]);
  program.weight_bytes +=
      int64_t(layer->weights.get_desc().get_size() + (gates ? gates->weights.get_desc().get_size() : 0));
  program.scratch.Need(gate_bytes +
                       std::max(layer->scratchpad_bytes(), gates ? gates->scratchpad_bytes() : 0));

  const int64_t blocks = (o.rows_an_item + block - 1) / block;
  const auto run_block = [=, &program](int64_t i, int thread) {
    const int64_t item = i / blocks, first = i % blocks * block;
    const int64_t rows = std::min(block, o.rows_an_item - first), row = item * o.rows_an_item + first;
    const void* source = o.source + size_t(row * o.inputs) * o.source_element;
    void* target = o.target + size_t(row * o.outputs) * o.element;
    const float* b = bias->data ? bias->data + (bias->per_item ? item * all_outputs : 0) : nullptr;
    char* scratch = static_cast<char*>(program.scratch.At(thread));
    const void* second = o.residual ? o.residual + size_t(row * o.outputs) * o.residual_element : nullptr;
    if (geglu) {
      gates->Run(rows, block, source, b ? b + o.outputs : nullptr, nullptr, scratch, scratch + gate_bytes);
      second = scratch;
    }
    layer->Run(rows, block, source, b, second, target, scratch + gate_bytes);
  };
  return {id, [=, &program] { ParallelFor(program.options.threads, o.items * blocks, run_block); }};
}

// Gates of one block; oneDNN's own scratchpads are small beside them.
int64_t LinearScratch(const Lowered& lowered, ValueId id) {
  const Node& node = lowered.graph.node(id);
  if (node.as<LinearAttrs>().act != Act::kGeglu) return 0;
  const Dims y = DimsOf(node.shape);
  return BlockRows(y.tokens(), y.c, Act::kGeglu) * y.c * int64_t(SizeOf(lowered.types[size_t(id)]));
}

}  // namespace mvd::cpu
