#include "mvd/io/safetensors.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <bit>
#include <cmath>
#include <csignal>
#include <limits>

#include "mvd/base/source_dir_testing.h"
#include "mvd/io/io_test_util.h"

namespace mvd {
namespace {

namespace fs = std::filesystem;

std::string ReadAll(const fs::path& path) { return ReadFile(path, size_t{1} << 30); }

TEST(Safetensors, LegalEdgeCases) {
  TestFolder folder;
  const std::string header = R"({"__metadata__":{"format":"pt","note":"two\nlines","":""},)"
                             R"("empty":{"shape":[2,0],"data_offsets":[0,0],"dtype":"F32"},)"
                             R"("scalar":{"dtype":"F32","shape":[],"data_offsets":[0,4]},)"
                             R"("empty_end":{"dtype":"F64","shape":[0],"data_offsets":[12,12]},)"
                             R"("b":{"dtype":"BF16","shape":[1,1,1,1,1,1,2,2],"data_offsets":[4,12]}})";
  const float nan = std::numeric_limits<float>::quiet_NaN();
  std::string data(12, '\x7f');
  std::memcpy(data.data(), &nan, 4);
  const auto file = SafetensorsFile::Open(folder.Put("a.safetensors", FileBytes(header + " \n\t ", data)));
  ASSERT_EQ(file.tensors().size(), 4u);
  EXPECT_EQ(file.metadata().at("note"), "two\nlines");
  EXPECT_EQ(file.metadata().at(""), "");
  EXPECT_EQ(file.Get("empty").shape, (Shape{2, 0}));
  EXPECT_EQ(file.Get("empty").bytes(), 0u);
  float scalar = 0;
  std::memcpy(&scalar, file.Get("scalar").data, 4);
  EXPECT_TRUE(std::isnan(scalar));
  EXPECT_EQ(file.Get("scalar").shape.rank(), 0);
  EXPECT_EQ(file.Get("b").dtype, DType::kBF16);
  EXPECT_EQ(file.tensors().at("b").begin, 8 + header.size() + 4 + 4);
  file.Release("empty_end");
  ExpectError(Exit::kBadInput, "tensor 'c' is missing", [&] { file.Get("c"); });
}

// Every number of F8_E4M3, by the format's definition, as the bf16 that readers get.
TEST(Safetensors, F8IsReadAsBF16) {
  TestFolder folder;
  std::string data(256, '\0');
  for (int i = 0; i < 256; ++i) data[size_t(i)] = char(i);
  const std::string header = R"({"w":{"dtype":"F8_E4M3","shape":[2,128],"data_offsets":[0,256]}})";
  const auto file = SafetensorsFile::Open(folder.Put("a.safetensors", FileBytes(header, data)));
  const TensorView view = file.Get("w");
  ASSERT_EQ(view.dtype, DType::kBF16);
  ASSERT_EQ(view.shape, (Shape{2, 128}));
  EXPECT_EQ(file.tensors().at("w").bytes, 256u);
  const auto* got = static_cast<const uint16_t*>(view.data);
  for (int i = 0; i < 256; ++i) {
    const float value = std::bit_cast<float>(uint32_t(got[i]) << 16);
    const int exponent = i >> 3 & 15, fraction = i & 7;
    if (exponent == 15 && fraction == 7) {
      EXPECT_TRUE(std::isnan(value)) << i;
      continue;
    }
    const float size =
        exponent ? std::ldexp(1 + fraction / 8.f, exponent - 7) : std::ldexp(fraction / 8.f, -6);
    EXPECT_EQ(value, i & 128 ? -size : size) << i;
    EXPECT_EQ(std::signbit(value), bool(i & 128)) << i;
  }
  EXPECT_EQ(file.Get("w").data, view.data) << "one copy";
  file.Release("w");
  EXPECT_EQ(static_cast<const uint16_t*>(file.Get("w").data)[0x38], 0x3f80) << "1, again";
}

// E5M2 is half of an IEEE half: every number of it, by that format's definition.
TEST(Safetensors, E5M2IsReadAsBF16) {
  TestFolder folder;
  std::string data(256, '\0');
  for (int i = 0; i < 256; ++i) data[size_t(i)] = char(i);
  const std::string header = R"({"w":{"dtype":"F8_E5M2","shape":[256],"data_offsets":[0,256]}})";
  const auto file = SafetensorsFile::Open(folder.Put("a.safetensors", FileBytes(header, data)));
  const auto* got = static_cast<const uint16_t*>(file.Get("w").data);
  for (int i = 0; i < 256; ++i) {
    const float value = std::bit_cast<float>(uint32_t(got[i]) << 16);
    const int exponent = i >> 2 & 31, fraction = i & 3;
    if (exponent == 31 && fraction) {
      EXPECT_TRUE(std::isnan(value)) << i;
      continue;
    }
    float size = exponent ? std::ldexp(1 + fraction / 4.f, exponent - 15) : std::ldexp(fraction / 4.f, -14);
    if (exponent == 31) size = std::numeric_limits<float>::infinity();
    EXPECT_EQ(value, i & 128 ? -size : size) << i;
  }
}

TEST(Safetensors, TypesThatAreOnlyListed) {
  TestFolder folder;
  const std::string header =
      R"({"b":{"dtype":"BOOL","shape":[2],"data_offsets":[0,2]},"q":{"dtype":"F6_E3M2","shape":[2,4],"data_offsets":[2,8]}})";
  const auto file =
      SafetensorsFile::Open(folder.Put("a.safetensors", FileBytes(header, std::string(8, '\1'))));
  EXPECT_EQ(file.tensors().at("q").type->name, "F6_E3M2");
  EXPECT_EQ(file.tensors().at("q").bytes, 6u);
  ExpectError(Exit::kBadInput, "tensor 'b' is stored as BOOL, which no network computes with",
              [&] { file.Get("b"); });
}

TEST(Safetensors, NoTensors) {
  TestFolder folder;
  EXPECT_TRUE(SafetensorsFile::Open(folder.Put("a", FileBytes("{}", ""))).tensors().empty());
}

TEST(Safetensors, NamesAtTheLimitAndUnicode) {
  TestFolder folder;
  const std::string longest(kMaxSafetensorsNameBytes, 'n');
  EXPECT_TRUE(SafetensorsFile::Open(folder.Put("a", OneTensor(longest))).tensors().contains(longest));
  EXPECT_TRUE(
      SafetensorsFile::Open(folder.Put("b", OneTensor("\\u00fc/Gewicht"))).tensors().contains("ü/Gewicht"));
}

TEST(Safetensors, UnalignedDataIsReadThroughConvert) {
  TestFolder folder;
  const float value = 1.5f;
  std::string data(5, '\0');
  std::memcpy(data.data() + 1, &value, 4);
  std::string header =
      R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"f":{"dtype":"F32","shape":[1],"data_offsets":[1,5]}})";
  header.resize((header.size() + 7) / 8 * 8, ' ');
  const auto file = SafetensorsFile::Open(folder.Put("a.safetensors", FileBytes(header, data)));
  EXPECT_FALSE(IsAligned(file.Get("f")));
  EXPECT_EQ(ConvertTo(file.Get("f"), DType::kF32).f32()[0], 1.5f);
}

