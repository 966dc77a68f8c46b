#include "mvd/prepare/shard_writer.h"

#include <archive.h>
#include <archive_entry.h>

#include <cstdio>

#include "mvd/base/dtype.h"
#include "mvd/base/error.h"
#include "mvd/base/file_error.h"
#include "mvd/base/move_file.h"
#include "mvd/base/process_end.h"
#include "mvd/data/shard_source.h"
#include "mvd/io/content_hash.h"
#include "mvd/io/mapped_file.h"
#include "mvd/prepare/abandoned_sets.h"

namespace mvd {
namespace fs = std::filesystem;
namespace {

struct FreeArchive {
  void operator()(archive* a) const { archive_write_free(a); }
};
struct FreeEntry {
  void operator()(archive_entry* entry) const { archive_entry_free(entry); }
};

std::string Numbered(const char* format, int64_t number) {
  char text[64];
  std::snprintf(text, sizeof(text), format, static_cast<long long>(number));
  return text;
}

std::string ShardName(int64_t number) { return Numbered("shard-%06lld.tar", number); }

// Of `count` numbers in a row whose names are all free.
int64_t FirstFreeNumber(const fs::path& folder, int64_t count) {
  int64_t first = 0;
  for (int64_t number = 0; number < first + count; ++number) {
    std::error_code code;
    if (fs::exists(fs::symlink_status(folder / ShardName(number), code))) first = number + 1;
  }
  return first;
}

}  // namespace

struct ShardWriter::Open {
  // `target` is in the hidden folder, `shown` is the name for messages.
  Open(const fs::path& target, std::string shown)
      : name(std::move(shown)), path(target), file(target, Replace::kYes), tar(archive_write_new()) {
    if (!tar) throw std::bad_alloc();
    Check(archive_write_set_format_ustar(tar.get()));
    Check(archive_write_open_filename(tar.get(), file.temporary().c_str()));
  }
  void Check(int code) const {
    if (code >= ARCHIVE_WARN) return;
    // A positive number is an errno; others are libarchive's own, for a caller's mistakes.
    const int reason = archive_errno(tar.get());
    MVD_CHECK(reason > 0, archive_error_string(tar.get()));
    ThrowUnwritable(name, reason);
  }

  std::string name;
  fs::path path;
  AtomicFile file;
  std::unique_ptr<archive, FreeArchive> tar;
  int64_t samples = 0, pixel_bytes = 0;
};

ShardWriter::ShardWriter(fs::path folder, int64_t shard_bytes)
    : folder_(std::move(folder)), shard_bytes_(shard_bytes), staging_(folder_ / kStagingName, Replace::kYes) {
  RemoveAbandonedSets(folder_);
}
ShardWriter::~ShardWriter() = default;

void ShardWriter::AddMember(const std::string& name, const void* data, size_t size) {
  const std::unique_ptr<archive_entry, FreeEntry> entry(archive_entry_new());
  if (!entry) throw std::bad_alloc();
  archive_entry_set_pathname(entry.get(), name.c_str());
  archive_entry_set_filetype(entry.get(), AE_IFREG);
  archive_entry_set_perm(entry.get(), 0644);
  archive_entry_set_size(entry.get(), la_int64_t(size));
  archive_entry_set_mtime(entry.get(), 0, 0);  // no dates: the same bytes every time
  open_->Check(archive_write_header(open_->tar.get(), entry.get()));
  const la_ssize_t written = archive_write_data(open_->tar.get(), data, size);
  open_->Check(written < 0 ? ARCHIVE_FATAL : ARCHIVE_OK);
  MVD_CHECK_EQ(size_t(written), size);
}

void ShardWriter::Add(const ShardSampleContent& sample) {
  if (!open_) {
    const std::string name = ShardName(shards());
    open_ = std::make_unique<Open>(staging_.temporary() / name, (folder_ / name).string());
  }
  const std::string key = Numbered("%09lld", samples_++);
  AddMember(key + ".rgb", sample.pixels.data(), sample.pixels.size());
  nlohmann::json json = sample.about;
  if (!sample.motion.empty()) {
    std::vector<uint16_t> halves(sample.motion.size());
    Convert(DType::kF32, sample.motion.data(), DType::kF16, halves.data(), halves.size());
    const std::string_view bytes(reinterpret_cast<const char*>(halves.data()),
                                 halves.size() * sizeof(uint16_t));
    AddMember(key + kMotionMember, bytes.data(), bytes.size());
    json["motion_hash"] = ContentHash(bytes);
  }
  // A file name need not be UTF-8.
  const std::string about = json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  AddMember(key + ".json", about.data(), about.size());
  ++open_->samples;
  open_->pixel_bytes += int64_t(sample.pixels.size());
  if (open_->pixel_bytes >= shard_bytes_) Close();
}

void ShardWriter::Close() {
  open_->Check(archive_write_close(open_->tar.get()));
  open_->file.Commit();
  const MappedFile file = MappedFile::Open(open_->path);
  const std::string_view bytes(reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size());
  list_.push_back({{"samples", open_->samples}, {"bytes", bytes.size()}, {"xxh128", ContentHash(bytes)}});
  bytes_ += int64_t(bytes.size());
  open_.reset();
}

// Gives the shards their names in the folder, and writes shards.json into the hidden folder: from here on, if
// this process is killed, it says which files of the folder are from here (RemoveAbandonedSets). Returns its
// text.
std::string ShardWriter::WriteLists(nlohmann::json about) {
  const int64_t first = FirstFreeNumber(folder_, shards());
  ContentDigest digest;
  for (int64_t i = 0; i < shards(); ++i) {
    list_[size_t(i)]["file"] = ShardName(first + i);
    digest.AddText(list_[size_t(i)]["xxh128"].get<std::string>());
  }
  about["format"] = kShardsFormat;
  about["hash"] = digest.Hex();
  about["shards"] = list_;
  KeepReplacedList(folder_, staging_.temporary());
  const std::string text = about.dump(1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
  WriteFile(staging_.temporary() / kShardsFile, text);
  return text;
}

// Moves the shards to their names in the folder. Returns the new paths.
std::vector<fs::path> ShardWriter::Publish() {
  std::vector<fs::path> published;
  for (int64_t i = 0; i < shards(); ++i) {
    const fs::path to = folder_ / list_[size_t(i)]["file"].get<std::string>();
    std::error_code code;
    if (const int reason = MoveWithoutReplacing(staging_.temporary() / ShardName(i), to)) {
      for (const fs::path& path : published) fs::remove(path, code);
      ThrowUnwritable(to.string(), reason);
    }
    published.push_back(to);
  }
  return published;
}

void ShardWriter::Finish(nlohmann::json about) {
  if (open_) Close();
  const std::string list = WriteLists(std::move(about));
  // A signal that ends the process from now on leaves the lists to the next run, as a kill does.
  ForgetTemporary(WhileProcessGoesOn(), staging_.temporary());
  const std::vector<fs::path> published = Publish();
  try {
    WriteFile(folder_ / kShardsFile, list);
  } catch (...) {
    std::error_code code;
    for (const fs::path& path : published) fs::remove(path, code);
    throw;
  }
}

}  // namespace mvd
