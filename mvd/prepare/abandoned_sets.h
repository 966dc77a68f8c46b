// What a `data prepare` that was killed leaves in its output folder, and how a later run removes it.
#pragma once

#include <filesystem>

#include "mvd/data/shard_index.h"

namespace mvd {

// The hidden folder in which a set is made is `.shards.new.<pid>-<random>.part` (AtomicFolder's name). Before
// the first shard leaves it, it holds the shards.json of the new set and, in `replaced`, that of the old one.
inline constexpr char kStagingName[] = "shards.new";

// Copies the folder's shards.json, if there is one, into the hidden folder.
void KeepReplacedList(const std::filesystem::path& folder, const std::filesystem::path& staging);

// Removes the hidden folders of processes that are no more, and of the shards that their lists name those
// that the folder's own shards.json does not name and that are still what the lists say of them. Nothing
// else, and nothing at all where that shards.json cannot be read.
void RemoveAbandonedSets(const std::filesystem::path& folder);

// Whether a file is still what a list says of it. Errors of reading it.
bool IsUnchanged(const ShardFile& shard);

}  // namespace mvd
