// Names for content: XXH3, 128 bits. An identity for caches and records, no defence against forgery.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace mvd {

using HashBytes = std::array<unsigned char, 16>;  // in xxHash's canonical order

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
  struct State;
  std::unique_ptr<State> state_;
};

HashBytes ContentHashBytes(const void* data, size_t size);
std::string ContentHash(std::string_view bytes);  // the same as 32 hexadecimal digits

}  // namespace mvd
