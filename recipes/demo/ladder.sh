#!/usr/bin/env bash
# Mobile Video Diffusion's ladder on a small model that paints every frame (teacher.toml): every row of the paper's tables 2, 4 and 6
# that is a training, each to its end, and its figures.
#   recipes/demo/ladder.sh MOBILEVD [ROW ...]      rows bear the names of presets (mobilevd cost); none: all
#   mobilevd repro 2 --demo runs/ladder; mobilevd repro ladder --demo runs/ladder -o ladder.svg
# RUNS (runs) holds what is made, TEACHER (runs/demo_teacher/model) is the teacher, STEPS (the recipe's) shortens each training,
# OPTIONS go behind each training (OPTIONS="--run.device cuda --run.precision tf32 --data.workers 13" on a GPU), CLIPS (256; 0: none)
# and PHOTOS (photos/heldout) are of each evaluation. A row that is there is left as it is: remove its folder to make it anew.
set -euo pipefail
program=$1
shift
runs=${RUNS:-runs} teacher=${TEACHER:-runs/demo_teacher/model} clips=${CLIPS:-256} photos=${PHOTOS:-photos/heldout}
mkdir -p "$runs/ladder"

# row NAME "COMPRESS OPTIONS" OVERRIDES...: compress the teacher, train one step, evaluate.
row() {
  local name=$1 compress=$2
  shift 2
  local folder=$runs/ladder/$name
  if [ ! -d "$folder/model" ]; then
    [ -d "$folder-start" ] || "$program" compress "$teacher" --fold-cross-attention --dtype f32 $compress -o "$folder-start"
    "$program" train adversarial recipes/demo/adversarial.toml --resume --set "model.folder=$folder-start" \
      --set "discriminator.backbone=$teacher" --set "run.out=$folder" ${STEPS:+--set "run.steps=$STEPS"} "$@" ${OPTIONS:-}
  fi
  [ "$clips" != 0 ] || return 0
  [ -e "$folder.json" ] || "$program" evaluate --model "$folder/model" --clips "$clips" --buckets 20,40 --photos "$photos" --json >"$folder.json.part"
  [ -e "$folder.json" ] || mv "$folder.json.part" "$folder.json"
}

teacher_at() {
  local json=$runs/ladder/teacher-$1.json
  [ ! -e "$json" ] && [ "$clips" != 0 ] || return 0
  "$program" evaluate --model "$teacher" --steps "$1" --clips "$clips" --buckets 20,40 --photos "$photos" --json >"$json.part" && mv "$json.part" "$json"
}

multiscale="--temporal-multiscale 2"
for name in ${@:-teacher svd-512-one-step mobilevd-temporal mobilevd-pruned mobilevd-pruned-l1-70 mobilevd \
  svd-512-funnels svd-512-funnels-he svd-512-funnels-merged}; do
  echo "== $name" >&2
  case $name in
    teacher)
      for steps in 1 2 4 25; do teacher_at $steps; done
      [ "$clips" = 0 ] || cp "$runs/ladder/teacher-25.json" "$runs/ladder/svd-512-folded.json" ;;  # the same function
    svd-512-one-step) row $name "" --set pruning.kind=none ;;
    mobilevd-temporal) row $name "$multiscale" --set pruning.kind=none ;;
    mobilevd-pruned) row $name "$multiscale" ;;
    mobilevd-pruned-l1-70) row $name "$multiscale" --set pruning.kind=l1 ;;
    mobilevd) row $name "$multiscale --funnels attention=0.5" ;;
    svd-512-funnels) row $name "--funnels attention=0.5" --set pruning.kind=none ;;
    svd-512-funnels-he) row $name "--funnels attention=0.5 --funnel-init he" --set pruning.kind=none ;;
    svd-512-funnels-merged) row $name "--funnels attention=0.5 --merge" --set pruning.kind=none ;;
    *) echo "ladder: no row '$name'" >&2; exit 2 ;;
  esac
done
