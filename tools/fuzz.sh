#!/usr/bin/env bash
# Runs every fuzz target of a build folder for some seconds each, from the committed corpus. FUZZ_RUNS=N: at most N inputs
# each, the same in every run, for CI.
set -euo pipefail
build=$1 seconds=${2:-60}
cd "$(dirname "$0")/.."
found=0
for target in "$build"/fuzz_targets/*_fuzzer; do
  [ -x "$target" ] || continue
  found=1
  name=$(basename "$target")
  corpus=$build/corpus/$name
  mkdir -p "$corpus"
  seeds=fuzz_targets/corpus/${name%_fuzzer} dict=fuzz_targets/${name%_fuzzer}.dict
  echo "== $name, $seconds s"
  "$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 ${FUZZ_RUNS:+-seed=1 -runs=$FUZZ_RUNS} $([ -e "$dict" ] && echo "-dict=$dict") \
    "$corpus" $([ -d "$seeds" ] && echo "$seeds") 2>&1 | tail -n 12
done
[ "$found" = 1 ] || { echo "fuzz: no target in $build" >&2; exit 1; }
