#include "mvd/compress/brewer.h"

#include <algorithm>
#include <cmath>

#include "mvd/base/check.h"
#include "mvd/base/rng.h"

namespace mvd {
namespace {

// Nearer to 1 than this counts as 1: there the procedure divides two numbers that are rounding errors.
constexpr double kCertain = 1 - 1e-12;
// In the counter's word that PhiloxNormal leaves 0, so that one seed serves both.
constexpr uint32_t kCounterTag = 0x42524557;

// Uniform in [0, 1), the `step`-th of a draw.
double Uniform(uint64_t seed, uint64_t draw, uint32_t step) {
  const auto words = Philox4x32({step, kCounterTag, uint32_t(draw), uint32_t(draw >> 32)},
                                {uint32_t(seed), uint32_t(seed >> 32)});
  return double((uint64_t(words[0]) << 32 | words[1]) >> 11) * 0x1p-53;
}

struct Candidate {
  size_t index;
  double p;
};

// Chooses a position with probability proportional to its weight.
size_t Choose(const std::vector<double>& weights, double uniform) {
  double total = 0;
  for (double weight : weights) total += weight;
  double left = uniform * total;
  for (size_t i = 0; i < weights.size(); ++i) {
    left -= weights[i];
    if (left < 0) return i;
  }
  return weights.size() - 1;  // rounding left a rest
}

}  // namespace

std::vector<uint8_t> BrewerSample(std::span<const double> probabilities, uint64_t seed, uint64_t draw) {
  double sum = 0;
  for (double p : probabilities) {
    MVD_CHECK(p >= 0 && p <= 1, "probability ", p);
    sum += p;
  }
  MVD_CHECK(std::abs(sum - std::round(sum)) <= 1e-6, "probabilities sum to ", sum);
  std::vector<uint8_t> gates(probabilities.size(), 0);
  std::vector<Candidate> rest;  // neither certainly in nor certainly out
  int64_t left = int64_t(std::round(sum));
  for (size_t i = 0; i < probabilities.size(); ++i) {
    if (probabilities[i] >= kCertain) {
      gates[i] = 1;
      --left;
    } else if (probabilities[i] > 0) {
      rest.push_back({i, probabilities[i]});
    }
  }
  MVD_CHECK(left >= 0 && left <= int64_t(rest.size()), left, " to choose of ", rest.size());
  double mass = double(left);  // n' less the probabilities already chosen
  std::vector<double> weights;
  for (uint32_t step = 0; left > 0; ++step, --left) {
    weights.clear();
    for (const Candidate& c : rest) {
      // mass > left as each p chosen was below 1; the floor guards the last digits alone.
      weights.push_back(c.p * (mass - c.p) / std::max(mass - c.p * double(left), 1e-15));
    }
    const size_t chosen = Choose(weights, Uniform(seed, draw, step));
    gates[rest[chosen].index] = 1;
    mass -= rest[chosen].p;
    rest.erase(rest.begin() + int64_t(chosen));
  }
  return gates;
}

}  // namespace mvd
