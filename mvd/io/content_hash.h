// Names for content: XXH3, 128 bits. An identity for caches and records, no defence against forgery.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

struct XXH3_state_s;

namespace mvd {

// Feed lengths before texts: what is added has no borders of its own.
class ContentDigest {
 public:
  ContentDigest();
  ~ContentDigest();
  ContentDigest(const ContentDigest&) = delete;
  ContentDigest& operator=(const ContentDigest&) = delete;

  void Add(const void* data, size_t size);
  void Add(uint64_t value) { Add(&value, sizeof(value)); }
  // A text behind its length.
  void AddText(std::string_view text) {
    Add(text.size());
    Add(text.data(), text.size());
  }
  std::string Hex() const;  // 32 hexadecimal digits

 private:
  XXH3_state_s* state_;
};

std::string ContentHash(std::string_view bytes);

}  // namespace mvd
