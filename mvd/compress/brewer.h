// Draws the blocks that are in the network for one training step: exactly n of N, each with its probability.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace mvd {

// The gates (1 in, 0 out) of one fixed-size sample without replacement, by Brewer's draw-by-draw procedure
// ("A simple procedure for pi-p-s w.o.r.", 1975; MobileVD does not name its design). Block i is in with
// probability probabilities[i], and exactly sum(probabilities) blocks are in. The result is a function of
// (probabilities, seed, draw) alone; `draw` counts steps, and devices take different seeds. O(N n).
// Probabilities lie in [0,1] and sum to an integer within 1e-6; anything else is our bug (InternalError).
std::vector<uint8_t> BrewerSample(std::span<const double> probabilities, uint64_t seed, uint64_t draw);

}  // namespace mvd
