#!/usr/bin/env bash
# The documents as a static site with search: build/site/index.html. Links and anchors are checked; a broken one is an error.
# Needs Python with venv, and the network once for mkdocs-material (PyPI); PYTHON names another interpreter.
set -euo pipefail
cd "$(dirname "$0")/.."
venv=build/site-venv source=build/site-source

if [ ! -x "$venv/bin/mkdocs" ]; then
  echo "== installing mkdocs-material into $venv"
  "${PYTHON:-python3}" -m venv "$venv"
  "$venv/bin/pip" install -q "mkdocs-material>=9.5,<10"
fi

# Every document and picture at its place in the tree.
rm -rf "$source"
find . \( -path ./build -o -path './.*' -o -path ./runs -o -path ./out \) -prune -o -name '*.md' -print -o -path './docs/*.*' -print |
  while read -r file; do
    mkdir -p "$source/$(dirname "$file")"
    cp "$file" "$source/$file"
  done
# Not --quiet, which hides the warnings from --strict too.
NO_MKDOCS_2_WARNING=1 "$venv/bin/mkdocs" build --strict >build/site.log 2>&1 || { grep -v '^INFO' build/site.log >&2; exit 1; }
echo "The site: $PWD/build/site/index.html"
