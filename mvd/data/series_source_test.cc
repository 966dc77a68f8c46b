#include "mvd/data/series_source.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <stdexcept>
#include <thread>

#include "mvd/base/error.h"

namespace mvd {
namespace {

// Clips that are their number; the first of every four takes longest, so that later ones are done before it.
TrainingClip Numbered(uint64_t n) {
  std::this_thread::sleep_for(std::chrono::milliseconds(n % 4 == 0 ? 8 : 1));
  TrainingClip clip;
  clip.name = std::to_string(n);
  return clip;
}

std::unique_ptr<ClipSource> Source(int workers, std::function<TrainingClip(uint64_t)> render = Numbered) {
  return MakeSeriesSource(Series("test", 1, 1, 3), std::move(render), {workers, 2 * workers});
}

TEST(SeriesSource, WorkersChangeNeitherClipsNorTheirOrder) {
  for (const int workers : {0, 1, 5}) {
    const auto source = Source(workers);
    for (int i = 0; i < 20; ++i) EXPECT_EQ(source->Next().name, std::to_string(1 + 3 * i)) << workers;
  }
}

TEST(SeriesSource, ThePositionIsOfWhatWasAskedForNotOfWhatWasMade) {
  const auto source = Source(4);
  source->Next(), source->Next();
  std::this_thread::sleep_for(std::chrono::milliseconds(30));
  EXPECT_EQ(source->Position(), Source(0)->Position().substr(0, 11) + "7");
  const auto other = Source(2);
  other->Next();
  other->Seek(source->Position());
  EXPECT_EQ(other->Next().name, "7");
  other->Seek("test:1:1/3:1");
  EXPECT_EQ(other->Next().name, "1");
  EXPECT_THROW(other->Seek("test:2:1/3:1"), Error);
  EXPECT_EQ(other->Next().name, "4");
}

TEST(SeriesSource, NoMoreAreMadeThanAskedFor) {
  std::atomic<int> made = 0;
  const auto source = Source(3, [&](uint64_t n) {
    ++made;
    TrainingClip clip;
    clip.name = std::to_string(n);
    return clip;
  });
  source->Next();
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_GE(made, 2);
  EXPECT_LE(made, 1 + 6);
}

TEST(SeriesSource, WhatAWorkerThrowsComesOutInItsTurn) {
  const auto source = Source(3, [](uint64_t n) -> TrainingClip {
    if (n == 7) throw std::runtime_error("seven");
    return Numbered(n);
  });
  EXPECT_EQ(source->Next().name, "1");
  EXPECT_EQ(source->Next().name, "4");
  EXPECT_THROW(source->Next(), std::runtime_error);
  EXPECT_THROW(source->Next(), std::runtime_error);
}

}  // namespace
}  // namespace mvd
