// The cache of latents: what is found again, and what must not be.
#include "mvd/train/latent_cache.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <set>

namespace mvd {
namespace {

namespace fs = std::filesystem;

class LatentCacheTest : public testing::Test {
 protected:
  LatentCacheTest() {
    folder_ =
        fs::path(testing::TempDir()) /
        ("mvd_latent_cache_" + std::string(testing::UnitTest::GetInstance()->current_test_info()->name()) +
         std::to_string(getpid()));
    fs::remove_all(folder_);
    clip_.frames = 2;
    clip_.height = 3;
    clip_.width = 5;
    for (int i = 0; i < 2 * 3 * 5 * 3; ++i) clip_.pixels.push_back(uint8_t(i * 7));
    latents_.emplace("mean", Tensor::FromVector({1, 2, 3}, std::vector<float>{1, -2, 3, 4, 5, 6.5f}));
    latents_.emplace("empty", Tensor(Shape{0, 4}));
  }
  ~LatentCacheTest() override { fs::remove_all(folder_); }

  fs::path folder_;
  TrainingClip clip_;
  LatentTensors latents_;
};

TEST_F(LatentCacheTest, MissThenHitWithTheSameValues) {
  LatentCache cache(folder_, "model", "256x512");
  const std::string key = cache.Key(clip_);
  EXPECT_FALSE(cache.Get(key));
  cache.Put(key, latents_);
  EXPECT_TRUE(fs::exists(folder_ / key.substr(0, 2) / (key + ".safetensors")));
  LatentCache later(folder_, "model", "256x512");
  const auto found = later.Get(later.Key(clip_));
  ASSERT_TRUE(found);
  ASSERT_EQ(found->size(), 2u);
  EXPECT_EQ(found->at("mean").shape(), (Shape{1, 2, 3}));
  EXPECT_EQ(found->at("mean").f32()[5], 6.5f);
  EXPECT_EQ(found->at("empty").elements(), 0);
  EXPECT_EQ(cache.misses(), 1);
  EXPECT_EQ(later.hits(), 1);
  EXPECT_EQ(later.misses(), 0);
}

TEST_F(LatentCacheTest, EveryPartOfTheContentChangesTheKey) {
  std::set<std::string> keys;
  keys.insert(LatentCache(folder_, "model", "options").Key(clip_));
  keys.insert(LatentCache(folder_, "model2", "options").Key(clip_));
  keys.insert(LatentCache(folder_, "model", "options2").Key(clip_));
  // The border between two texts is part of the key.
  keys.insert(LatentCache(folder_, "modelo", "ptions").Key(clip_));
  LatentCache cache(folder_, "model", "options");
  TrainingClip turned = clip_;
  std::swap(turned.height, turned.width);
  keys.insert(cache.Key(turned));
  TrainingClip changed = clip_;
  changed.pixels.back() ^= 1;
  keys.insert(cache.Key(changed));
  EXPECT_EQ(keys.size(), 6u);
  TrainingClip renamed = clip_;
  renamed.name = "elsewhere";
  renamed.fps = 30;
  EXPECT_EQ(cache.Key(renamed), cache.Key(clip_));
}

TEST_F(LatentCacheTest, DamagedOrMisplacedEntriesAreMissesAndAreReplaced) {
  LatentCache cache(folder_, "model", "");
  const std::string key = cache.Key(clip_);
  cache.Put(key, latents_);
  fs::resize_file(cache.FileOf(key), fs::file_size(cache.FileOf(key)) - 1);
  EXPECT_FALSE(cache.Get(key));
  EXPECT_EQ(cache.damaged(), 1);
  cache.Put(key, latents_);
  EXPECT_TRUE(cache.Get(key));
  std::string other = key;
  other[31] = other[31] == '0' ? '1' : '0';
  fs::copy_file(cache.FileOf(key), cache.FileOf(other));
  EXPECT_FALSE(cache.Get(other));
  EXPECT_EQ(cache.damaged(), 2);
}

}  // namespace
}  // namespace mvd
