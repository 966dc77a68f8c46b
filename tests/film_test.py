#!/usr/bin/env python3
"""Films that store their frames otherwise than they are shown: pixels of `data prepare` held against FFmpeg's own.
Usage: film_test.py PROGRAM SOURCE [unittest args]"""
import json
import shutil
import struct
import subprocess
import tarfile
import unittest

from program_testing import ProgramTest, main

WIDTH, HEIGHT, FRAMES = 128, 64, 4
# Each has a column of its own. The first eight are dark enough to pass through tone mapping unchanged.
PATCHES = [(0, 0, 0), (40, 40, 40), (90, 90, 90), (130, 130, 130), (130, 60, 40), (40, 120, 60), (50, 60, 130), (110, 100, 50),
           (180, 180, 180), (255, 255, 255), (220, 60, 50), (60, 210, 80), (60, 70, 230), (200, 200, 60), (60, 200, 200), (200, 60, 200)]
COLUMN = WIDTH // len(PATCHES)
DARK = 8


def ffmpeg(*args, data=None):
    return subprocess.run(["ffmpeg", "-v", "error", "-y", *map(str, args)], check=True, input=data or b"", stdout=subprocess.PIPE).stdout


def difference(a, b):
    """Mean of |a - b|, in levels."""
    assert len(a) == len(b), (len(a), len(b))
    return sum(abs(x - y) for x, y in zip(a, b)) / len(a)


