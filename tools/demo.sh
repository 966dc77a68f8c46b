#!/usr/bin/env bash
# The newcomer's first clip: a photograph in, an mp4 and an animated WebP out.
set -euo pipefail
program=$1
mkdir -p out
echo "== generating out/demo.mp4 from testdata/photos/chelsea.jpg"
"$program" generate testdata/photos/chelsea.jpg --preset svd-tiny --height 256 --width 512 --frames 14 --steps 4 -o out/demo.mp4 -y
"$program" generate --recipe out/demo.mp4 -o out/demo.webp -y
echo
echo "The clip: $PWD/out/demo.mp4 and out/demo.webp"
echo "The weights are random, so it is noise: bring a Stable Video Diffusion folder for a real one:"
echo "  $program generate testdata/photos/chelsea.jpg --model path/to/stable-video-diffusion-img2vid --height 256 --width 512 -o out/cat.mp4"
echo "Try next: $program inspect out/demo.mp4 | $program cost --preset svd | $program explain --preset svd --summary"
