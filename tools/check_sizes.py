#!/usr/bin/env python3
"""Lists lines a folder and fails for a source file over 500 lines whose head does not give a reason ("Length: ...")."""
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
LIMIT = 500


def main() -> int:
    names = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.cc", "*.h", "*.py"],
                           cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    folders: dict[str, list[int]] = {}
    errors = []
    for name in filter(lambda n: (ROOT / n).exists(), names):  # git lists what is deleted and not committed
        lines = (ROOT / name).read_text().splitlines()
        folders.setdefault(str(pathlib.Path(name).parent), []).append(len(lines))
        if len(lines) > LIMIT and not any("Length:" in line for line in lines[:10]):
            errors.append(f"{name}: {len(lines)} lines, more than {LIMIT}, without a reason at its head")
    for folder, counts in sorted(folders.items()):
        print(f"{folder:24} {len(counts):3} files {sum(counts):6} lines, longest {max(counts)}")
    print("\n".join(errors))
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
