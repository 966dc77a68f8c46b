#include "mvd/io/content_hash.h"

// Compiled in here, and nowhere else: nothing to link.
#define XXH_INLINE_ALL
#include <xxhash.h>

#include <cstdio>
#include <cstring>

namespace mvd {
namespace {

HashBytes Canonical(XXH128_hash_t hash) {
  XXH128_canonical_t canonical;
  XXH128_canonicalFromHash(&canonical, hash);
  HashBytes bytes;
  static_assert(sizeof(bytes) == sizeof(canonical.digest));
  std::memcpy(bytes.data(), canonical.digest, sizeof(bytes));
  return bytes;
}

std::string ToHex(const HashBytes& bytes) {
  std::string hex;
  for (unsigned char byte : bytes) {
    char digits[3];
    std::snprintf(digits, sizeof(digits), "%02x", byte);
    hex += digits;
  }
  return hex;
}

}  // namespace

struct ContentDigest::State {
  XXH3_state_t xxh3;
};

ContentDigest::ContentDigest() : state_(std::make_unique<State>()) { XXH3_128bits_reset(&state_->xxh3); }
ContentDigest::~ContentDigest() = default;

void ContentDigest::Add(const void* data, size_t size) { XXH3_128bits_update(&state_->xxh3, data, size); }

std::string ContentDigest::Hex() const { return ToHex(Canonical(XXH3_128bits_digest(&state_->xxh3))); }

HashBytes ContentHashBytes(const void* data, size_t size) { return Canonical(XXH3_128bits(data, size)); }

std::string ContentHash(std::string_view bytes) {
  return ToHex(ContentHashBytes(bytes.data(), bytes.size()));
}

}  // namespace mvd
