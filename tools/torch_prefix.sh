#!/usr/bin/env bash
# Prints the CMAKE_PREFIX_PATH of LibTorch: of TORCH_PYTHON, of python3, or of a virtual environment that it makes.
#   torch_prefix.sh VENV_FOLDER
set -euo pipefail

version=2.13.0
venv=${1:?usage: torch_prefix.sh VENV_FOLDER}

prefix_of() {
  "$1" -c 'import torch; print(torch.utils.cmake_prefix_path)' 2>/dev/null
}

if [ -n "${TORCH_PYTHON:-}" ]; then
  prefix_of "$TORCH_PYTHON" || { echo "torch_prefix: TORCH_PYTHON=$TORCH_PYTHON cannot import torch" >&2; exit 1; }
  exit
fi
for python in python3 "$venv/bin/python"; do
  command -v "$python" >/dev/null && prefix_of "$python" && exit
done

echo "== installing torch $version into $venv" >&2
python3 -m venv "$venv" >&2
"$venv/bin/pip" install --quiet "torch==$version" >&2
prefix_of "$venv/bin/python"
