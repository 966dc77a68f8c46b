// "Did you mean": the word of a list that a mistyped one is nearest to.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace mvd {

// Edit distance: insertions, deletions, replacements and swaps of neighbours each count 1.
int EditDistance(std::string_view a, std::string_view b);

// The nearest of `words`, the first of equals; empty where none is near enough to be what was meant.
std::string NearestWord(std::string_view word, std::span<const std::string> words);

// ", did you mean 'generate'?", or nothing. Ends a message that names `word`.
std::string DidYouMean(std::string_view word, std::span<const std::string> words);

}  // namespace mvd
