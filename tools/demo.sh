#!/usr/bin/env bash
# The newcomer's first clip: a photograph in, an mp4 and an animated WebP out.
set -euo pipefail
program=$1
photo=testdata/photos/chelsea.jpg
mkdir -p out
echo "== generating out/demo.mp4 from $photo"
"$program" generate "$photo" -o out/demo.mp4 -y
"$program" generate "$photo" --recipe out/demo.mp4 -o out/demo.webp -y
echo
echo "The clip: $PWD/out/demo.mp4 and $PWD/out/demo.webp"
echo "Try next:"
echo "  $program generate YOUR.jpg -o out/yours.mp4                        # any picture"
echo "  $program generate $photo -o out/more.mp4 --motion-bucket-id 150     # more motion; --seed 7: another one"
echo "  $program generate $photo -o out/teacher.mp4 --model demo_teacher       # its teacher, 3 steps"
echo "  $program inspect out/demo.mp4                                       # the recipe that it carries"
echo "  $program generate $photo --model path/to/stable-video-diffusion-img2vid -o out/svd.mp4"