TEST(Safetensors, ReleaseDropsPagesAndKeepsData) {
  TestFolder folder;
  constexpr int64_t kCount = 1 << 20;
  Tensor big({kCount});
  for (int64_t i = 0; i < kCount; ++i) big.f32()[size_t(i)] = float(i);
  const auto path = folder.path() / "big.safetensors";
  WriteSafetensors(path, {{"big", big}, {"small", Tensor::FromVector({1}, std::vector<float>{7})}});
  const auto file = SafetensorsFile::Open(path);
  const TensorView view = file.Get("big");
  EXPECT_EQ(view.f32()[kCount - 1], float(kCount - 1));
  file.Release("big");
  EXPECT_EQ(view.f32()[12345], 12345.f);
  EXPECT_EQ(file.Get("small").f32()[0], 7.f);
}

TEST(SafetensorsWriter, RoundTripOfEveryType) {
  TestFolder folder;
  const auto path = folder.path() / "out.safetensors";
  std::vector<uint8_t> raw(6 * 8);
  for (size_t i = 0; i < raw.size(); ++i) raw[i] = uint8_t(i * 37 + 1);
  std::map<std::string, TensorView> tensors;
  for (DType dtype :
       {DType::kF32, DType::kBF16, DType::kF16, DType::kF64, DType::kI64, DType::kI32, DType::kU8}) {
    tensors[std::string(Name(dtype))] = {dtype, Shape{2, 3}, raw.data()};
    tensors["scalar." + std::string(Name(dtype))] = {dtype, Shape{}, raw.data() + 8};
  }
  tensors["empty"] = {DType::kF32, Shape{0, 3}, nullptr};
  tensors["quote \" and \\ ü"] = {DType::kU8, Shape{1}, raw.data()};
  const std::map<std::string, std::string> metadata = {{"format", "pt"}, {"recipe", "{\"seed\": 1}\n"}};
  WriteSafetensors(path, tensors, metadata);
  const auto file = SafetensorsFile::Open(path);
  EXPECT_EQ(file.metadata(), metadata);
  ASSERT_EQ(file.tensors().size(), tensors.size());
  for (const auto& [name, want] : tensors) {
    const TensorView got = file.Get(name);
    EXPECT_EQ(got.dtype, want.dtype) << name;
    EXPECT_EQ(got.shape, want.shape) << name;
    EXPECT_TRUE(IsAligned(got)) << name;
    if (got.bytes() == 0) continue;
    EXPECT_EQ(std::memcmp(got.data, want.data, got.bytes()), 0) << name;
  }
  const std::string bytes = ReadAll(path);
  EXPECT_EQ(bytes[8], '{');
  uint64_t length = 0;
  std::memcpy(&length, bytes.data(), 8);
  EXPECT_EQ(length % 8, 0u);
}

