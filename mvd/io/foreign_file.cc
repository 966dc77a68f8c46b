#include "mvd/io/foreign_file.h"

#include <algorithm>
#include <array>
#include <cstdint>

#include "mvd/io/json.h"

namespace mvd {
namespace {

constexpr std::string_view kToSafetensors =
    "it can run code when loaded and is never read: convert it to safetensors first, e.g. with PyTorch and "
    "safetensors.torch.save_file, or get the model's .safetensors file";
constexpr std::string_view kAgain =
    "the download failed: download the file itself again (on huggingface.co links with /resolve/, and after "
    "accepting the model's licence and logging in where it asks for that)";

struct Signature {
  std::string_view bytes, what, advice;
};
constexpr std::array<Signature, 9> kSignatures = {
    {{"version https://git-lfs.github.com/spec/", "a Git LFS pointer, not the file itself",
      "run `git lfs pull` in its folder, or download the file"},
     {"PK\x03\x04", "a zip archive, as PyTorch's checkpoints are (pickle)", kToSafetensors},
     {"\x80\x02", "a pickle", kToSafetensors},
     {"\x80\x03", "a pickle", kToSafetensors},
     {"\x80\x04", "a pickle", kToSafetensors},
     {"\x80\x05", "a pickle", kToSafetensors},
     {"\x1f\x8b", "a gzip archive", "unpack it first"},
     {"GGUF", "a GGUF file", "get the model's .safetensors file"},
     {"\x89HDF", "an HDF5 file", "get the model's .safetensors file"}}};

constexpr std::array<std::string_view, 5> kPickleEndings = {".bin", ".ckpt", ".pt", ".pth", ".pkl"};

bool StartsWithTag(std::string_view text, std::string_view tag) {
  return text.size() >= tag.size() && std::equal(tag.begin(), tag.end(), text.begin(), [](char a, char b) {
           return a == (b >= 'A' && b <= 'Z' ? char(b - 'A' + 'a') : b);
         });
}

// Servers answer in words where a file was asked for. A header's length, whose upper bytes are 0, is no text.
bool IsText(std::string_view content) {
  return content.size() >= sizeof(uint64_t) && std::ranges::all_of(content.substr(0, 64), [](char c) {
           return (c >= ' ' && c <= '~') || c == '\n' || c == '\r' || c == '\t';
         });
}

}  // namespace

std::optional<std::string> ForeignFile(std::string_view content) {
  for (const Signature& known : kSignatures) {
    if (content.starts_with(known.bytes)) return std::string(known.what) + ": " + std::string(known.advice);
  }
  const std::string_view text =
      content.substr(std::min(content.size(), content.find_first_not_of(" \t\r\n")));
  for (std::string_view tag : {"<!doctype", "<html", "<?xml", "<head"}) {
    if (StartsWithTag(text, tag)) return "a web page: " + std::string(kAgain);
  }
  return std::nullopt;
}

std::optional<std::string> ForeignWeights(std::string_view content) {
  if (auto known = ForeignFile(content)) return known;
  if (!IsText(content)) return std::nullopt;
  return "the text '" + Printable(content.substr(0, content.find('\n')), 80) + "': " + std::string(kAgain);
}

bool HasPickleEnding(std::string_view name) {
  return std::ranges::any_of(kPickleEndings, [&](std::string_view ending) { return name.ends_with(ending); });
}

bool HasWeightsEnding(std::string_view name) {
  return name.ends_with(".safetensors") || HasPickleEnding(name);
}

}  // namespace mvd
