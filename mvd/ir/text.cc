#include "mvd/ir/text.h"

#include <cctype>
#include <charconv>
#include <map>
#include <sstream>

#include "mvd/base/error.h"

namespace mvd {
namespace {

// --- printing
// -------------------------------------------------------------------------------------------------

std::string Spell(int64_t value) { return std::to_string(value); }
std::string Spell(bool value) { return value ? "true" : "false"; }
std::string Spell(const Shape& value) { return ToString(value); }
std::string Spell(double value) {
  char buffer[32];
  return {buffer,
          std::to_chars(buffer, buffer + sizeof(buffer), value).ptr};  // shortest text that reads back
}
template <class E>
requires std::is_enum_v<E> std::string Spell(E value) {
  return std::string(EnumNames<E>::kNames[size_t(value)]);
}

std::map<std::string, std::string> Fields(Attrs attrs) {
  std::map<std::string, std::string> fields;
  std::visit([&](auto& a) { a.Visit([&](const char* name, auto& value) { fields[name] = Spell(value); }); },
             attrs);
  return fields;
}

// --- parsing
// --------------------------------------------------------------------------------------------------

[[noreturn]] void Fail(int line, const std::string& what) {
  ThrowBadInput("graph text", "line ", line, ": ", what);
}

// A cursor over one line.
struct Line {
  std::string_view rest;
  int number;

  void SkipBlanks() {
    while (!rest.empty() && (rest[0] == ' ' || rest[0] == '\t')) rest.remove_prefix(1);
  }
  bool Take(std::string_view token) {
    SkipBlanks();
    if (!rest.starts_with(token)) return false;
    rest.remove_prefix(token.size());
    return true;
  }
  void Need(std::string_view token) {
    if (!Take(token)) Fail(number, "expected '" + std::string(token) + "' at '" + std::string(rest) + "'");
  }
  std::string Word() {
    SkipBlanks();
    size_t n = 0;
    while (n < rest.size() && (std::isalnum(static_cast<unsigned char>(rest[n])) ||
                               std::string_view("._#+-/").find(rest[n]) != std::string_view::npos)) {
      ++n;
    }
    if (n == 0) Fail(number, "expected a name at '" + std::string(rest) + "'");
    const std::string word(rest.substr(0, n));
    rest.remove_prefix(n);
    return word;
  }
  template <class T>
  T Number() {
    const std::string word = Word();
    T value{};
    const auto result = std::from_chars(word.data(), word.data() + word.size(), value);
    if (result.ec != std::errc() || result.ptr != word.data() + word.size())
      Fail(number, "bad number '" + word + "'");
    return value;
  }
};

void ReadValue(Line& line, int64_t& value) { value = line.Number<int64_t>(); }
void ReadValue(Line& line, double& value) { value = line.Number<double>(); }
void ReadValue(Line& line, bool& value) {
  const std::string word = line.Word();
  if (word != "true" && word != "false") Fail(line.number, "expected true or false, found '" + word + "'");
  value = word == "true";
}
void ReadValue(Line& line, Shape& value) {
  std::vector<int64_t> dims;
  line.Need("(");
  while (!line.Take(")")) {
    if (!dims.empty()) line.Need(",");
    dims.push_back(line.Number<int64_t>());
    if (dims.back() < 0) Fail(line.number, "negative dimension");
  }
  value = Shape(std::move(dims));
}
template <class E>
requires std::is_enum_v<E>
void ReadValue(Line& line, E& value) {
  const std::string word = line.Word();
  for (size_t i = 0; i < EnumNames<E>::kNames.size(); ++i) {
    if (EnumNames<E>::kNames[i] == word) {
      value = E(i);
      return;
    }
  }
  Fail(line.number, "unknown value '" + word + "'");
}

void ReadAttrs(Line& line, Node& node) {
  if (!line.Take("{")) return;
  for (bool first = true; !line.Take("}"); first = false) {
    if (!first) line.Need(",");
    const std::string name = line.Word();
    line.Need("=");
    bool known = false;
    std::visit(
        [&](auto& a) {
          a.Visit([&](std::string_view field, auto& value) {
            if (field != name) return;
            known = true;
            ReadValue(line, value);
          });
        },
        node.attrs);
    if (!known) Fail(line.number, std::string(Name(node.op)) + " has no attribute '" + name + "'");
  }
}

class Parser {
 public:
  void ReadLine(Line line) {
    line.SkipBlanks();
    if (line.rest.empty() || line.rest[0] == '#') return;
    if (line.Take("graph \"")) {
      const size_t end = line.rest.find('"');
      if (end == std::string_view::npos) Fail(line.number, "the graph's name has no closing quote");
      graph_.name = std::string(line.rest.substr(0, end));
    } else if (line.Take("output ")) {
      const std::string name = line.Word();
      line.Need("=");
      graph_.outputs.push_back({name, Value(line)});
    } else {
      ReadNode(line);
    }
  }
  Graph Finish() {
    try {
      Verify(graph_);
    } catch (const InternalError& error) {
      ThrowBadInput("graph text", error.what());
    }
    return std::move(graph_);
  }

