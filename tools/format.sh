#!/usr/bin/env bash
# Checks the format of every C++ file that git knows; with --fix, mends it.
set -euo pipefail
cd "$(dirname "$0")/.."
format=$(command -v clang-format-14 || command -v clang-format) || { echo "format: clang-format-14 is missing (tools/setup.sh lint)" >&2; exit 1; }
mapfile -t files < <(git ls-files --cached --others --exclude-standard '*.cc' '*.h' |
  while read -r file; do [ ! -e "$file" ] || echo "$file"; done)  # git lists what is deleted and not committed
if [ "${1:-}" = --fix ]; then
  "$format" -i "${files[@]}"
else
  "$format" --dry-run -Werror "${files[@]}"
fi
