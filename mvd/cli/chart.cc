#include "mvd/cli/chart.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstdio>
#include <string_view>

#include "mvd/base/atomic_file.h"
#include "mvd/base/error.h"
#include "mvd/media/image.h"

namespace mvd::cli {
namespace {

constexpr int kPixel = 2;    // of the font, in the picture's
constexpr int kAdvance = 4;  // three columns and a gap, in the font's pixels

// Five rows of three pixels, a digit of base 8 each, from the top: the left pixel is 4.
struct Glyph {
  char letter;
  std::string_view rows;
};
constexpr Glyph kFont[] = {{'0', "75557"}, {'1', "26227"}, {'2', "71747"}, {'3', "71717"}, {'4', "55711"},
                           {'5', "74717"}, {'6', "74757"}, {'7', "71122"}, {'8', "75757"}, {'9', "75717"},
                           {'A', "25755"}, {'B', "65656"}, {'C', "34443"}, {'D', "65556"}, {'E', "74647"},
                           {'F', "74644"}, {'G', "34553"}, {'H', "55755"}, {'I', "72227"}, {'J', "11152"},
                           {'K', "55655"}, {'L', "44447"}, {'M', "57755"}, {'N', "65555"}, {'O', "25552"},
                           {'P', "65644"}, {'Q', "25563"}, {'R', "65655"}, {'S', "34216"}, {'T', "72222"},
                           {'U', "55557"}, {'V', "55552"}, {'W', "55775"}, {'X', "55255"}, {'Y', "55222"},
                           {'Z', "71247"}, {'-', "00700"}, {'.', "00002"}, {',', "00024"}, {'(', "12221"},
                           {')', "42224"}, {'+', "02720"}, {'%', "51245"}, {'/', "11244"}, {':', "02020"}};

std::string_view RowsOf(char letter) {
  const char capital = char(std::toupper(static_cast<unsigned char>(letter)));
  for (const Glyph& glyph : kFont)
    if (glyph.letter == capital) return glyph.rows;
  return "00000";
}

class Canvas {
 public:
  Canvas(int width, int height) : image_{width, height, {}} {
    image_.rgb.assign(size_t(width) * size_t(height) * 3, 255);
  }
  void Set(int x, int y, Colour c) {
    if (x < 0 || y < 0 || x >= image_.width || y >= image_.height) return;
    uint8_t* pixel = &image_.rgb[(size_t(y) * size_t(image_.width) + size_t(x)) * 3];
    pixel[0] = uint8_t(c.red), pixel[1] = uint8_t(c.green), pixel[2] = uint8_t(c.blue);
  }
  void Disc(double x, double y, double radius, Colour c) {
    for (int row = int(y - radius); row <= int(y + radius); ++row)
      for (int column = int(x - radius); column <= int(x + radius); ++column)
        if (std::hypot(column + 0.5 - x, row + 0.5 - y) <= radius) Set(column, row, c);
  }
  void Line(double x0, double y0, double x1, double y1, double thickness, Colour c) {
    const int steps = 1 + int(2 * std::hypot(x1 - x0, y1 - y0));
    for (int i = 0; i <= steps; ++i) {
      const double at = double(i) / steps, x = x0 + at * (x1 - x0), y = y0 + at * (y1 - y0);
      if (thickness <= 1)
        Set(int(x), int(y), c);
      else
        Disc(x, y, thickness / 2, c);
    }
  }
  void Text(double x, double y, const std::string& text, Colour c) {
    for (size_t i = 0; i < text.size(); ++i) {
      const std::string_view rows = RowsOf(text[i]);
      for (int row = 0; row < 5; ++row)
        for (int column = 0; column < 3; ++column)
          if ((rows[size_t(row)] - '0') & (4 >> column))
            for (int k = 0; k < kPixel * kPixel; ++k)
              Set(int(x) + (int(i) * kAdvance + column) * kPixel + k % kPixel,
                  int(y) + (row - 5) * kPixel + k / kPixel, c);
    }
  }
  const Image& image() const { return image_; }

 private:
  Image image_;
};

std::string Escaped(const std::string& text) {
  std::string out;
  for (char c : text) out += c == '<' ? "&lt;" : c == '&' ? "&amp;" : std::string(1, c);
  return out;
}

}  // namespace

void Chart::Line(double x0, double y0, double x1, double y1, Colour colour, double thickness) {
  marks_.push_back({Mark::Kind::kLine, x0, y0, x1, y1, thickness, colour, "", Anchor::kStart});
}
void Chart::Disc(double x, double y, double radius, Colour colour) {
  marks_.push_back({Mark::Kind::kDisc, x, y, x, y, radius, colour, "", Anchor::kStart});
}
void Chart::Text(double x, double y, const std::string& text, Colour colour, Anchor anchor) {
  marks_.push_back({Mark::Kind::kText, x, y, x, y, 0, colour, text, anchor});
}

std::string Chart::Svg() const {
  std::string text =
      StrCat("<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"", width_, "\" height=\"", height_,
             "\" font-family=\"sans-serif\" font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" "
             "fill=\"white\"/>\n");
  for (const Mark& m : marks_) {
    char colour[32], place[160];
    std::snprintf(colour, sizeof(colour), "rgb(%d,%d,%d)", m.colour.red, m.colour.green, m.colour.blue);
    if (m.kind == Mark::Kind::kLine) {
      std::snprintf(place, sizeof(place),
                    "<path d=\"M%.1f %.1fL%.1f %.1f\" stroke-width=\"%.1f\" stroke=\"%s\"/>\n", m.x0, m.y0,
                    m.x1, m.y1, m.size, colour);
      text += place;
    } else if (m.kind == Mark::Kind::kDisc) {
      std::snprintf(place, sizeof(place), "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"%.1f\" fill=\"%s\"/>\n", m.x0,
                    m.y0, m.size, colour);
      text += place;
    } else {
      const char* anchor = m.anchor == Anchor::kStart ? "start" : m.anchor == Anchor::kEnd ? "end" : "middle";
      std::snprintf(place, sizeof(place), "<text x=\"%.1f\" y=\"%.1f\" fill=\"%s\" text-anchor=\"%s\">", m.x0,
                    m.y0, colour, anchor);
      text += place + Escaped(m.text) + "</text>\n";
    }
  }
  return text + "</svg>\n";
}

void Chart::WritePixels(const std::filesystem::path& file) const {
  Canvas canvas(width_, height_);
  for (const Mark& m : marks_) {
    if (m.kind == Mark::Kind::kLine) canvas.Line(m.x0, m.y0, m.x1, m.y1, m.size, m.colour);
    if (m.kind == Mark::Kind::kDisc) canvas.Disc(m.x0, m.y0, m.size, m.colour);
    if (m.kind == Mark::Kind::kText) {
      const double length = double(m.text.size()) * kAdvance * kPixel;
      const double shift = m.anchor == Anchor::kStart ? 0 : m.anchor == Anchor::kEnd ? length : length / 2;
      canvas.Text(m.x0 - shift, m.y0, m.text, m.colour);
    }
  }
  WritePng(file, canvas.image());
}

void Chart::Write(const std::filesystem::path& file) const {
  const std::string extension = file.extension();
  if (extension == ".svg") {
    WriteFile(file, Svg());
  } else if (extension == ".png") {
    WritePixels(file);
  } else {
    ThrowUsage(file.string(), ": a chart is written as .svg or .png");
  }
}

}  // namespace mvd::cli
