#!/usr/bin/env bash
# Mobile Video Diffusion's ladder on the model that comes with the program: every row of the paper's tables 2, 4 and 6
# that is a training, each to its end, and its figures.
#   recipes/demo/ladder.sh MOBILEVD [ROW ...]      rows: see below; none: all
# RUNS (runs) holds what is made, TEACHER (models/demo) is the teacher, STEPS (the recipe's) shortens each training,
# CLIPS (256) is of each evaluation. A row that is there is left as it is: remove its folder to make it anew.
set -euo pipefail
program=$1
shift
runs=${RUNS:-runs} teacher=${TEACHER:-models/demo} clips=${CLIPS:-256}
mkdir -p "$runs/ladder"

# row NAME "COMPRESS OPTIONS" OVERRIDES...: compress the teacher, train one step, evaluate.
row() {
  local name=$1 compress=$2
  shift 2
  local folder=$runs/ladder/$name
  if [ ! -d "$folder/model" ]; then
    [ -d "$folder-start" ] || "$program" compress "$teacher" --fold-cross-attention --dtype f32 $compress -o "$folder-start"
    "$program" train adversarial recipes/demo/adversarial.toml --resume --set "model.folder=$folder-start" \
      --set "discriminator.backbone=$teacher" --set "run.out=$folder" ${STEPS:+--set "run.steps=$STEPS"} "$@"
  fi
  [ -e "$folder.json" ] || "$program" evaluate --model "$folder/model" --clips "$clips" --json >"$folder.json.part"
  [ -e "$folder.json" ] || mv "$folder.json.part" "$folder.json"
}

teacher_at() {
  local json=$runs/ladder/teacher-$1.json
  [ -e "$json" ] && return
  "$program" evaluate --model "$teacher" --steps "$1" --clips "$clips" --json >"$json.part" && mv "$json.part" "$json"
}

multiscale="--temporal-multiscale 2"
for name in ${@:-teacher one-step temporal pruned pruned-l1 mobile mobile-he mobile-merged}; do
  echo "== $name" >&2
  case $name in
    teacher) for steps in 1 2 4 25; do teacher_at $steps; done ;;
    one-step) row $name "" --set pruning.kind=none ;;
    temporal) row $name "$multiscale" --set pruning.kind=none ;;
    pruned) row $name "$multiscale" ;;
    pruned-l1) row $name "$multiscale" --set pruning.kind=l1 ;;
    mobile) row $name "$multiscale --funnels attention=0.5" ;;
    mobile-he) row $name "$multiscale --funnels attention=0.5 --funnel-init he" ;;
    mobile-merged) row $name "$multiscale --funnels attention=0.5 --merge" ;;
    *) echo "ladder: no row '$name'" >&2; exit 2 ;;
  esac
done
