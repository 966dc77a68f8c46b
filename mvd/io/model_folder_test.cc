#include "mvd/io/model_folder.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "mvd/io/io_test_util.h"
#include "mvd/io/model_links.h"

namespace mvd {
namespace {

namespace fs = std::filesystem;

constexpr const char* kIndex = "diffusion_pytorch_model.safetensors.index.json";

std::string Index(const std::string& entries) {
  return R"({"metadata":{"total_size":8},"weight_map":{)" + entries + "}}";
}

void ExpectBadFolder(const TestFolder& folder, const std::string& reason) {
  ExpectError(Exit::kBadInput, reason, [&] { FolderWeights weights(folder.path()); });
}

TEST(ParseShardIndex, Hostile) {
  const struct {
    std::string text;
    const char* reason;
  } cases[] = {
      {"", "not valid JSON"},
      {"[]", "is array, expected an object"},
      {"{}", "weight_map is missing"},
      {R"({"weight_map":[]})", "weight_map is missing"},
      {R"({"weight_map":{}})", "weight_map is missing"},
      {Index(R"("a":1)"), "shard of 'a' is number"},
      {Index(R"("a":null)"), "shard of 'a' is null"},
      {Index(R"("a":"../x.safetensors")"), "'../x.safetensors' of 'a' is no plain file name"},
      {Index(R"("a":"/etc/x.safetensors")"), "is no plain file name"},
      {Index(R"("a":"sub/x.safetensors")"), "is no plain file name"},
      {Index(R"("a":"..\\x.safetensors")"), "is no plain file name"},
      {Index(R"("a":"")"), "is no plain file name"},
      {Index(R"("a":"..")"), "is no plain file name"},
      {Index(R"("a":"x.bin")"), "is no plain file name ending in .safetensors"},
      {Index(R"("a":"x\u0000.safetensors")"), "is no plain file name"},
      {Index(R"("a":"x\n.safetensors")"), "is no plain file name"},
      {Index("\"a\":\"" + std::string(300, 'x') + ".safetensors\""), "is no plain file name"},
      {Index(R"("a":"x.safetensors","a":"y.safetensors")"), "key 'a' appears twice"},
      {R"({"weight_map":{"a":"x.safetensors"},"weight_map":{"a":"y.safetensors"}})",
       "'weight_map' appears twice"},
      {Index(R"("a":"x.safetensors")") + std::string("\0{}", 3), "NUL"},
      {std::string(100'000, '['), "nests deeper than 16"},
      {R"({"a":1e999})", "not valid JSON"},
      {R"({"a":NaN})", "not valid JSON"},
      {std::string(kMaxJsonBytes + 1, ' '), "at most 16777216"},
  };
  for (const auto& hostile : cases) {
    SCOPED_TRACE(hostile.reason);
    ExpectError(Exit::kBadInput, hostile.reason, [&] { ParseShardIndex(hostile.text, "index.json"); });
  }
  std::string many;
  for (int i = 0; i < 1025; ++i) {
    many += (i ? ",\"" : "\"") + std::to_string(i) + "\":\"" + std::to_string(i) + ".safetensors\"";
  }
  ExpectError(Exit::kBadInput, "more than 1024 shards", [&] { ParseShardIndex(Index(many), "index.json"); });
}

TEST(FolderWeights, OrderOfPreference) {
  // From the least to the most preferred: each newcomer takes over.
  const std::vector<std::string> names = {"model.fp16.safetensors",
                                          "diffusion_pytorch_model.fp16.safetensors", "model.safetensors",
                                          "diffusion_pytorch_model.safetensors"};
  TestFolder folder;
  folder.Put("pytorch_model.bin", "pickle");
  for (const std::string& name : names) {
    folder.Put(name, OneTensor(name));
    FolderWeights weights(folder.path());
    EXPECT_EQ(weights.Names(), std::vector<std::string>{name});
  }
}

TEST(FolderWeights, Shards) {
  for (const char* index : {kIndex, "model.safetensors.index.json", "other.safetensors.index.json",
                            "diffusion_pytorch_model.safetensors.index.fp16.json"}) {
    SCOPED_TRACE(index);
    TestFolder folder;
    folder.Put(index, Index(R"("a":"s1.safetensors","b":"s2.safetensors")"));
    folder.Put("s1.safetensors", OneTensor("a"));
    folder.Put("s2.safetensors", OneTensor("b", 8));
    FolderWeights weights(folder.path());
    EXPECT_EQ(weights.Names(), (std::vector<std::string>{"a", "b"}));
    EXPECT_EQ(weights.Find("b")->shape, Shape{8});
    EXPECT_FALSE(weights.Find("c"));
    EXPECT_EQ(weights.Get("b").bytes(), 8u);
    weights.Release("b");
    ExpectError(Exit::kBadInput, "tensor 'c' is missing", [&] { weights.Get("c"); });
    ExpectError(Exit::kBadInput, "tensor 'c' is missing", [&] { weights.Release("c"); });
  }
}

TEST(FolderWeights, HostileShards) {
  const std::string index = Index(R"("a":"s.safetensors")");
  {
    TestFolder folder;
    folder.Put(kIndex, index);
    ExpectBadFolder(folder, "s.safetensors: is missing");
    folder.Put("s.safetensors", OneTensor("b"));
    ExpectBadFolder(folder, "tensor 'b' is not in the weight_map");
    folder.Put("s.safetensors", FileBytes("{}", ""));
    ExpectBadFolder(folder, "s.safetensors: tensor 'a' is missing");
    folder.Put("s.safetensors", "short");
    ExpectBadFolder(folder, "5 bytes");
    folder.Put("s.safetensors", OneTensor("a"));
    EXPECT_NO_THROW(FolderWeights weights(folder.path()));
  }
  {
    TestFolder folder, outside;
    folder.Put(kIndex, index);
    fs::create_symlink(outside.Put("secret", OneTensor("a")), folder.path() / "s.safetensors");
    ExpectBadFolder(folder, "is a symbolic link");
    fs::remove(folder.path() / "s.safetensors");
    fs::create_directory(folder.path() / "s.safetensors");
    ExpectBadFolder(folder, "is a folder");
    fs::remove(folder.path() / "s.safetensors");
    ASSERT_EQ(::mkfifo((folder.path() / "s.safetensors").c_str(), 0600), 0);
    ExpectBadFolder(folder, "is a FIFO");
  }
  {
    TestFolder folder;
    folder.Put(kIndex, Index(R"("a":"s1.safetensors","b":"s2.safetensors")"));
    folder.Put("s1.safetensors", OneTensor("a"));
    folder.Put("s2.safetensors", OneTensor("a"));
    ExpectBadFolder(folder, "s2.safetensors: tensor 'a' is in another shard too, s1.safetensors");
    folder.Put("s1.safetensors", OneTensor("b"));  // both there, each in the other's place
    ExpectBadFolder(folder, "s1.safetensors: tensor 'a' is missing");
  }
}

TEST(FolderWeights, FoldersWithoutWeights) {
  TestFolder folder;
  ExpectBadFolder(folder, "holds no weights");
  folder.Put("config.json", "{}");
  ExpectBadFolder(folder, "holds no weights");
  for (const char* pickle : {"diffusion_pytorch_model.bin", "model.ckpt", "x.pt"}) {
    folder.Put(pickle, "\x80\x02}q");
    ExpectBadFolder(folder, "convert them to safetensors");
    fs::remove(folder.path() / pickle);
  }
  folder.Put("a.safetensors.index.json", "{}");
  folder.Put("b.safetensors.index.json", "{}");
  ExpectBadFolder(folder, "holds two indexes");
  fs::create_symlink("nowhere", folder.path() / "model.safetensors");
  ExpectBadFolder(folder, "is a broken symbolic link");
  ExpectError(Exit::kNotFound, "no such", [&] { FolderWeights weights(folder.path() / "absent"); });
  ExpectError(Exit::kBadInput, "is no folder", [&] { FolderWeights weights(folder.path() / "config.json"); });
}

TEST(FolderWeights, TwoSetsOfWeights) {
  const std::string fp16_index = "diffusion_pytorch_model.fp16.safetensors.index.json";
  const struct {
    std::vector<std::string> names;  // the first is read
  } cases[] = {{{kIndex, "diffusion_pytorch_model.safetensors"}},
               {{fp16_index, "diffusion_pytorch_model.fp16.safetensors"}},
               {{"model.safetensors", "model.safetensors.index.json"}},
               {{"diffusion_pytorch_model.safetensors", "model.safetensors"}}};
  for (const auto& c : cases) {
    SCOPED_TRACE(c.names[0]);
    TestFolder folder;
    folder.Put("s.safetensors", OneTensor("sharded"));
    for (const std::string& name : c.names) {
      folder.Put(name, name.ends_with(".json") ? Index(R"("sharded":"s.safetensors")") : OneTensor(name));
    }
    const FolderWeights weights(folder.path());
    EXPECT_EQ(weights.rivals(), c.names);
    const bool sharded = c.names[0].ends_with(".json");
    EXPECT_EQ(weights.Names(), std::vector<std::string>{sharded ? "sharded" : c.names[0]});
  }
  TestFolder folder;  // the other precision is no rival
  folder.Put("model.safetensors", OneTensor("a"));
  folder.Put("model.fp16.safetensors", OneTensor("a"));
  EXPECT_TRUE(FolderWeights(folder.path()).rivals().empty());
}

// The Hub's cache, models--ORG--NAME/blobs and models--ORG--NAME/snapshots/REVISION/unet, is made of links.
TEST(ModelLinks, StayInsideTheModel) {
  TestFolder folder;
  const fs::path repo = folder.path() / "models--org--name", unet = repo / "snapshots/12ab/unet";
  folder.Put("models--org--name/blobs/0123", OneTensor("a"));
  folder.Put("models--org--other/blobs/0123", OneTensor("a"));
  fs::create_directories(unet);
  const fs::path file = unet / "model.safetensors";
  const auto link = [&](const fs::path& target) {
    fs::remove(file);
    fs::create_symlink(target, file);
  };
  link("../../../blobs/0123");
  EXPECT_EQ(FolderWeights(unet).Names(), std::vector<std::string>{"a"});
  link(fs::absolute(repo / "blobs/0123"));
  EXPECT_EQ(FolderWeights(unet).Names(), std::vector<std::string>{"a"});
  const auto refused = [&](const fs::path& where) {
    ExpectError(Exit::kBadInput, "is a symbolic link to", [&] { FolderWeights weights(where); });
  };
  link("../../../../models--org--other/blobs/0123");
  refused(unet);
  fs::create_symlink(folder.path() / "models--org--other/blobs/0123", repo / "blobs/away");
  link("../../../blobs/away");  // a link to a link
  refused(unet);

  // Outside a cache the pipeline's folder is the border, else the component's own.
  const fs::path plain = folder.path() / "plain/unet";
  folder.Put("plain/shared/w", OneTensor("a"));
  fs::create_directories(plain);
  fs::create_symlink("../shared/w", plain / "model.safetensors");
  refused(plain);
  folder.Put("plain/model_index.json", "{}");
  EXPECT_EQ(FolderWeights(plain).Names(), std::vector<std::string>{"a"});
  EXPECT_EQ(FolderWeights(plain / "").Names(), std::vector<std::string>{"a"});
  fs::create_directory_symlink(plain.parent_path(), folder.path() / "mine");  // the user's own link
  EXPECT_EQ(FolderWeights(folder.path() / "mine/unet").Names(), std::vector<std::string>{"a"});
  fs::create_directory_symlink(unet, plain.parent_path() / "vae");  // a component's folder elsewhere
  ExpectError(Exit::kBadInput, "is a symbolic link to",
              [&] { FolderWeights weights(plain.parent_path() / "vae"); });
  // Names that merely begin alike.
  EXPECT_THROW(ResolveInModel(plain, "../shared"), Error);
  fs::create_directories(folder.path() / "plain/unet2");
  folder.Put("alone/config.json", "{}"), folder.Put("alone2/config.json", "{}");
  fs::remove(folder.path() / "alone/config.json");
  fs::create_symlink("../alone2/config.json", folder.path() / "alone/config.json");
  ExpectError(Exit::kBadInput, "is a symbolic link to", [&] { ModelFolder::Open(folder.path() / "alone"); });
}

std::string Scaled(const std::string& scale_name, const std::string& scale_shape, size_t scales) {
  const std::string end = std::to_string(4 + 4 * scales);
  std::string data("\x38\x38\xb8\x40", 4);  // 1 1 -1 2
  for (size_t i = 0; i < scales; ++i) {
    const float scale = 3 + float(i);
    data.append(reinterpret_cast<const char*>(&scale), 4);
  }
  return FileBytes(R"({"l.weight":{"dtype":"F8_E4M3","shape":[2,2],"data_offsets":[0,4]},")" + scale_name +
                       R"(":{"dtype":"F32","shape":[)" + scale_shape + R"(],"data_offsets":[4,)" + end +
                       "]}}",
                   data);
}

TEST(FolderWeights, ScalesOfF8) {
  const struct {
    const char *name, *shape;
    size_t count;
    std::vector<float> expected;
  } cases[] = {{"l.scale_weight", "", 1, {3, 3, -3, 6}},
               {"l.weight_scale", "1", 1, {3, 3, -3, 6}},
               {"l.weight_scale", "2,1", 2, {3, 3, -4, 8}},
               {"l.weight_scale_inv", "2", 2, {3, 3, -4, 8}}};
  for (const auto& c : cases) {
    TestFolder folder;
    folder.Put("model.safetensors", Scaled(c.name, c.shape, c.count));
    FolderWeights weights(folder.path());
    EXPECT_EQ(weights.Names(), std::vector<std::string>{"l.weight"});
    EXPECT_EQ(weights.Find("l.weight")->dtype, DType::kF32);
    EXPECT_EQ(weights.TypeOf("l.weight").name, "F8_E4M3");
    for (int again = 0; again < 2; ++again) {
      const auto values = weights.Get("l.weight").f32();
      EXPECT_EQ(std::vector<float>(values.begin(), values.end()), c.expected) << c.name;
      weights.Release("l.weight");
    }
  }
  for (const char* shape : {"3", "1,2", "0"}) {
    TestFolder folder;
    folder.Put("model.safetensors",
               Scaled("l.weight_scale", shape, shape[0] == '1' ? 2 : size_t(shape[0] - '0')));
    ExpectBadFolder(folder, "expected one number, or one per output channel of 'l.weight', (2,2)");
  }
  {  // quantized integers are no weights
    TestFolder folder;
    std::string file = Scaled("l.weight_scale", "", 1);
    file.replace(file.find("\"F8_E4M3\""), 9, "\"U8\"     ");
    folder.Put("model.safetensors", file);
    FolderWeights weights(folder.path());
    ExpectError(Exit::kBadInput, "is stored as U8 with a scale, 'l.weight_scale'",
                [&] { weights.Get("l.weight"); });
  }
  TestFolder folder;  // of another tensor: no scale
  folder.Put("model.safetensors", Scaled("m.weight_scale", "", 1));
  EXPECT_EQ(FolderWeights(folder.path()).Names(), (std::vector<std::string>{"l.weight", "m.weight_scale"}));
}

TEST(ModelFolder, Pipeline) {
  TestFolder folder;
  folder.Put(
      "model_index.json",
      R"({"_class_name":"StableVideoDiffusionPipeline","unet":["diffusers","UNetX"],"gone":["diffusers","G"],
                 "bare":["transformers","B"],"safety_checker":[null,null],"force_zeros":true})");
  folder.Put("unet/config.json", R"({"_class_name":"Other","in_channels":8})");
  folder.Put("bare/model.safetensors", OneTensor("a"));
  const ModelFolder model = ModelFolder::Open(folder.path());
  EXPECT_TRUE(model.is_pipeline);
  EXPECT_EQ(model.components.size(), 3u);
  EXPECT_EQ(model.index["force_zeros"], true);
  const ModelComponent& unet = model.Component("unet");
  EXPECT_EQ(unet.library, "diffusers");
  EXPECT_EQ(unet.class_name, "UNetX");
  EXPECT_EQ(unet.config["in_channels"], 8);
  EXPECT_EQ(unet.folder, folder.path() / "unet");
  EXPECT_EQ(model.Find("gone"), nullptr);
  ExpectError(Exit::kBadInput, "lists no component 'vae'", [&] { model.Component("vae"); });
  ExpectError(Exit::kBadInput, "gone: is missing", [&] { model.Component("gone"); });
  ExpectError(Exit::kBadInput, "bare: holds no config.json", [&] { model.Component("bare"); });
}

TEST(ModelFolder, OwnFolders) {
  const struct {
    const char *file, *text, *class_name;
  } cases[] = {
      {"config.json", R"({"_class_name":"AutoencoderTiny"})", "AutoencoderTiny"},
      {"config.json", R"({"architectures":["CLIPVisionModelWithProjection"]})",
       "CLIPVisionModelWithProjection"},
      {"scheduler_config.json", R"({"_class_name":"EulerDiscreteScheduler"})", "EulerDiscreteScheduler"},
      {"preprocessor_config.json", R"({"feature_extractor_type":"CLIPFeatureExtractor"})",
       "CLIPFeatureExtractor"},
      {"config.json", "{}", ""}};
  for (const auto& c : cases) {
    TestFolder folder;
    folder.Put(std::string("vae/") + c.file, c.text);
    const ModelFolder model = ModelFolder::Open(folder.path() / "vae/");
    EXPECT_FALSE(model.is_pipeline);
    const ModelComponent& component = model.Component("whatever");
    EXPECT_EQ(component.name, "vae");
    EXPECT_EQ(component.class_name, c.class_name);
    EXPECT_EQ(component.config_file, c.file);
  }
}

TEST(ModelFolder, Hostile) {
  const struct {
    const char *index, *reason;
  } cases[] = {{"", "not valid JSON"},
               {"[]", "is array, expected an object"},
               {R"({"unet":["diffusers"]})", "'unet' is no pair"},
               {R"({"unet":["diffusers",1]})", "'unet' is no pair"},
               {R"({"../unet":["diffusers","U"]})", "'../unet' is no plain folder name"},
               {R"({"/etc":["diffusers","U"]})", "'/etc' is no plain folder name"},
               {R"({"..":["diffusers","U"]})", "'..' is no plain folder name"},
               {R"({"a":["x","A"],"a":["x","B"]})", "'a' appears twice"}};
  for (const auto& hostile : cases) {
    SCOPED_TRACE(hostile.index);
    TestFolder folder;
    folder.Put("model_index.json", hostile.index);
    ExpectError(Exit::kBadInput, hostile.reason, [&] { ModelFolder::Open(folder.path()); });
  }
  TestFolder folder;
  ExpectError(Exit::kBadInput, "is no model folder", [&] { ModelFolder::Open(folder.path()); });
  ExpectError(Exit::kNotFound, "no such", [&] { ModelFolder::Open(folder.path() / "x"); });
  const auto file = folder.Put("x", "");
  ExpectError(Exit::kBadInput, "is no folder", [&] { ModelFolder::Open(file); });
  fs::create_symlink("nowhere", folder.path() / "config.json");
  ExpectError(Exit::kBadInput, "is a broken symbolic link", [&] { ModelFolder::Open(folder.path()); });
}

TEST(Json, PositionsAndLimits) {
  TestFolder folder;
  ExpectError(Exit::kBadInput, "line 2, column 6",
              [&] { ReadJsonFile(folder.Put("a.json", "{\n\"a\": x}")); });
  ExpectError(Exit::kBadInput, "byte 17: key 'a' appears twice",
              [&] { ReadJsonFile(folder.Put("a.json", "{\"b\":{\"a\":1,  \"a\":2}}")); });
  ExpectError(Exit::kBadInput, "ill-formed UTF-8",
              [&] { ReadJsonFile(folder.Put("a.json", "{\"\xff\":1}")); });
  ExpectError(Exit::kBadInput, "is not a regular file", [&] { ReadJsonFile(folder.path()); });
  ExpectError(Exit::kNotFound, "no such", [&] { ReadJsonFile(folder.path() / "none"); });
  // What a parser quotes may be somebody's secret: a link to a key file must not end up in a message.
  try {
    ParseJson("{\"a\": -----SECRET", "f");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(std::string(error.what()).find("SECRET"), std::string::npos) << error.what();
  }
  std::string deep = "1";
  for (int i = 0; i < kMaxJsonDepth; ++i) deep = "[" + deep + "]";
  EXPECT_NO_THROW(ParseJson(deep, "f"));
  ExpectError(Exit::kBadInput, "nests deeper", [&] { ParseJson("[" + deep + "]", "f"); });
  // Equal keys of different objects are no duplicates.
  EXPECT_NO_THROW(ParseJson(R"({"a":{"a":1},"b":[{"a":1},{"a":1}]})", "f"));
  EXPECT_EQ(Printable("a\nb\xff\xc2\x9bü", 100), "a?b??ü");
  EXPECT_EQ(Printable(std::string(50, 'x'), 10), "xxxxxxxxxx...");
}

TEST(ModelHash, NamesContentAlone) {
  TestFolder a, b;
  for (const TestFolder* folder : {&a, &b}) {
    folder->Put("model_index.json", R"({"unet":["diffusers","U"],"scheduler":["diffusers","E"]})");
    folder->Put("unet/config.json", "{}");
    folder->Put("unet/diffusion_pytorch_model.safetensors", OneTensor("a", 20'000'000));
    folder->Put("scheduler/scheduler_config.json", "{}");
  }
  const std::string hash = ModelHash(a.path());
  EXPECT_EQ(hash.size(), 32u);
  EXPECT_EQ(hash.find_first_not_of("0123456789abcdef"), hash.npos);
  EXPECT_EQ(ModelHash(b.path()), hash);
  EXPECT_EQ(ModelHash(b.path(), Threads{.count = 3}), hash);
  b.Put("README.md", "no part of the model");
  EXPECT_EQ(ModelHash(b.path()), hash);
  std::string weights = OneTensor("a", 20'000'000);
  weights[12'345'678] ^= 1;
  b.Put("unet/diffusion_pytorch_model.safetensors", weights);
  EXPECT_NE(ModelHash(b.path()), hash);
  a.Put("scheduler/scheduler_config.json", "{} ");
  EXPECT_NE(ModelHash(a.path()), hash);
  // Inside its own folder a component is the same model under any name.
  TestFolder c;
  c.Put("x/config.json", "{}"), c.Put("y/config.json", "{}");
  EXPECT_EQ(ModelHash(c.path() / "x"), ModelHash(c.path() / "y"));
}

}  // namespace
}  // namespace mvd
