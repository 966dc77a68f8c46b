#include "mvd/data/scene_kinds.h"

namespace mvd::synth {
namespace {

// Kinds that tell the way are drawn more often than what else there is: from one picture they can be learnt
// in few steps, where a motion that is drawn must first be chosen. Photographs are what a model will be asked
// for.
constexpr Kind kKinds[] = {
    {"hills", "ridges in parallax under a sky with clouds", BuildHills, 1, true, false},
    {"sea", "water that mirrors sky and shore, glitter of the sun", BuildSea, 1, false, false},
    {"meadow", "trees and grass that sway", BuildMeadow, 1, true, false},
    {"clouds", "layers of clouds at different speeds", BuildClouds, 1, true, false},
    {"snow", "flakes at three depths before hills", BuildSnow, 1, true, false},
    {"fire", "flames and sparks at night", BuildFire, 1, false, false},
    {"smoke", "plumes that rise and lean", BuildSmoke, 1, false, false},
    {"reef", "fish, kelp and bubbles under water", BuildReef, 1, true, false},
    {"balls", "textured balls that bounce and turn", BuildBalls, 1, true, false},
    {"boxes", "textured boxes that turn in space", BuildBoxes, 1, true, false},
    {"shapes", "flat cut-outs with shadows that drift and turn", BuildShapes, 1, true, false},
    {"flight", "a low flight over a patterned plain", BuildFlight, 4, true, false, true},
    {"flag", "a flag in the wind", BuildFlag, 1, true, false},
    {"closeup", "one material near by, panned, zoomed and rolled", BuildCloseup, 1, true, false},
    {"city", "a skyline in parallax, passing cars", BuildCity, 1, true, false},
    {"planet", "a turning planet with moons before stars", BuildPlanet, 1, true, false},
    {"photo", "the camera goes forward into a photograph", BuildPhoto, 6, true, true, true},
    {"photo_camera", "a camera that pans, orbits or trembles before a photograph with depth",
     BuildPhotoCamera, 10, true, true},
    {"photo_alive", "a photograph whose sky drifts, leaves sway, water ripples and subject moves",
     BuildPhotoAlive, 8, true, true},
    {"photo_shapes", "things that move before a photograph", BuildPhotoShapes, 3, true, true},
};

}  // namespace

std::span<const Kind> Kinds() { return kKinds; }

}  // namespace mvd::synth
