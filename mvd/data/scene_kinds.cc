#include "mvd/data/scene_kinds.h"

namespace mvd::synth {
namespace {

constexpr Kind kKinds[] = {
    {"hills", "ridges in parallax under a sky with clouds", BuildHills, true, false},
    {"sea", "water that mirrors sky and shore, glitter of the sun", BuildSea, false, false},
    {"meadow", "trees and grass that sway", BuildMeadow, true, false},
    {"clouds", "layers of clouds at different speeds", BuildClouds, true, false},
    {"snow", "flakes at three depths before hills", BuildSnow, true, false},
    {"fire", "flames and sparks at night", BuildFire, false, false},
    {"smoke", "plumes that rise and lean", BuildSmoke, false, false},
    {"reef", "fish, kelp and bubbles under water", BuildReef, true, false},
    {"balls", "textured balls that bounce and turn", BuildBalls, true, false},
    {"boxes", "textured boxes that turn in space", BuildBoxes, true, false},
    {"shapes", "flat cut-outs with shadows that drift and turn", BuildShapes, true, false},
    {"flight", "a low flight over a patterned plain", BuildFlight, true, false, true},
    {"flag", "a flag in the wind", BuildFlag, true, false},
    {"closeup", "one material near by, panned, zoomed and rolled", BuildCloseup, true, false},
    {"city", "a skyline in parallax, passing cars", BuildCity, true, false},
    {"planet", "a turning planet with moons before stars", BuildPlanet, true, false},
    {"photo", "a photograph panned and zoomed, with parallax within it", BuildPhoto, true, true},
    {"photo_shapes", "things that move before a photograph", BuildPhotoShapes, true, true},
};

}  // namespace

std::span<const Kind> Kinds() { return kKinds; }

}  // namespace mvd::synth
