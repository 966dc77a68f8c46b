#include "mvd/io/content_hash.h"

#include <xxhash.h>

#include <cstdio>
#include <new>

namespace mvd {

ContentDigest::ContentDigest() : state_(XXH3_createState()) {
  if (!state_) throw std::bad_alloc();
  XXH3_128bits_reset(state_);
}

ContentDigest::~ContentDigest() { XXH3_freeState(state_); }

void ContentDigest::Add(const void* data, size_t size) { XXH3_128bits_update(state_, data, size); }

std::string ContentDigest::Hex() const {
  XXH128_canonical_t bytes;
  XXH128_canonicalFromHash(&bytes, XXH3_128bits_digest(state_));
  std::string hex;
  for (unsigned char byte : bytes.digest) {
    char digits[3];
    std::snprintf(digits, sizeof(digits), "%02x", byte);
    hex += digits;
  }
  return hex;
}

std::string ContentHash(std::string_view bytes) {
  ContentDigest digest;
  digest.Add(bytes.data(), bytes.size());
  return digest.Hex();
}

}  // namespace mvd