 private:
  ValueId Value(Line& line) {
    const std::string name = line.Word();
    if (name == "_") return kNoValue;
    const auto found = ids_.find(name);
    if (found == ids_.end()) Fail(line.number, "'" + name + "' is not defined above");
    return found->second;
  }

  void ReadNode(Line& line) {
    Node node;
    node.name = line.Word();
    line.Need("=");
    const std::string op = line.Word();
    const auto parsed = ParseOp(op);
    if (!parsed) Fail(line.number, "unknown op '" + op + "'");
    node.op = *parsed;
    node.attrs = Info(node.op).attrs;
    if (line.Take("(")) {
      while (!line.Take(")")) {
        if (!node.inputs.empty()) line.Need(",");
        node.inputs.push_back(Value(line));
      }
    }
    ReadAttrs(line, node);
    std::optional<Shape> stated;
    if (line.Take(":")) ReadValue(line, stated.emplace());
    node.phase = node.op == Op::kWeight  ? Phase::kLoad
                 : node.op == Op::kInput ? node.as<InputAttrs>().phase
                                         : Phase::kStep;
    if (line.Take("@")) ReadValue(line, node.phase);
    line.SkipBlanks();
    if (!line.rest.empty() && line.rest[0] != '#')
      Fail(line.number, "left over: '" + std::string(line.rest) + "'");
    Infer(node, stated, line.number);
    if (!ids_.emplace(node.name, ValueId(graph_.nodes.size())).second)
      Fail(line.number, "'" + node.name + "' twice");
    graph_.nodes.push_back(std::move(node));
  }

  void Infer(Node& node, const std::optional<Shape>& stated, int line) {
    if (node.op == Op::kWeight) {
      if (!stated) Fail(line, "a weight states its shape");
      node.shape = *stated;
      return;
    }
    if (int(node.inputs.size()) < Info(node.op).min_inputs) Fail(line, "too few inputs");
    std::vector<Shape> shapes;
    for (ValueId input : node.inputs) shapes.push_back(input == kNoValue ? Shape{} : graph_.shape(input));
    try {
      node.shape = InferShape(node, shapes);
    } catch (const InternalError& error) {
      Fail(line, error.what());
    }
    if (stated && *stated != node.shape) {
      Fail(line, "states shape " + ToString(*stated) + ", inferred " + ToString(node.shape));
    }
  }

  Graph graph_;
  std::map<std::string, ValueId> ids_;
};

}  // namespace

std::string PrintAttrs(const Node& node) {
  const auto defaults = Fields(Info(node.op).attrs);
  std::string text;
  Attrs attrs = node.attrs;
  std::visit(
      [&](auto& a) {
        a.Visit([&](const char* name, auto& value) {
          const std::string spelled = Spell(value);
          if (spelled != defaults.at(name))
            text += (text.empty() ? "" : ", ") + std::string(name) + "=" + spelled;
        });
      },
      attrs);
  return text.empty() ? "" : "{" + text + "}";
}

std::string PrintNode(const Graph& graph, ValueId id) {
  const Node& node = graph.node(id);
  std::string text = node.name + " = " + std::string(Name(node.op));
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    text += i ? ", " : "(";
    text += node.inputs[i] == kNoValue ? "_" : graph.node(node.inputs[i]).name;
  }
  if (!node.inputs.empty()) text += ")";
  const std::string attrs = PrintAttrs(node);
  if (!attrs.empty()) text += " " + attrs;
  text += " : " + ToString(node.shape);
  const bool implied = node.op == Op::kWeight || node.op == Op::kInput || node.phase == Phase::kStep;
  if (!implied) text += " @" + Spell(node.phase);
  return text;
}

std::string Print(const Graph& graph) {
  std::string text = "graph \"" + graph.name + "\"\n";
  for (size_t i = 0; i < graph.nodes.size(); ++i) text += PrintNode(graph, ValueId(i)) + "\n";
  for (const Output& output : graph.outputs)
    text += "output " + output.name + " = " + graph.node(output.value).name + "\n";
  return text;
}

Graph Parse(std::string_view text) {
  Parser parser;
  int number = 0;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    parser.ReadLine({text.substr(0, end), ++number});
    text = end == std::string_view::npos ? "" : text.substr(end + 1);
  }
  return parser.Finish();
}

}  // namespace mvd
