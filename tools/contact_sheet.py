#!/usr/bin/env python3
"""Frames of clips side by side, one row per clip: contact_sheet.py CLIP ... -o SHEET.jpg [--frames 0,4,9,13] [--height 200]

A clip is a film or a folder of pictures. `A+B` puts clip B's last frame, as high as the others, at the end of A's row.
Needs Pillow, and ffmpeg for films.
"""
import argparse
import pathlib
import subprocess
import tempfile

from PIL import Image


def frames_of(clip):
    """All frames of a clip."""
    path = pathlib.Path(clip)
    if path.is_dir():
        return [Image.open(p).convert("RGB") for p in sorted(path.glob("*.png"))]
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["ffmpeg", "-v", "error", "-i", path, f"{folder}/%06d.png"], check=True)
        return [Image.open(p).convert("RGB").copy() for p in sorted(pathlib.Path(folder).glob("*.png"))]


def row_of(clips, numbers, height):
    first, *others = clips.split("+")
    frames = frames_of(first)
    chosen = [frames[n] for n in numbers] + [frames_of(other)[-1] for other in others]
    return [f.resize((round(f.width * height / f.height), height), Image.LANCZOS) for f in chosen]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("clips", nargs="+", metavar="CLIP")
    parser.add_argument("-o", "--output", required=True)
    parser.add_argument("--frames", default="0,4,9,13", help="numbers of the frames that are shown")
    parser.add_argument("--height", type=int, default=200, help="pixels of a row")
    options = parser.parse_args()
    numbers = [int(n) for n in options.frames.split(",")]
    rows = [row_of(clips, numbers, options.height) for clips in options.clips]
    gap = 4
    width = max(sum(f.width + gap for f in row) for row in rows) - gap
    sheet = Image.new("RGB", (width, len(rows) * (options.height + gap) - gap), "white")
    for y, row in enumerate(rows):
        x = 0
        for frame in row:
            sheet.paste(frame, (x, y * (options.height + gap)))
            x += frame.width + gap
    sheet.save(options.output, quality=88)


if __name__ == "__main__":
    main()
