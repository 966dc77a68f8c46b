#!/usr/bin/env bash
# From nothing to a model that moves a photograph in one step, unattended: pictures, film, autoencoder, teacher, decoder, one step.
#   recipes/demo/all.sh DEVICE [MOBILEVD]      DEVICE: cpu | cuda; MOBILEVD (build/torch/mobilevd): built with LibTorch and 'data prepare'
# Whatever is done is left as it is, and a training that was killed goes on from its newest checkpoint: run the same command again.
# AUTOENCODER (none: trained first) is a finished autoencoder's folder, FILMS (none) a folder of more films, STEPS (the recipes') shortens each
# training, OPTIONS go behind each. On a CPU it runs in the background: nice -n 19 recipes/demo/all.sh cpu.
set -euo pipefail
cd "$(dirname "$0")/../.."
device=${1:?usage: recipes/demo/all.sh cpu|cuda [MOBILEVD]} program=${2:-build/torch/mobilevd}
case $device in
  cpu) fast=(--run.threads "$(nproc)") ;;
  cuda) fast=(--run.device cuda --run.precision tf32 --data.workers "$(($(nproc) - 1))") ;;
  *) echo "all.sh: device '$device', expected cpu or cuda" >&2; exit 2 ;;
esac
shape=(--height 128 --width 192 --frames 14 --fps 7 --stride 7 --min-motion 8 --max-duplicates 0.5 --motion)

say() { echo "== $*" >&2; }
# train KIND RECIPE OPTIONS...: to its end, from wherever it stands.
train() {
  local kind=$1 recipe=$2
  shift 2
  local out
  out=$(sed -n 's/^out = "\(.*\)"/\1/p' "recipes/demo/$recipe.toml")
  [ -d "$out/model" ] && return
  say "train $kind, $recipe"
  # shellcheck disable=SC2086
  "$program" train "$kind" "recipes/demo/$recipe.toml" --resume "${fast[@]}" ${STEPS:+--set "run.steps=$STEPS" --set schedule.warmup_steps=0} \
    "$@" ${OPTIONS:-} >/dev/null
}

[ -d photos/train ] || { say "pictures"; python3 tools/fetch_photos.py photos >/dev/null; }
[ -f films/SOURCES.json ] || { say "films"; python3 tools/fetch_film.py films >/dev/null; }
if [ -n "${FILMS:-}" ] && [ ! -e films/more ]; then cp -r "$FILMS" films/more; fi
[ -d shards/film ] || { say "films to shards"; "$program" data prepare films -o shards/film "${shape[@]}" || [ $? = 7 ]; }  # 7: all but some
autoencoder=${AUTOENCODER:-runs/demo_autoencoder/model}
[ -d "$autoencoder" ] || train autoencoder autoencoder
train diffusion mover --set "model.autoencoder=$autoencoder"
train autoencoder mover_decoder --set "model.autoencoder=$autoencoder"
if [ ! -d runs/mover_joined ]; then  # the teacher with the decoder that was trained beside it; their encoder is the same
  cp -r runs/mover/model runs/mover_joined.part
  rm -r runs/mover_joined.part/vae
  cp -r runs/mover_decoder/model runs/mover_joined.part/vae
  mv runs/mover_joined.part runs/mover_joined
fi
[ -d runs/mover_small ] || "$program" compress runs/mover_joined --fold-cross-attention --temporal-multiscale 2 --funnels attention=0.5 \
  --dtype f32 -o runs/mover_small
train adversarial mover_one_step
[ -d runs/mover_demo ] || "$program" convert runs/mover_one_step/model --dtype bf16 -o runs/mover_demo
say "runs/mover_joined is the teacher, runs/mover_demo makes clips in one step: mobilevd generate photo.jpg -m runs/mover_demo"