TEST(SafetensorsWriter, SameBytesInWhateverOrder) {
  TestFolder folder;
  const Tensor a = Tensor::FromVector({2}, std::vector<float>{1, 2});
  const Tensor b = Tensor::FromVector({1}, std::vector<float>{3});
  const std::map<std::string, TensorInfo> infos = {{"a", {DType::kF32, {2}}}, {"b", {DType::kF32, {1}}}};
  for (const bool reversed : {false, true}) {
    SafetensorsWriter writer(folder.path() / (reversed ? "y" : "x"), infos, {{"k", "v"}});
    writer.Write(reversed ? "b" : "a", reversed ? b.view() : a.view());
    writer.Write(reversed ? "a" : "b", reversed ? a.view() : b.view());
    writer.Commit();
  }
  EXPECT_EQ(ReadAll(folder.path() / "x"), ReadAll(folder.path() / "y"));
}

TEST(SafetensorsWriter, NothingWithoutCommit) {
  TestFolder folder;
  const Tensor a = Tensor::FromVector({1}, std::vector<float>{1});
  {
    SafetensorsWriter writer(folder.path() / "x", {{"a", {DType::kF32, {1}}}});
    writer.Write("a", a);
  }
  EXPECT_TRUE(fs::is_empty(folder.path()));
  // Our own bugs: nothing missing, nothing twice, nothing else, nothing of another type.
  SafetensorsWriter writer(folder.path() / "x", {{"a", {DType::kF32, {1}}}, {"b", {DType::kF32, {2}}}});
  EXPECT_THROW(writer.Commit(), InternalError);
  writer.Write("a", a);
  EXPECT_THROW(writer.Write("a", a), InternalError);
  EXPECT_THROW(writer.Write("b", a), InternalError);
  EXPECT_THROW(writer.Write("c", a), InternalError);
}

TEST(SafetensorsWriter, RefusesWhatTheReaderWould) {
  TestFolder folder;
  const auto path = folder.path() / "x";
  const auto expect = [&](const std::string& name, Shape shape, const char* reason) {
    ExpectError(Exit::kBadInput, reason, [&] { SafetensorsWriter(path, {{name, {DType::kF32, shape}}}); });
  };
  expect(std::string(1025, 'n'), {1}, "1025 bytes");
  expect("a\nb", {1}, "control characters");
  expect("\xff", {1}, "not UTF-8");
  expect("__metadata__", {1}, "__metadata__");
  expect("a", {1, 1, 1, 1, 1, 1, 1, 1, 1}, "more than 8 axes");
  expect("a", {-1}, "overflows");
  expect("a", {int64_t{1} << 62}, "overflows");
  ExpectError(Exit::kBadInput, "not UTF-8", [&] { SafetensorsWriter(path, {}, {{"k", "\xff"}}); });
  ExpectError(Exit::kNotFound, "", [&] { SafetensorsWriter(folder.path() / "no" / "x", {}); });
  EXPECT_TRUE(fs::is_empty(folder.path()));
}

// A limit on file sizes stands for a full disk: write() fails in the middle of the data.
TEST(SafetensorsWriter, FailedWriteIsAnErrorAndLeavesNothing) {
  TestFolder folder;
  folder.Put("x", "the file before");
  const Tensor big = Tensor::Zeros({1 << 16});
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{100'000, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  ExpectError(Exit::kNotWritten, "cannot be written", [&] {
    WriteSafetensors(folder.path() / "x", {{"a", big}});
  });
  ::setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  EXPECT_EQ(ReadAll(folder.path() / "x"), "the file before");
  EXPECT_EQ(std::distance(fs::directory_iterator(folder.path()), fs::directory_iterator()), 1);
}

// testdata/io/python.safetensors: written by the format's own Python package, see make.py beside it.
TEST(Safetensors, ReadsWhatPythonWrites) {
  const auto file = SafetensorsFile::Open(SourceDir() / "testdata/io/python.safetensors");
  EXPECT_EQ(file.metadata().at("format"), "pt");
  ASSERT_EQ(file.tensors().size(), 9u);
  for (const char* name : {"f64", "f32", "f16", "bf16", "i64", "i32", "u8"}) {
    const TensorView view = file.Get(name);
    EXPECT_EQ(Name(view.dtype), name);
    ASSERT_EQ(view.shape, (Shape{2, 3})) << name;
    const Tensor values = ConvertTo(view, DType::kF32);
    for (size_t i = 0; i < 6; ++i) EXPECT_EQ(values.f32()[i], float(3 * i)) << name;
  }
  EXPECT_EQ(ConvertTo(file.Get("scalar"), DType::kF32).f32()[0], -0.5f);
  EXPECT_EQ(file.Get("empty").shape, (Shape{0, 4}));
}

}  // namespace
}  // namespace mvd
