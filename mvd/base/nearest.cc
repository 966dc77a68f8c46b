#include "mvd/base/nearest.h"

#include <algorithm>
#include <vector>

namespace mvd {
namespace {

constexpr size_t kLongest = 80;  // of a word that is compared: the time grows with the square

}  // namespace

int EditDistance(std::string_view a, std::string_view b) {
  std::vector<std::vector<int>> d(a.size() + 1, std::vector<int>(b.size() + 1));
  for (size_t i = 0; i <= a.size(); ++i) d[i][0] = int(i);
  for (size_t j = 0; j <= b.size(); ++j) d[0][j] = int(j);
  for (size_t i = 1; i <= a.size(); ++i) {
    for (size_t j = 1; j <= b.size(); ++j) {
      d[i][j] = std::min({d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + (a[i - 1] != b[j - 1])});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
    }
  }
  return d[a.size()][b.size()];
}

std::string NearestWord(std::string_view word, std::span<const std::string> words) {
  word = word.substr(0, kLongest);
  const int enough = std::max(2, int(word.size()) / 3);
  const std::string* nearest = nullptr;
  int best = enough + 1;
  for (const std::string& candidate : words) {
    const int distance = EditDistance(word, candidate);
    // A distance as long as the word has nothing in common with it.
    if (distance < best && distance < int(word.size())) best = distance, nearest = &candidate;
  }
  return nearest ? *nearest : "";
}

std::string DidYouMean(std::string_view word, std::span<const std::string> words) {
  const std::string nearest = NearestWord(word, words);
  return nearest.empty() ? "" : ", did you mean '" + nearest + "'?";
}

}  // namespace mvd
