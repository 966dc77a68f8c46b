#!/usr/bin/env python3
"""Checks that includes between the folders of mvd/ follow the dependency line of ARCHITECTURE.md."""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent

# folder -> folders it may include, besides itself. The one list of arrows.
CORE = {"base"}
GRAPH = CORE | {"ir"}
ALLOWED = {
    "base": set(),
    "ir": CORE,
    "io": CORE,
    "measure": CORE,
    "media": CORE,
    "sample": CORE,
    "models": GRAPH,
    "compress": GRAPH | {"models", "io"},
    "passes": GRAPH,
    "cost": GRAPH,
    "exec": GRAPH,
    "cpu": GRAPH | {"exec"},
    "torch": GRAPH | {"exec"},
    "engine": GRAPH | {"measure", "io", "sample", "models", "compress", "passes", "cost", "exec", "cpu", "torch"},
    "data": CORE,
    "prepare": CORE | {"io", "media", "data"},
    "train": GRAPH
    | {"io", "media", "sample", "models", "compress", "passes", "cost", "exec", "torch", "engine", "data"},
    "evaluate": GRAPH | {"measure", "io", "media", "sample", "models", "engine", "data"},
    "cli": GRAPH
    | {"io", "measure", "media", "sample", "models", "compress", "passes", "cost", "exec", "cpu", "engine", "data", "prepare", "evaluate", "train"},
}
INCLUDE = re.compile(r'^\s*#\s*include\s+"mvd/([^/"]+)/', re.M)


def main() -> int:
    errors = []
    for path in sorted((ROOT / "mvd").rglob("*")):
        if path.suffix not in {".h", ".cc", ".def"}:
            continue
        folder = path.relative_to(ROOT / "mvd").parts[0]
        if folder not in ALLOWED:
            errors.append(f"{path.relative_to(ROOT)}: folder {folder} has no line in tools/check_layers.py")
            continue
        for target in set(INCLUDE.findall(path.read_text())) - {folder}:
            if target not in ALLOWED[folder]:
                errors.append(f"{path.relative_to(ROOT)}: {folder} must not include {target}")
    print("\n".join(errors) if errors else "layers: all includes follow the dependency line")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
