#!/usr/bin/env bash
# Installs the Debian packages that are missing for what is named; silent and quick when none is missing.
#   tools/setup.sh clips|prepare|test|torch|lint|fuzz|package...
# clips: the program that makes clips. prepare: the command `data prepare` too. torch: training in several processes. test, lint,
# fuzz: for developers.
set -euo pipefail

clips=(cmake ninja-build g++ ccache pkgconf libdnnl-dev ocl-icd-opencl-dev libcli11-dev nlohmann-json3-dev libpng-dev
       libjpeg62-turbo-dev libwebp-dev libxxhash-dev libtomlplusplus-dev libeigen3-dev libavcodec-dev libavformat-dev
       libavutil-dev libswscale-dev libavfilter-dev)
prepare=(libarchive-dev libopencv-video-dev libopencv-imgproc-dev)
test=(libgtest-dev python3 ffmpeg)
torch=(libgloo-dev)
lint=(clang-format-14 python3)
fuzz=(clang-14 libclang-rt-14-dev)
package=(xz-utils)

wanted=()
for group in "$@"; do
  declare -n packages="$group"
  wanted+=("${packages[@]}")
done

missing=()
for package in "${wanted[@]}"; do
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0

command -v apt-get >/dev/null || {
  echo "setup: this is no Debian or Ubuntu; install what stands for these packages (docs/building.md): ${missing[*]}" >&2
  exit 1
}
as_root=()
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null || { echo "setup: these packages are missing and there is no sudo: ${missing[*]}" >&2; exit 1; }
  as_root=(sudo)
fi
echo "== installing ${missing[*]}"
"${as_root[@]}" apt-get update -qq
# What apt says of the size, before it begins.
apt-get install --assume-no --no-install-recommends "${missing[@]}" 2>/dev/null | grep -E '^(Need to get|After this operation)' || true
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
