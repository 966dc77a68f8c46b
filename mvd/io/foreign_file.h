// What people find under the name of a model file when a download or a clone went wrong.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace mvd {

// "a Git LFS pointer, not the file itself: ...", with what to do about it, to follow "is "; nothing where the
// bytes are of no known kind. `content` is the file or its beginning; 1 kB is enough.
std::optional<std::string> ForeignFile(std::string_view content);
// The same for what should be weights, which no text is: "the text 'Entry not found': ..." too.
std::optional<std::string> ForeignWeights(std::string_view content);

// Whether a file of this name holds weights in some form, pickled ones included (which are refused).
bool HasWeightsEnding(std::string_view name);
bool HasPickleEnding(std::string_view name);

}  // namespace mvd
