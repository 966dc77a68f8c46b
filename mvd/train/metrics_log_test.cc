#include "mvd/train/metrics_log.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <fstream>

#include "mvd/base/atomic_file.h"
#include "mvd/train/train_test_util.h"

namespace mvd {
namespace {

std::string Read(const std::filesystem::path& path) { return ReadFile(path, 1 << 20); }

std::filesystem::path EventsOf(const std::filesystem::path& run) {
  return std::filesystem::directory_iterator(run / "tensorboard")->path();
}

TEST(EventFile, Crc32cOfKnownBytes) {
  // RFC 3720, B.4, and the usual check value.
  EXPECT_EQ(Crc32c("123456789"), 0xe3069283u);
  EXPECT_EQ(Crc32c(std::string(32, '\0')), 0x8a9136aau);
  EXPECT_EQ(Crc32c(std::string(32, '\xff')), 0x62a8ab43u);
  EXPECT_EQ(Crc32c(""), 0u);
}

TEST(EventFile, KnownBytes) {
  // wall_time 1.5, "brain.Event:2", as protobuf's own encoder gives it.
  EXPECT_EQ(VersionEvent(1.5), std::string("\x09\0\0\0\0\0\0\xf8\x3f\x1a\x0d", 11) + "brain.Event:2");
  // step 300; tag "loss", simple_value 0.25.
  EXPECT_EQ(
      ScalarsEvent(1.5, 300, {{"loss", 0.25}}),
      std::string("\x09\0\0\0\0\0\0\xf8\x3f\x10\xac\x02\x2a\x0d\x0a\x0b\x0a\x04loss\x15\0\0\x80\x3e", 27));
  EXPECT_EQ(ImageEvent(1.5, 1, "i", 2, 3, "png"),
            std::string("\x09\0\0\0\0\0\0\xf8\x3f\x10\x01\x2a\x12\x0a\x10\x0a\x01i\x22\x0b", 20) +
                std::string("\x08\x02\x10\x03\x18\x03\x22\x03png", 11));
  const std::string record = TfRecord("abc");
  ASSERT_EQ(record.size(), 8u + 4 + 3 + 4);
  EXPECT_EQ(record.substr(0, 8), std::string("\x03\0\0\0\0\0\0\0", 8));
  EXPECT_EQ(record.substr(12, 3), "abc");
  // crc32c("abc") is 0x364b3fb7; rotated right by 15 and offset it is:
  EXPECT_EQ(Crc32c("abc"), 0x364b3fb7u);
  EXPECT_EQ(MaskedCrc32c("abc"), 0x7f6e6c96u + 0xa282ead8u);
}

TEST(SigmaBins, BinsAndNames) {
  SigmaBins bins;
  bins.Add(0.01, 1), bins.Add(0.5, 2), bins.Add(0.999, 4), bins.Add(1, 8), bins.Add(700, 16);
  EXPECT_EQ(bins.ToJson().dump(), R"({"0.5-1":3.0,"1-2":8.0,"sigma<0.05":1.0,"sigma>=20":16.0})");
  EXPECT_TRUE(std::isnan(bins.Mean(1)));
  EXPECT_TRUE(SigmaBins().ToJson().empty());
  SigmaBins more;
  more.Add(0.7, 6), more.Add(3, 1);
  more.Add(bins);  // (2 + 4 + 6) / 3 in one bin: sums and counts are added, not means
  EXPECT_EQ(more.ToJson().dump(), R"({"0.5-1":4.0,"1-2":8.0,"2-5":1.0,"sigma<0.05":1.0,"sigma>=20":16.0})");
}

StepMetrics Metrics(int64_t step, double loss) {
  return {.step = step, .samples = step * 2, .values = {{"loss", loss}}, .sigma = {}};
}

TEST(MetricsLog, OneLineAStepAndNoneTwiceAfterResume) {
  const TestFolder folder;
  const std::filesystem::path file = folder.path / "metrics.jsonl";
  {
    MetricsLog log(folder.path, {.tensorboard = false});
    for (int64_t step = 1; step <= 5; ++step) log.Write(Metrics(step, 1.0 / double(step)));
    // Flushed: another reader sees it while the log is open.
    const std::string text = Read(file);
    EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 5);
  }
  // A killed writer leaves half a line.
  std::ofstream(file, std::ios::app) << "{\"step\": 6, \"lo";
  {
    MetricsLog log(folder.path, {.resume_step = 3, .tensorboard = false});
    log.Write(Metrics(4, 9));
  }
  EXPECT_EQ(
      Read(file),
      "{\"loss\":1.0,\"samples\":2,\"step\":1}\n{\"loss\":0.5,\"samples\":4,\"step\":2}\n"
      "{\"loss\":0.3333333333333333,\"samples\":6,\"step\":3}\n{\"loss\":9.0,\"samples\":8,\"step\":4}\n");
  MetricsLog fresh(folder.path, {.tensorboard = false});
  EXPECT_EQ(Read(file), "");
}

TEST(MetricsLog, WhatIsNotFiniteIsNull) {
  const TestFolder folder;
  MetricsLog log(folder.path, {.tensorboard = false});
  StepMetrics metrics = Metrics(1, std::nan(""));
  metrics.sigma.Add(0.7, 0.5);
  log.Write(metrics);
  EXPECT_EQ(Read(folder.path / "metrics.jsonl"),
            "{\"loss\":null,\"loss_by_sigma\":{\"0.5-1\":0.5},\"not_finite\":1,\"samples\":2,\"step\":1}\n");
  EXPECT_THROW(log.Write(Metrics(1, 1)), InternalError);  // a step has one line
}

TEST(MetricsLog, EventsHoldWholeRecords) {
  const TestFolder folder;
  {
    MetricsLog log(folder.path, {.resume_step = 7, .tensorboard_every = 2});
    log.Write(Metrics(8, 1)), log.Write(Metrics(9, 1)), log.Write(Metrics(10, 1));
    log.WriteImage(10, "samples", 2, 3, "png");
  }
  const std::string bytes = Read(EventsOf(folder.path));
  std::vector<std::string> events;
  for (size_t at = 0; at < bytes.size();) {
    uint64_t length = 0;
    std::memcpy(&length, &bytes[at], 8);
    ASSERT_LE(at + 16 + length, bytes.size());
    const std::string payload = bytes.substr(at + 12, length);
    EXPECT_EQ(bytes.substr(at, 16 + length), TfRecord(payload));
    events.push_back(payload);
    at += 16 + length;
  }
  ASSERT_EQ(events.size(), 5u);  // version, session start, steps 8 and 10, the picture
  EXPECT_NE(events[0].find("brain.Event:2"), std::string::npos);
  EXPECT_EQ(events[1].substr(9), std::string("\x10\x08\x3a\x02\x08\x01", 6));
  EXPECT_NE(events[4].find("samples"), std::string::npos);
}

TEST(MetricsLog, AFullDiskIsOneLineAndTheNextStartMendsTheFile) {
  const TestFolder folder;
  {
    MetricsLog log(folder.path, {.tensorboard = false});
    log.Write(Metrics(1, 1));
    const FileSizeLimit limit(50);  // in the second line
    ExpectOneLineError(Exit::kNotWritten,
                       "metrics.jsonl: cannot be written: ", [&] { log.Write(Metrics(2, 1)); });
  }
  EXPECT_EQ(Read(folder.path / "metrics.jsonl").size(), 50u);
  MetricsLog log(folder.path, {.resume_step = 1, .tensorboard = false});
  log.Write(Metrics(2, 1));
  EXPECT_EQ(Read(folder.path / "metrics.jsonl"),
            "{\"loss\":1.0,\"samples\":2,\"step\":1}\n{\"loss\":1.0,\"samples\":4,\"step\":2}\n");
}

// Held against TensorBoard's own reader where a Python that has it is at hand: MVD_PYTHON or python3.
TEST(EventFile, TensorBoardReadsIt) {
  const char* const chosen = std::getenv("MVD_PYTHON");
  const std::string python = chosen ? chosen : "python3";
  if (std::system((python + " -c 'import tensorboard' >/dev/null 2>&1").c_str()) != 0) {
    GTEST_SKIP() << python << " has no tensorboard";
  }
  const TestFolder folder;
  {
    EventFile first(folder.path, 0);
    for (int64_t step = 1; step <= 4; ++step)
      first.Scalars(step, {{"loss", 1.0 / double(step)}, {"lr", 1e-5}});
  }
  {
    EventFile second(folder.path, 2);  // resumed: steps 3 and 4 are done again
    second.Scalars(3, {{"loss", 7}});
    second.Image(3, "sample", 2, 3, "not really a png");
  }
  const std::filesystem::path script = folder.path / "read.py";
  WriteFile(script,
            "import sys\n"
            "from tensorboard.backend.event_processing.event_accumulator import EventAccumulator\n"
            "events = EventAccumulator(sys.argv[1])\n"
            "events.Reload()\n"
            "print([(e.step, e.value) for e in events.Scalars('loss')])\n"
            "image = events.Images('sample')[0]\n"
            "print(image.step, image.width, image.height, image.encoded_image_string)\n");
  const std::filesystem::path out = folder.path / "out.txt";
  ASSERT_EQ(std::system((python + " " + script.string() + " " + folder.path.string() + " 2>/dev/null >" +
                         out.string())
                            .c_str()),
            0);
  EXPECT_EQ(Read(out), "[(1, 1.0), (2, 0.5), (3, 7.0)]\n3 3 2 b'not really a png'\n");
}

TEST(Status, DurationsAndLine) {
  EXPECT_EQ(FormatDuration(4.4), "4 s");
  EXPECT_EQ(FormatDuration(59.6), "1:00");
  EXPECT_EQ(FormatDuration(187), "3:07");
  EXPECT_EQ(FormatDuration(4572), "1:16:12");
  EXPECT_EQ(FormatDuration(2 * 86400 + 3 * 3600), "2 d 03:00");
  EXPECT_EQ(FormatDuration(std::nan("")), "?");
  EXPECT_EQ(StatusText(1200, 10000, 0.1234, 1e-5, 0.5, 2),
            "step 1200/10000  loss 0.1234  lr 1.0e-05  0.5 s/step  4 clips/s  ETA 1:13:20");
}

}  // namespace
}  // namespace mvd
