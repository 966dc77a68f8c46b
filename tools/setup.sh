#!/usr/bin/env bash
# Installs the Debian packages that are missing; silent and quick when none is. Arguments: build, test.
set -euo pipefail

build=(cmake ninja-build g++ ccache pkgconf libdnnl-dev ocl-icd-opencl-dev libcli11-dev nlohmann-json3-dev libpng-dev libjpeg62-turbo-dev
       libwebp-dev libxxhash-dev libtomlplusplus-dev libeigen3-dev libavcodec-dev libavformat-dev libavutil-dev libswscale-dev libavfilter-dev
       libarchive-dev libopencv-video-dev libopencv-imgproc-dev)
test=(libgtest-dev libgmock-dev libbenchmark-dev python3 clang-format-14 clang-14 libclang-rt-14-dev ffmpeg)

wanted=()
for group in "${@:-build}"; do
  declare -n packages="$group"
  wanted+=("${packages[@]}")
done

missing=()
for package in "${wanted[@]}"; do
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0

echo "== installing ${missing[*]}"
as_root=()
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null || { echo "setup: these packages are missing and there is no sudo: ${missing[*]}" >&2; exit 1; }
  as_root=(sudo)
fi
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
