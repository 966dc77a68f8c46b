#!/usr/bin/env bash
# Builds with a compiler, CMake, LibTorch and header-only libraries alone, every other library of the system hidden
# from CMake; then shows that the program needs none of them, and that it trains.
#   tools/portable_build.sh BUILD_FOLDER LIBTORCH_PREFIX     (tools/torch_prefix.sh prints the prefix)
set -euo pipefail
cd "$(dirname "$0")/.."
build=${1:?usage: portable_build.sh BUILD_FOLDER LIBTORCH_PREFIX}
prefix=${2:?usage: portable_build.sh BUILD_FOLDER LIBTORCH_PREFIX}
mkdir -p "$build"
build=$(cd "$build" && pwd)
program=$build/mobilevd
fail() { echo "portable_build: $*" >&2; exit 1; }

echo "== configuring $build"
tools/collect_headers.sh "$build/headers"
torch=$(cd "$prefix/../.." && pwd)  # .../torch/share/cmake lies in .../torch
cmake -S . -B "$build" -DCMAKE_BUILD_TYPE=Release -DMVD_TORCH=ON -DMVD_TESTS=OFF -DMVD_HEADERS="$build/headers" \
  -DCMAKE_PREFIX_PATH="$prefix" "-DCMAKE_FIND_ROOT_PATH=$build/headers;$torch" -DCMAKE_FIND_ROOT_PATH_MODE_INCLUDE=ONLY \
  -DCMAKE_FIND_ROOT_PATH_MODE_PACKAGE=ONLY -DCMAKE_DISABLE_FIND_PACKAGE_PkgConfig=ON >"$build/configure.log" ||
  { cat "$build/configure.log"; exit 1; }
grep "MVD_.* left out" "$build/configure.log"
[ "$(grep -c "MVD_.* left out" "$build/configure.log")" = 3 ] || fail "the three optional parts should be left out"

echo "== building"
cmake --build "$build" -j "${JOBS:-$(nproc)}" --target mobilevd

echo "== libraries that it needs"
needed=$(readelf -d "$program" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p')
echo "$needed" | paste -sd' '
others=$(echo "$needed" | grep -Ev '^(libtorch|libc10)[a-z_]*\.so|^(libgomp|libstdc\+\+|libgcc_s|libm|libc|libdl|librt|libpthread|ld-linux.*)\.so' || true)
[ -z "$others" ] || fail "these are neither LibTorch's nor the compiler's: $others"

echo "== running"
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
"$program" doctor
"$program" data synth -q -n 2 --height 48 --width 64 --frames 4 -o "$out/clips" --sheet "$out/sheet.png" >/dev/null
[ "$(ls "$out"/clips/*.y4m | wc -l)" = 2 ] && [ -s "$out/sheet.png" ] || fail "data synth wrote no clips or sheet"
"$program" check --executor torch --model testdata/goldens/unet_wide --golden testdata/goldens/unet_wide_1x6x4.safetensors
mkdir "$out/photos"
{ printf 'P6\n# a ramp\n96 64\n255\n'; for i in $(seq 96); do head -c 192 /dev/zero | tr '\0' "\\$(printf %03o $((i * 2)))"; done; } >"$out/photos/ramp.ppm"
small=(--set run.steps=20 --set schedule.kind=constant --set samples.steps=20 --set samples.count=1 --set heldout.steps=20 --set heldout.clips=2)
"$program" train autoencoder recipes/autoencoder_tiny.toml -q "${small[@]}" --set run.out="$out/ae"
"$program" train diffusion recipes/tiny_synth.toml -q "${small[@]}" --set run.out="$out/run" \
  --set model.autoencoder="$out/ae/model" --set data.photos="$out/photos"
tail -n 1 "$out/run/metrics.jsonl"
[ -s "$out/run/samples/step-000020-0.y4m" ] && [ -s "$out/run/samples/step-000020.png" ] || fail "no sample clip or sheet"
"$program" generate "$out/photos/ramp.ppm" -q --model "$out/run/model" --height 64 --width 128 --frames 4 --steps 2 -o "$out/clip.y4m"
for command in "generate testdata/photos/chelsea.jpg --preset svd-tiny -o $out/a.y4m" \
               "generate $out/photos/ramp.ppm --preset svd-tiny -o $out/a.mp4" \
               "data prepare $out/photos -o $out/shards" "bench --preset svd-tiny --executor cpu"; do
  code=0
  "$program" $command -q 2>"$out/error" || code=$?
  [ "$code" = 2 ] && [ "$(wc -l <"$out/error")" = 1 ] || fail "'$command' should end with one line and exit code 2: $(cat "$out/error")"
  cat "$out/error"
done
echo "== ok"
