// The table of scene kinds; the builders stand in scene_nature.cc and scene_things.cc.
#pragma once

#include <span>

#include "mvd/data/scene_builder.h"

namespace mvd::synth {

struct Kind {
  const char* name;
  const char* shows;
  void (*build)(Builder& b);
  int share;  // how often it is drawn beside the others
  bool exact_flow;
  bool needs_photos;
  bool tells_way = false;  // the first frame says which way things move, as on a flight
};

std::span<const Kind> Kinds();

void BuildHills(Builder& b);
void BuildSea(Builder& b);
void BuildMeadow(Builder& b);
void BuildClouds(Builder& b);
void BuildSnow(Builder& b);
void BuildFire(Builder& b);
void BuildSmoke(Builder& b);
void BuildReef(Builder& b);

void BuildBalls(Builder& b);
void BuildBoxes(Builder& b);
void BuildShapes(Builder& b);
void BuildFlight(Builder& b);
void BuildFlag(Builder& b);
void BuildCloseup(Builder& b);
void BuildCity(Builder& b);
void BuildPlanet(Builder& b);
void BuildPhoto(Builder& b);
void BuildPhotoShapes(Builder& b);
void BuildPhotoCamera(Builder& b);
void BuildPhotoAlive(Builder& b);

}  // namespace mvd::synth
