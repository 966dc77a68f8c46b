// Times the procedural source: processor milliseconds a clip, for each kind of scene.
//   bench_synth [height [width [clips of each kind]]]
#include <cstdio>
#include <cstdlib>
#include <ctime>

#include "mvd/data/synth.h"

int main(int argc, char** argv) {
  mvd::SynthOptions options;
  if (argc > 1) options.height = std::atoi(argv[1]);
  if (argc > 2) options.width = std::atoi(argv[2]);
  const int clips = argc > 3 ? std::atoi(argv[3]) : 8;
  double sum = 0, worst = 0;
  int kinds = 0;
  for (const mvd::SynthKind& kind : mvd::SynthKinds()) {
    if (kind.needs_photos) continue;
    options.kind = kind.name;
    const auto source = mvd::MakeSynthSource(options);
    source->Next();  // warm
    const std::clock_t start = std::clock();
    for (int i = 0; i < clips; ++i) source->Next();
    const double ms = 1e3 * double(std::clock() - start) / CLOCKS_PER_SEC / clips;
    std::printf("%-10s %7.1f ms\n", kind.name.c_str(), ms);
    sum += ms, worst = ms > worst ? ms : worst, ++kinds;
  }
  std::printf("%-10s %7.1f ms, worst %.1f ms, %ldx%ldx%ld\n", "mean", sum / kinds, worst,
              long(options.frames), long(options.height), long(options.width));
}
