#!/usr/bin/env bash
# Copies the header-only libraries that every build needs into one folder, to carry to a machine that has none:
#   tools/collect_headers.sh FOLDER      there: cmake -B build -DMVD_HEADERS=FOLDER
# Gloo's headers go along where they are found; training by several processes needs them.
set -euo pipefail

folder=${1:?usage: collect_headers.sh FOLDER}
mkdir -p "$folder"
for name in nlohmann CLI toml++ Eigen xxhash.h gloo; do
  for place in /usr/local/include /usr/include /usr/include/eigen3; do
    [ ! -e "$place/$name" ] || { cp -RL "$place/$name" "$folder/"; continue 2; }
  done
  [ "$name" = gloo ] || { echo "collect_headers: $name is not here; tools/setup.sh clips installs it" >&2; exit 1; }
done
