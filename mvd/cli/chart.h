// A drawing of lines, discs and words that is written as SVG or as PNG.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace mvd::cli {

struct Colour {
  int red = 0, green = 0, blue = 0;
};

// Coordinates in pixels, y downwards.
class Chart {
 public:
  Chart(int width, int height) : width_(width), height_(height) {}

  enum class Anchor { kStart, kMiddle, kEnd };
  void Line(double x0, double y0, double x1, double y1, Colour colour, double thickness = 1);
  void Disc(double x, double y, double radius, Colour colour);
  // `y` is the base line. In PNG letters are capitals of a small font of the program's own.
  void Text(double x, double y, const std::string& text, Colour colour, Anchor anchor = Anchor::kStart);

  // By the extension, .svg or .png; Error(kUsage) for another. The file appears whole.
  void Write(const std::filesystem::path& file) const;

 private:
  struct Mark {
    enum class Kind { kLine, kDisc, kText } kind;
    double x0, y0, x1, y1, size;
    Colour colour;
    std::string text;
    Anchor anchor;
  };
  std::string Svg() const;
  void WritePixels(const std::filesystem::path& file) const;

  int width_, height_;
  std::vector<Mark> marks_;
};

}  // namespace mvd::cli
