// Still pictures in and out: 8-bit RGB as diffusers' load_image makes it (EXIF turned, alpha dropped).
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace mvd {

// Interleaved RGB, (height, width, 3), no padding between rows.
struct Image {
  int width = 0;
  int height = 0;
  std::vector<uint8_t> rgb;
};

// No picture and no frame may have more pixels; checked from the header, before anything is decoded.
inline constexpr int64_t kMaxPixels = 64 << 20;

struct ImageSize {
  int width = 0, height = 0;
};

// What reading a picture takes, known from its header.
struct ImagePlan {
  ImageSize size;     // of the picture as ReadImage gives it
  ImageSize stored;   // the same, had it been read whole
  int64_t bytes = 0;  // held at most while it is read, the file's and the picture's own among them
};

// A JPEG of more pixels is not read whole where less will do.
inline constexpr int64_t kWholePixels = 25'000'000;

// Whether the libraries of picture and clip formats are built in (MVD_MEDIA). Without them pictures are read
// as PPM alone and PNG is written without compression; the rest throws Error(kUsage) naming the library.
bool HasCodecs();

// Reads PNG, JPEG, WebP or binary PPM, told apart by content. Palette, grey, 16-bit (high byte kept) and CMYK
// become RGB, alpha and colour profiles are dropped, EXIF orientation is applied: what PIL does in diffusers'
// load_image. Error(kNotFound) for a missing file, Error(kBadInput) for one that is damaged, animated, too
// large or of another kind.
// `least`: no more than this will be made of the picture. A JPEG of more than kWholePixels is then decoded at
// a half, quarter or eighth of its size (libjpeg's scaled transform), both sides still at least so long.
Image ReadImage(const std::filesystem::path& path, ImageSize least = {});
// What the same call will hold. Reads the file's header. Errors as ReadImage.
ImagePlan PlanImage(const std::filesystem::path& path, ImageSize least = {});
// The same from memory (an upload); `name` stands for the file in messages.
Image DecodeImage(std::span<const uint8_t> bytes, const std::string& name);

// "png", "jpeg", "webp" or "ppm" by the first bytes of a file; empty for anything else.
std::string_view ImageFormatOf(std::span<const uint8_t> bytes);
// "is a HEIC picture, ...: convert it with ..." for a picture of a kind that is not read; else empty.
std::string ForeignPicture(std::string_view head);
std::string ImageFormatNames();  // those that this build reads, "png, jpeg, ...": for messages and help

// Keys are Latin-1 of 1 to 79 characters, values UTF-8.
using TextMap = std::map<std::string, std::string>;

// A PNG file with text chunks, written whole or not at all. The same input gives the same bytes.
void WritePng(const std::filesystem::path& path, const Image& image, const TextMap& text = {});
std::string EncodePng(const Image& image, const TextMap& text = {});

ImageSize PngSize(std::string_view png);  // from the header of what EncodePng made

// The pictures of a folder by extension (.png .jpg .jpeg .webp .ppm, any case), hidden files apart, sorted by
// name. Error(kNotFound) without such a folder.
std::vector<std::filesystem::path> ListImages(const std::filesystem::path& folder);
// All of them, read. Error(kBadInput) where there is none.
std::vector<Image> ReadImages(const std::filesystem::path& folder);

}  // namespace mvd
