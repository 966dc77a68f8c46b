// Files that break one rule each: every one must end in exit 3 with the reason, never in a crash or a guess.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <new>
#include <vector>

#include "mvd/io/io_test_util.h"
#include "mvd/io/safetensors.h"

// Counts what a parse allocates, for the promise of bounded memory. Not inlined, or GCC sees malloc meet
// delete.
namespace {
thread_local size_t allocated_bytes = 0;
}
[[gnu::noinline]] void* operator new(size_t size) {
  allocated_bytes += size;
  if (void* memory = std::malloc(size ? size : 1)) return memory;
  throw std::bad_alloc();
}
[[gnu::noinline]] void* operator new(size_t size, const std::nothrow_t&) noexcept {
  allocated_bytes += size;
  return std::malloc(size ? size : 1);
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, size_t) noexcept { std::free(memory); }

namespace mvd {
namespace {

struct Hostile {
  const char* name;
  std::string bytes;
  const char* reason;
};

std::string Length(uint64_t n) {
  std::string bytes(8, '\0');
  std::memcpy(bytes.data(), &n, 8);
  return bytes;
}

// A header whose only tensor has these members, and `data` bytes of data.
std::string Tensor(const std::string& members, size_t data) {
  return FileBytes("{\"a\":{" + members + "}}", std::string(data, 'x'));
}

std::string Repeated(const std::string& text, size_t times) {
  std::string result;
  for (size_t i = 0; i < times; ++i) result += text;
  return result;
}

std::vector<Hostile> SizeCases() {
  return {
      {"empty_file", "", "0 bytes"},
      {"seven_bytes", "1234567", "7 bytes"},
      {"length_above_format_limit", Length(100'000'001) + "{}",
       "header of 100000001 bytes, at most 100000000"},
      {"length_all_ones", Length(~uint64_t{0}) + "{}", "header of 18446744073709551615 bytes"},
      {"length_sign_bit", Length(uint64_t{1} << 63) + "{}", "at most 100000000"},
      {"length_beyond_file", Length(3) + "{}", "is cut short: header of 3 bytes, the file has 10"},
      {"length_zero", Length(0), "does not begin with '{'"},
      {"trailing_bytes", OneTensor("a") + "polyglot", "12 bytes of data, its tensors cover 4"},
      {"data_without_tensors", FileBytes("{}", "abcd"), "4 bytes of data, its tensors cover 0"},
      {"data_cut_short", Tensor(R"("dtype":"U8","shape":[4],"data_offsets":[0,4])", 3),
       "end at 4, the file's data at 3"},
      {"a_zip_file", "PK\x03\x04" + std::string(60, 'z'), "is no safetensors file but a zip archive"},
      {"a_pickle", "\x80\x02}q" + std::string(60, 'z'), "but a pickle"},
      {"a_page", "<!DOCTYPE html>" + std::string(60, 'z'), "but a web page"},
      {"a_message", "Entry not found", "but the text 'Entry not found'"},
  };
}

std::vector<Hostile> JsonCases() {
  const std::string good = R"("dtype":"U8","shape":[1],"data_offsets":[0,1])";
  return {
      {"leading_blank", FileBytes(" {}", ""), "does not begin with '{'"},
      {"byte_order_mark", FileBytes("\xef\xbb\xbf{}", ""), "does not begin with '{'"},
      {"list_at_top", FileBytes("[]", ""), "does not begin with '{'"},
      {"unclosed", FileBytes("{", ""), "not valid JSON"},
      {"two_objects", FileBytes("{}{}", ""), "not valid JSON"},
      {"trailing_text", FileBytes("{} x", ""), "not valid JSON"},
      {"nul_padding", FileBytes(std::string("{}\0\0", 4), ""), "header byte 2: NUL"},
      {"hidden_after_nul", FileBytes(std::string("{}\0garbage", 10), ""), "NUL"},
      {"broken_utf8", FileBytes("{\"a\xff\":{" + good + "}}", "x"), "ill-formed UTF-8"},
      {"overlong_utf8", FileBytes("{\"\xc0\xaf\":{" + good + "}}", "x"), "ill-formed UTF-8"},
      {"lone_surrogate", FileBytes("{\"\\ud800\":{" + good + "}}", "x"), "surrogate"},
      {"comment", FileBytes("{/* */}", ""), "not valid JSON"},
      {"trailing_comma", FileBytes("{\"a\":{" + good + "},}", "x"), "not valid JSON"},
      {"depth_bomb", FileBytes("{\"a\":" + Repeated("[", 100'000), ""),
       "a list where the object of 'a' belongs"},
      {"depth_bomb_objects", FileBytes(Repeated("{\"a\":", 100'000), ""), "unknown key 'a'"},
      {"duplicate_tensor", FileBytes("{\"a\":{" + good + "},\"a\":{" + good + "}}", "x"),
       "'a' appears twice"},
      {"duplicate_by_escape", FileBytes("{\"a\":{" + good + "},\"\\u0061\":{" + good + "}}", "x"),
       "appears twice"},
      {"duplicate_dtype", Tensor(good + R"(,"dtype":"F32")", 1), "'dtype' appears twice"},
      {"duplicate_offsets", Tensor(good + R"(,"data_offsets":[0,1])", 1), "'data_offsets' appears twice"},
      {"duplicate_metadata", FileBytes(R"({"__metadata__":{},"__metadata__":{}})", ""),
       "'__metadata__' appears twice"},
      {"duplicate_in_metadata", FileBytes(R"({"__metadata__":{"k":"1","k":"2"}})", ""), "'k' appears twice"},
      {"metadata_number", FileBytes(R"({"__metadata__":{"k":1}})", ""), "a number where a string for 'k'"},
      {"metadata_null", FileBytes(R"({"__metadata__":{"k":null}})", ""), "null where a string for 'k'"},
      {"metadata_object", FileBytes(R"({"__metadata__":{"k":{}}})", ""), "an object where a string for 'k'"},
      {"metadata_string", FileBytes(R"({"__metadata__":"x"})", ""),
       "a string where the object of '__metadata__'"},
      {"metadata_list", FileBytes(R"({"__metadata__":[]})", ""), "a list where the object of '__metadata__'"},
      {"long_name", OneTensor(std::string(1025, 'n')), "has 1025 bytes, at most 1024"},
      {"newline_in_name", OneTensor("a\\nb"), "holds control characters"},
      {"escape_in_name", OneTensor("\\u001b[2J"), "holds control characters"},
      {"c1_control_in_name", OneTensor("\xc2\x9b"), "holds control characters"},
  };
}

std::vector<Hostile> TensorCases() {
  const std::string offsets = R"("data_offsets":[0,1])", u8 = R"("dtype":"U8")", one = R"("shape":[1])";
  return {
      {"tensor_null", FileBytes(R"({"a":null})", ""), "null where the object of 'a'"},
      {"no_dtype", Tensor(one + "," + offsets, 1), "has no dtype"},
      {"no_shape", Tensor(u8 + "," + offsets, 1), "has no shape"},
      {"no_offsets", Tensor(u8 + "," + one, 1), "has no data_offsets"},
      {"unknown_key", Tensor(u8 + "," + one + "," + offsets + R"(,"x":1)", 1), "unknown key 'x'"},
      {"unknown_dtype", Tensor(R"("dtype":"F8_E3M4",)" + one + "," + offsets, 1),
       "dtype 'F8_E3M4' is none of the format's types"},
      {"half_a_byte", Tensor(R"("dtype":"F4","shape":[1],)" + offsets, 1), "no whole number of bytes"},
      {"f6_in_f4's_room", Tensor(R"("dtype":"F6_E2M3","shape":[4],"data_offsets":[0,2])", 2),
       "F6_E2M3 (4) needs 3"},
      {"f8_too_long", Tensor(R"("dtype":"F8_E4M3","shape":[1],"data_offsets":[0,2])", 2),
       "F8_E4M3 (1) needs 1"},
      {"lower_case_dtype", Tensor(R"("dtype":"u8",)" + one + "," + offsets, 1),
       "dtype 'u8' is none of the format's types"},
      {"dtype_number", Tensor(R"("dtype":1,)" + one + "," + offsets, 1), "a number where the string dtype"},
      {"dtype_list", Tensor(R"("dtype":["U8"],)" + one + "," + offsets, 1), "a list where the string dtype"},
      {"shape_number", Tensor(u8 + R"(,"shape":1,)" + offsets, 1), "a number where the list shape"},
      {"shape_nested", Tensor(u8 + R"(,"shape":[[1]],)" + offsets, 1), "a list where a size in shape"},
      {"shape_string", Tensor(u8 + R"(,"shape":["1"],)" + offsets, 1), "a string where a size in shape"},
      {"shape_negative", Tensor(u8 + R"(,"shape":[-1],)" + offsets, 1), "negative number -1"},
      {"shape_minus_zero", Tensor(u8 + R"(,"shape":[-0],)" + offsets, 1), "negative number"},
      {"shape_float", Tensor(u8 + R"(,"shape":[1.0],)" + offsets, 1), "1.0 is no 64-bit integer"},
      {"shape_exponent", Tensor(u8 + R"(,"shape":[1e0],)" + offsets, 1), "1e0 is no 64-bit integer"},
      {"shape_nan", Tensor(u8 + R"(,"shape":[NaN],)" + offsets, 1), "not valid JSON"},
      {"shape_true", Tensor(u8 + R"(,"shape":[true],)" + offsets, 1), "a boolean where a size in shape"},
      {"shape_beyond_u64", Tensor(u8 + R"(,"shape":[18446744073709551616],)" + offsets, 1),
       "no 64-bit integer"},
      {"shape_beyond_i64", Tensor(u8 + R"(,"shape":[9223372036854775808],)" + offsets, 1), "is too large"},
      {"reference_overflow", Tensor(u8 + R"(,"shape":[2,18446744073709551614],)" + offsets, 1),
       "is too large"},
      {"product_wraps_to_zero", Tensor(u8 + R"(,"shape":[4294967296,4294967296],"data_offsets":[0,0])", 0),
       "overflows"},
      {"product_wraps_to_small",
       Tensor(R"("dtype":"F32","shape":[4611686018427387905],"data_offsets":[0,4])", 4), "overflows"},
      {"overflow_hidden_by_zero",
       Tensor(u8 + R"(,"shape":[4294967296,4294967296,0],"data_offsets":[0,0])", 0), "overflows"},
      {"rank_nine", Tensor(u8 + R"(,"shape":[1,1,1,1,1,1,1,1,1],)" + offsets, 1), "more than 8 axes"},
      {"offsets_one", Tensor(u8 + "," + one + R"(,"data_offsets":[0])", 1), "has 1 entries"},
      {"offsets_three", Tensor(u8 + "," + one + R"(,"data_offsets":[0,1,1])", 1), "more than 2 entries"},
      {"offsets_reversed", Tensor(u8 + "," + one + R"(,"data_offsets":[1,0])", 1),
       "end at 0 before they begin at 1"},
      {"offsets_negative", Tensor(u8 + "," + one + R"(,"data_offsets":[-1,0])", 1), "negative number -1"},
      {"offsets_huge",
       Tensor(u8 + "," + one + R"(,"data_offsets":[18446744073709551614,18446744073709551615])", 1),
       "the file's data at 1"},
      {"size_lies", Tensor(R"("dtype":"F32","shape":[2],"data_offsets":[0,4])", 4),
       "hold 4 bytes, F32 (2) needs 8"},
  };
}

std::vector<Hostile> TilingCases() {
  const auto two = [](const std::string& a, const std::string& b, size_t data) {
    return FileBytes(R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[)" + a +
                         R"(]},"b":{"dtype":"U8","shape":[4],"data_offsets":[)" + b + "]}}",
                     std::string(data, 'x'));
  };
  return {
      {"same_bytes_twice", two("0,4", "0,4", 4), "tensor 'b' overlaps another: begins at 0, expected 4"},
      {"overlap", two("0,4", "2,6", 6), "overlaps another: begins at 2, expected 4"},
      {"hole", two("0,4", "5,9", 9), "tensor 'b' leaves a hole before it: begins at 5, expected 4"},
      {"hole_at_start", two("1,5", "5,9", 9), "tensor 'a' leaves a hole before it: begins at 1, expected 0"},
      {"hole_at_end", two("0,4", "4,8", 9), "9 bytes of data, its tensors cover 8"},
      {"empty_tensor_in_the_middle",
       FileBytes(
           R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"b":{"dtype":"U8","shape":[0],"data_offsets":[2,2]}})",
           "xxxx"),
       "'b' overlaps another"},
  };
}

void ExpectRefused(const std::vector<Hostile>& cases) {
  TestFolder folder;
  for (const Hostile& hostile : cases) {
    SCOPED_TRACE(hostile.name);
    const auto path = folder.Put(std::string(hostile.name) + ".safetensors", hostile.bytes);
    ExpectError(Exit::kBadInput, hostile.reason, [&] { SafetensorsFile::Open(path); });
  }
}

TEST(HostileSafetensors, Sizes) { ExpectRefused(SizeCases()); }
TEST(HostileSafetensors, Json) { ExpectRefused(JsonCases()); }
TEST(HostileSafetensors, Tensors) { ExpectRefused(TensorCases()); }
TEST(HostileSafetensors, Tiling) { ExpectRefused(TilingCases()); }

TEST(HostileSafetensors, TooManyTensors) {
  std::string header = "{";
  for (int i = 0; i <= 100'000; ++i) {
    header += "\"" + std::to_string(i) + R"(":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},)";
  }
  header.back() = '}';
  ExpectRefused({{"too_many", FileBytes(header, ""), "more than 100000 tensors"}});
}

TEST(HostileSafetensors, NotARegularFile) {
  TestFolder folder;
  ExpectError(Exit::kBadInput, "is a folder", [&] { SafetensorsFile::Open(folder.path()); });
  const auto fifo = folder.path() / "fifo";
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  ExpectError(Exit::kBadInput, "is a FIFO", [&] { SafetensorsFile::Open(fifo); });
  ExpectError(Exit::kBadInput, "is a device", [] { SafetensorsFile::Open("/dev/zero"); });
  ExpectError(Exit::kNotFound, "no such file", [&] { SafetensorsFile::Open(folder.path() / "absent"); });
}

// Every prefix of a good file is refused, and so is every single changed bit that changes a size.
TEST(HostileSafetensors, EveryPrefix) {
  const std::string good = OneTensor("weight");
  for (size_t size = 0; size < good.size(); ++size) {
    const std::string part = good.substr(0, size);
    const std::span bytes(reinterpret_cast<const uint8_t*>(part.data()), part.size());
    ExpectError(Exit::kBadInput, "", [&] { ParseSafetensorsHeader(bytes, bytes.size(), "part"); });
  }
}

// The costliest headers for their size. 64: a map's node with two strings and a shape takes some 200 bytes,
// the shortest entry of each kind 5 to 50, and containers grow by doubling.
TEST(HostileSafetensors, MemoryIsAMultipleOfTheHeader) {
  constexpr size_t kFactor = 64;
  std::string metadata = "{\"__metadata__\":{", tensors = "{";
  for (int i = 0; i < 90'000; ++i) {
    const std::string name = "\"" + std::to_string(i) + "\":";
    metadata += name + "\"\",";
    tensors += name + R"({"dtype":"U8","shape":[0,0,0,0,0,0,0,0],"data_offsets":[0,0]},)";
  }
  metadata.back() = tensors.back() = '}';
  const std::string deep = "{\"a\":" + Repeated("[", 1'000'000);
  const std::string digits = R"({"a":{"shape":[)" + std::string(1'000'000, '9') + "]}}";
  for (const std::string& header : {metadata + "}", tensors, deep, digits}) {
    const std::string file = FileBytes(header, "");
    const std::span bytes(reinterpret_cast<const uint8_t*>(file.data()), file.size());
    const size_t before = allocated_bytes;
    try {
      ParseSafetensorsHeader(bytes, bytes.size(), "budget");
    } catch (const Error&) {
    }
    EXPECT_LT(allocated_bytes - before, kFactor * file.size()) << header.substr(0, 60);
  }
  // A header that promises much and holds little costs nothing.
  const std::string liar = Length(100'000'000) + "{";
  const std::span bytes(reinterpret_cast<const uint8_t*>(liar.data()), liar.size());
  const size_t before = allocated_bytes;
  ExpectError(Exit::kBadInput, "is cut short", [&] { ParseSafetensorsHeader(bytes, bytes.size(), "liar"); });
  EXPECT_LT(allocated_bytes - before, 100'000u);
}

}  // namespace
}  // namespace mvd
