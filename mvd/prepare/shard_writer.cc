#include "mvd/prepare/shard_writer.h"

#include <archive.h>
#include <archive_entry.h>

#include <cstdio>
#include <optional>

#include "mvd/base/atomic_file.h"
#include "mvd/base/error.h"
#include "mvd/base/file_error.h"
#include "mvd/data/shard_source.h"
#include "mvd/io/content_hash.h"
#include "mvd/io/mapped_file.h"

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

}  // namespace

struct ShardWriter::Open {
  explicit Open(const fs::path& target)
      : path(target), file(target, Replace::kYes), tar(archive_write_new()) {
    if (!tar) throw std::bad_alloc();
    Check(archive_write_set_format_ustar(tar.get()));
    Check(archive_write_open_filename(tar.get(), file.temporary().c_str()));
  }
  void Check(int code) const {
    if (code >= ARCHIVE_WARN) return;
    // A positive number is an errno; others are libarchive's own, for a caller's mistakes.
    const int reason = archive_errno(tar.get());
    MVD_CHECK(reason > 0, archive_error_string(tar.get()));
    ThrowUnwritable(path.string(), reason);
  }

  fs::path path;
  AtomicFile file;
  std::unique_ptr<archive, FreeArchive> tar;
  int64_t samples = 0, pixel_bytes = 0;
};

ShardWriter::ShardWriter(fs::path folder, int64_t shard_bytes)
    : folder_(std::move(folder)), shard_bytes_(shard_bytes) {}
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
  if (!open_) open_ = std::make_unique<Open>(folder_ / Numbered("shard-%06lld.tar", shards()));
  const std::string key = Numbered("%09lld", samples_++);
  AddMember(key + ".rgb", sample.pixels.data(), sample.pixels.size());
  // A file name need not be UTF-8.
  const std::string about = sample.about.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
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
  list_.push_back({{"file", open_->path.filename().string()},
                   {"samples", open_->samples},
                   {"bytes", bytes.size()},
                   {"xxh128", ContentHash(bytes)}});
  bytes_ += int64_t(bytes.size());
  open_.reset();
}

void ShardWriter::Finish(nlohmann::json about) {
  if (open_) Close();
  ContentDigest digest;
  for (const nlohmann::json& shard : list_) digest.AddText(shard["xxh128"].get<std::string>());
  about["format"] = kShardsFormat;
  about["hash"] = digest.Hex();
  about["shards"] = list_;
  WriteFile(folder_ / kShardsFile,
            about.dump(1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
}

}  // namespace mvd