def patch(pixels, index):
    """The colour in the middle of a patch."""
    at = 3 * (HEIGHT // 2 * WIDTH + index * COLUMN + COLUMN // 2)
    return tuple(pixels[at:at + 3])


@unittest.skipUnless(shutil.which("ffmpeg"), "ffmpeg makes the films")
class FilmTest(ProgramTest):
    def frames(self, film, width=WIDTH, height=HEIGHT, fps=25):
        """The first frames of a film as the program reads them, RGB."""
        out = self.folder / "shards"
        self.expect(0, "data", "prepare", film, "-o", out, "--force", "--width", width, "--height", height, "--frames", FRAMES,
                    "--fps", fps, "--max-duplicates", 1, "--motion-bucket-id", 0, "--scene-cut", 2)
        shard = json.loads((out / "shards.json").read_text())["shards"][0]["file"]
        with tarfile.open(out / shard) as tar:
            pixels = tar.extractfile("000000000.rgb").read()
        size = width * height * 3
        return [pixels[i * size:(i + 1) * size] for i in range(FRAMES)]

    def film(self, name, filters, *options, source=f"testsrc=size={WIDTH}x{HEIGHT}:rate=25"):
        path = self.folder / name
        ffmpeg("-f", "lavfi", "-i", source, "-t", 0.4, "-vf", filters, *options, path)
        return path

    def patches(self, name, filters, *options):
        """A film of PATCHES from RGB, stored without loss in what `filters` and `options` say."""
        path = self.folder / name
        row = b"".join(bytes(rgb) * COLUMN for rgb in PATCHES)
        ffmpeg("-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{WIDTH}x{HEIGHT}", "-r", 25, "-i", "-", "-vf", filters, "-c:v", "ffv1",
               *options, path, data=row * HEIGHT * 10)
        return path

    def assert_patches(self, film, indices, within):
        pixels = self.frames(film)[1]
        for i in indices:
            error = max(abs(a - b) for a, b in zip(patch(pixels, i), PATCHES[i]))
            self.assertLessEqual(error, within, f"{film.name}: patch {i} is {patch(pixels, i)}, stored as {PATCHES[i]}")
        return pixels

    def test_pixels_that_are_not_square(self):
        shown = ffmpeg("-f", "lavfi", "-i", f"testsrc=size={WIDTH}x{HEIGHT}:rate=25", "-frames:v", 1, "-f", "rawvideo", "-pix_fmt",
                       "rgb24", "-")
        for name, stored, aspect in (("wide.mp4", f"{WIDTH // 2}:{HEIGHT}", "2/1"), ("high.mkv", f"{WIDTH}:{HEIGHT // 2}", "1/2")):
            with self.subTest(name):
                film = self.film(name, f"scale={stored},setsar={aspect}", "-pix_fmt", "yuv444p", "-crf", 5)
                # Half the sharpness in one direction is gone for good, no more. Squashed, it would be above 30.
                self.assertLess(difference(self.frames(film)[0], shown), 8)
                info = json.loads(self.expect(0, "inspect", film, "--json").stdout)
                self.assertEqual((info["width"], info["height"]), (WIDTH, HEIGHT))

    def test_an_aspect_that_no_picture_has(self):
        film = self.film("thin.mkv", "setsar=1/1000000", "-c:v", "ffv1")
        result = self.expect(3, "data", "prepare", film, "-o", self.folder / "out", "-q")
        self.assertIn("thin.mkv: its pixels are 1:1000000 as wide as high", result.stderr)

    def test_turned_and_mirrored_films(self):
        """All eight matrices that a phone may write, by changing the one in the file."""
        plain = self.film("plain.mp4", "null", "-pix_fmt", "yuv444p", "-crf", 5)
        data = plain.read_bytes()
        # After the box's type: version, times, track, duration, reserved, layer, volume.
        matrix = data.index(b"tkhd") + 4 + 40
        self.assertEqual(struct.unpack(">9i", data[matrix:matrix + 36])[::4], (65536, 65536, 1 << 30))
        for (a, b, c, d), filters in (((1, 0, 0, 1), "null"), ((-1, 0, 0, 1), "hflip"), ((-1, 0, 0, -1), "hflip,vflip"),
                                      ((1, 0, 0, -1), "vflip"), ((0, 1, 1, 0), "transpose=cclock_flip"), ((0, 1, -1, 0), "transpose=clock"),
                                      ((0, -1, -1, 0), "transpose=clock_flip"), ((0, -1, 1, 0), "transpose=cclock")):
            with self.subTest(filters):
                film = self.folder / "turned.mp4"
                film.write_bytes(data[:matrix] + struct.pack(">9i", *(65536 * x for x in (a, b, 0, c, d, 0)), 0, 0, 1 << 30) +
                                 data[matrix + 36:])
                width, height = (WIDTH, HEIGHT) if a else (HEIGHT, WIDTH)
                shown = ffmpeg("-noautorotate", "-i", plain, "-vf", filters, "-frames:v", 1, "-f", "rawvideo", "-pix_fmt", "rgb24", "-")
                self.assertLess(difference(self.frames(film, width, height)[0], shown), 2)
        film.write_bytes(data[:matrix] + struct.pack(">9i", 46341, 46341, 0, -46341, 46341, 0, 0, 0, 1 << 30) + data[matrix + 36:])
        result = self.expect(3, "data", "prepare", film, "-o", self.folder / "out", "-q")
        self.assertIn("turned.mp4: is turned by other than quarter turns", result.stderr)

    def test_ranges_and_matrices(self):
        for matrix, tag in (("bt601", "smpte170m"), ("bt709", "bt709"), ("bt2020", "bt2020nc")):
            for value_range in ("tv", "pc"):
                for pixels in ("yuv444p", "yuv444p10le", "yuv420p"):
                    film = self.patches(f"{matrix}-{value_range}-{pixels}.mkv",
                                        f"scale=out_color_matrix={matrix}:out_range={value_range}:flags=accurate_rnd+full_chroma_int,"
                                        f"format={pixels}", "-colorspace", tag, "-color_range", value_range)
                    self.assert_patches(film, range(len(PATCHES)), 3)

    def test_full_range_by_the_formats_name(self):
        film = self.folder / "motion.avi"
        ffmpeg("-i", self.patches("source.mkv", "null", "-pix_fmt", "bgr0"), "-c:v", "mjpeg", "-q:v", 1, "-pix_fmt", "yuvj444p", film)
        self.assert_patches(film, range(len(PATCHES)), 6)

    def test_wide_primaries(self):
        film = self.patches("wide.mkv", "format=gbrp,zscale=pin=709:tin=709:min=gbr:rin=full:p=2020:t=2020_10:m=2020_ncl:r=limited,format=yuv444p10le",
                            "-color_primaries", "bt2020", "-color_trc", "bt2020-10", "-colorspace", "bt2020nc", "-color_range", "tv")
        self.assert_patches(film, range(len(PATCHES)), 3)

    def test_matrix_that_swscale_does_not_know(self):
        film = self.patches("ycgco.mkv", "format=gbrp,zscale=pin=709:tin=709:min=gbr:rin=full:p=709:t=709:m=ycgco:r=limited,format=yuv444p", "-colorspace", "ycgco",
                            "-color_range", "tv")
        self.assert_patches(film, range(len(PATCHES)), 4)

    def hdr(self, curve, tag):
        return self.patches(f"{tag}.mkv", f"format=gbrp,zscale=pin=709:tin=709:min=gbr:rin=full:"
                            f"p=2020:t={curve}:m=2020_ncl:r=limited:npl=203,format=yuv444p10le", "-color_primaries", "bt2020",
                            "-color_trc", tag, "-colorspace", "bt2020nc", "-color_range", "tv")

    def test_hdr_keeps_what_is_dark_and_compresses_what_is_bright(self):
        for curve, tag in (("smpte2084", "smpte2084"), ("arib-std-b67", "arib-std-b67")):
            with self.subTest(tag):
                pixels = self.assert_patches(self.hdr(curve, tag), range(DARK), 4)
                grey, white = patch(pixels, 8), patch(pixels, 9)
                self.assertTrue(140 < grey[1] < white[1] < 235, (grey, white))
                self.assertLess(max(white) - min(white), 4)
                red = patch(pixels, 10)
                self.assertGreater(red[0], 2 * red[1])

    def combing(self, pixels, width=WIDTH, height=HEIGHT):
        """How much rows differ from the mean of their neighbours, in levels."""
        row = width * 3
        total = 0
        for y in range(1, height - 1):
            above, here, below = (pixels[k * row:(k + 1) * row] for k in (y - 1, y, y + 1))
            total += sum(abs(2 * b - a - c) for a, b, c in zip(above, here, below)) / 2
        return total / (row * (height - 2))

    def test_interlaced_frames(self):
        bar = (f"nullsrc=size={WIDTH}x{HEIGHT}:rate=50,"
               "geq=lum='if(lt(mod(X-4*N\\,64)\\,32)\\,220\\,30)':cb=128:cr=128")
        for order, name in (("tff", "top.mp4"), ("bff", "bottom.mkv")):
            with self.subTest(order):
                film = self.film(name, f"interlace=scan={order}:lowpass=0", "-flags", "+ildct+ilme", "-x264opts", order, "-crf", 5, source=bar)
                combed = ffmpeg("-i", film, "-frames:v", 2, "-f", "rawvideo", "-pix_fmt", "rgb24", "-")[-WIDTH * HEIGHT * 3:]
                self.assertGreater(self.combing(combed), 8)
                frames = self.frames(film)
                for frame in frames:
                    self.assertLess(self.combing(frame), 2)
                # Frame by frame the film's 25 frames, each 8 pixels further than the one before.
                for before, after in zip(frames, frames[1:]):
                    self.assertGreater(difference(before, after), 20)

    def test_progressive_film_is_not_touched(self):
        film = self.film("exact.mkv", "null", "-c:v", "ffv1", "-pix_fmt", "bgr0", source=f"testsrc2=size={WIDTH}x{HEIGHT}:rate=25")
        raw = ffmpeg("-i", film, "-frames:v", FRAMES, "-f", "rawvideo", "-pix_fmt", "rgb24", "-")
        self.assertEqual(b"".join(self.frames(film)), raw)

    def test_a_film_that_changes_from_progressive_to_interlaced(self):
        changes = self.folder / "changes.txt"
        for name, options in (("whole.ts", ["-r", 25]), ("combed.ts", ["-vf", "interlace=scan=tff:lowpass=0", "-flags", "+ildct+ilme",
                                                                       "-x264opts", "tff"])):
            ffmpeg("-f", "lavfi", "-i", f"testsrc2=size={WIDTH}x{HEIGHT}:rate=50", "-t", 1, *options, "-pix_fmt", "yuv420p",
                   self.folder / name)
        changes.write_text("".join(f"file {name}.ts\n" for name in ("whole", "combed", "whole")))
        film = self.folder / "changes.ts"
        ffmpeg("-f", "concat", "-i", changes, "-c", "copy", film)
        report = json.loads(self.expect(0, "data", "prepare", film, "-o", self.folder / "out", "--width", WIDTH, "--height", HEIGHT, "--frames",
                                        FRAMES, "--fps", 25, "--max-duplicates", 1, "--motion-bucket-id", 0, "--scene-cut", 2, "--json").stdout)
        # Three times 25 frames, none of which is lost where the film changes.
        self.assertEqual(report["clips"], 75 // FRAMES)


if __name__ == "__main__":
    main()
