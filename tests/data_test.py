#!/usr/bin/env python3
"""`data prepare` from the outside: shards, reports, exit codes. Usage: data_test.py PROGRAM SOURCE [unittest args]"""
import hashlib
import json
import pathlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
import unittest

PROGRAM = pathlib.Path(sys.argv[1]).resolve()
SOURCE = pathlib.Path(sys.argv[2]).resolve()
PHOTO = SOURCE / "testdata/photos/chelsea.jpg"
SMALL = ["--height", "64", "--width", "128"]


def ffmpeg(*args):
    subprocess.run(["ffmpeg", "-v", "error", "-y", *map(str, args)], check=True)


def moving(path, seconds=2.2, rate=25, source="testsrc2", options=()):
    ffmpeg("-f", "lavfi", "-i", f"{source}=size=320x180:rate={rate}", "-t", seconds, "-pix_fmt", "yuv420p", *options, path)


def read_shards(folder):
    """[(json, pixels)] in the order of the shards, read by Python's own tar reader."""
    samples = []
    for shard in json.loads((folder / "shards.json").read_text())["shards"]:
        with tarfile.open(folder / shard["file"]) as tar:
            files = {member.name: tar.extractfile(member).read() for member in tar.getmembers()}
        keys = sorted({name.split(".")[0] for name in files})
        assert len(files) == 2 * len(keys) and len(keys) == shard["samples"]
        samples += [(json.loads(files[key + ".json"]), files[key + ".rgb"]) for key in keys]
    return samples


@unittest.skipUnless(shutil.which("ffmpeg"), "ffmpeg makes the clips")
class PrepareTest(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)
        self.clips = self.folder / "in"
        self.clips.mkdir()
        self.out = self.folder / "out"

    def prepare(self, code, *args):
        result = subprocess.run([PROGRAM, "data", "prepare", self.clips, "-o", self.out, *SMALL, *map(str, args), "--json"],
                                capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=300)
        self.assertEqual(result.returncode, code, result.stdout + result.stderr)
        report = json.loads(result.stdout)
        lines = [line for line in result.stderr.splitlines() if line.startswith("mobilevd: ")]
        return report, lines

    def only_failure(self, name, words):
        """With one good clip beside it: exit 7, one line with the file and the reason, the good one kept."""
        moving(self.clips / "good.mp4")
        report, lines = self.prepare(7)
        self.assertEqual(report["clips"], 1)
        self.assertEqual([pathlib.Path(f["file"]).name for f in report["failed"]], [name])
        self.assertEqual(len(lines), 1, lines)
        self.assertIn(f"{name}: ", lines[0])
        self.assertIn(words, lines[0])
        self.assertEqual([about["source"] for about, _ in read_shards(self.out)], ["good.mp4"])

    def test_empty_folder(self):
        report, lines = self.prepare(3)
        self.assertEqual(report["exit"], 3)
        self.assertEqual(len(lines), 1)
        self.assertIn("holds no clips or pictures", lines[0])
        self.assertFalse(self.out.exists())

    def test_missing_folder(self):
        self.clips = self.folder / "absent"
        _, lines = self.prepare(4)
        self.assertIn("no such file or folder", lines[0])

    def test_truncated_mp4(self):
        moving(self.clips / "cut.mp4")
        data = (self.clips / "cut.mp4").read_bytes()
        (self.clips / "cut.mp4").write_bytes(data[:len(data) // 2])
        self.only_failure("cut.mp4", "damaged clip")

    def test_truncated_mp4_whose_index_stands_first(self):
        moving(self.clips / "cut.mp4", options=["-movflags", "+faststart"])
        data = (self.clips / "cut.mp4").read_bytes()
        (self.clips / "cut.mp4").write_bytes(data[:len(data) * 3 // 4])
        self.only_failure("cut.mp4", "truncated")

    def test_three_frames(self):
        moving(self.clips / "three.mp4", options=["-frames:v", "3"])
        self.only_failure("three.mp4", "too short: 3 frames give 2 at 7 a second, 14 are needed")

    def test_empty_file(self):
        (self.clips / "void.mp4").touch()
        self.only_failure("void.mp4", "is empty")

    def test_slower_than_wanted(self):
        moving(self.clips / "slow.mp4", seconds=8, rate=4)
        self.only_failure("slow.mp4", "has 4 frames a second, fewer than the 7")

    def test_clip_that_metadata_alone_knows(self):
        (self.clips / "metadata.jsonl").write_text('{"file": "ghost.mp4"}\n')
        self.only_failure("ghost.mp4", "metadata.jsonl names it")

    def test_nothing_usable(self):
        moving(self.clips / "three.mp4", options=["-frames:v", "3"])
        ffmpeg("-f", "lavfi", "-i", "color=gray:size=320x180:rate=25", "-t", 3, "-pix_fmt", "yuv420p", self.clips / "grey.mp4")
        report, lines = self.prepare(3)
        self.assertEqual(len(lines), 2)
        self.assertIn("three.mp4: is too short", lines[0])
        self.assertIn("gives no clip: of 2 files 1 failed", lines[1])
        self.assertIn("1 clips are frozen", lines[1])
        self.assertFalse((self.out / "shards.json").exists())

    def test_bad_metadata_line(self):
        moving(self.clips / "good.mp4")
        (self.clips / "metadata.jsonl").write_text('{"file": "good.mp4"}\n{"file": "x.mp4", "fps": -1}\n')
        _, lines = self.prepare(3)
        self.assertIn("metadata.jsonl line 2: key 'fps'", lines[0])

    def test_samples(self):
        moving(self.clips / "a.mp4", seconds=4.2)
        (self.clips / "deep").mkdir()
        moving(self.clips / "deep/b.webm", source="mandelbrot", rate=10, options=["-c:v", "libvpx"])
        shutil.copy(self.clips / "a.mp4", self.clips / "again.mp4")
        shutil.copy(PHOTO, self.clips / "photo.jpg")
        (self.clips / "notes.txt").write_text("not a clip")
        (self.clips / "metadata.jsonl").write_text('{"file": "deep/b.webm", "motion_bucket_id": 33, "caption": "fractal"}\n')
        report, lines = self.prepare(0)
        self.assertEqual((report["sources"], report["clips"], report["pictures"], report["pictures_skipped"]), (3, 3, 0, 1))
        self.assertEqual(report["rejected"], {"frozen": 0, "still": 0, "repeated": 2, "short_shots": 0})
        self.assertEqual(lines, [])
        samples = read_shards(self.out)
        for about, pixels in samples:
            self.assertEqual((about["frames"], about["height"], about["width"], about["fps"]), (14, 64, 128, 7))
            self.assertEqual(len(pixels), 14 * 64 * 128 * 3)
            self.assertGreater(len(set(pixels)), 50)
            if about["source"] == "deep/b.webm":
                self.assertEqual((about["motion_bucket_id"], about["metadata"]), (33, {"caption": "fractal"}))
                self.assertNotIn("mean_flow", about)
            else:
                self.assertGreater(about["mean_flow"], 0.5)
                self.assertTrue(0 < about["motion_bucket_id"] < 255)
        self.assertEqual(sorted(about["first_frame"] for about, _ in samples), [0, 0, 50])

    def test_pixels_are_the_source_frames(self):
        # Lossless, already of the wanted size and rate: what is stored must be what FFmpeg itself decodes.
        source = self.clips / "exact.mkv"
        ffmpeg("-f", "lavfi", "-i", "testsrc2=size=128x64:rate=7", "-frames:v", 14, "-c:v", "ffv1", "-pix_fmt", "bgr0", source)
        self.prepare(0)
        raw = subprocess.run(["ffmpeg", "-v", "error", "-i", source, "-f", "rawvideo", "-pix_fmt", "rgb24", "-"],
                             capture_output=True, check=True).stdout
        (_, pixels), = read_shards(self.out)
        self.assertEqual(hashlib.md5(pixels).hexdigest(), hashlib.md5(raw).hexdigest())

    def test_bytes_do_not_depend_on_threads(self):
        for i, source in enumerate(["testsrc2", "mandelbrot", "testsrc", "rgbtestsrc"]):
            moving(self.clips / f"{i}.mp4", seconds=4.1, source=source)
        outputs = []
        for threads in (1, 3):
            self.out = self.folder / f"out{threads}"
            self.prepare(0, "-t", threads, "--shard-size", 1, "--seed", 5)
            outputs.append({p.name: p.read_bytes() for p in self.out.iterdir()})
        self.assertGreater(len(outputs[0]), 2)
        self.assertEqual(outputs[0], outputs[1])

    def test_clips_end_at_cuts(self):
        joined = "[0:v][1:v]concat=n=2:v=1"
        ffmpeg("-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25:duration=3", "-f", "lavfi", "-t", 3, "-i",
               "mandelbrot=size=320x180:rate=25", "-filter_complex", joined, "-pix_fmt", "yuv420p", self.clips / "joined.mp4")
        report, _ = self.prepare(0)
        self.assertEqual(report["cuts"], 1)
        self.assertEqual([about["first_frame"] for about, _ in read_shards(self.out)], [0, 75])
        report, _ = self.prepare(0, "--scene-cut", 1.5, "--force")
        self.assertEqual([about["first_frame"] for about, _ in read_shards(self.out)], [0, 50, 100])

    def test_min_motion_and_pictures(self):
        moving(self.clips / "a.mp4")
        shutil.copy(PHOTO, self.clips / "photo.jpg")
        report, _ = self.prepare(0, "--pictures", "--min-motion", 254)
        self.assertEqual((report["clips"], report["pictures"], report["rejected"]["still"]), (0, 1, 1))
        (about, pixels), = read_shards(self.out)
        self.assertEqual((about["frames"], len(pixels)), (1, 64 * 128 * 3))

    def test_an_output_in_use_is_left_alone(self):
        moving(self.clips / "a.mp4")
        self.prepare(0)
        before = (self.out / "shard-000000.tar").stat().st_mtime_ns
        _, lines = self.prepare(2)
        self.assertIn("holds shards already", lines[0])
        self.assertEqual((self.out / "shard-000000.tar").stat().st_mtime_ns, before)
        self.prepare(0, "--force")
        # What an interrupted run leaves: shards without their list.
        (self.out / "shards.json").unlink()
        (self.out / "shard-000007.tar").write_bytes(b"old")
        self.prepare(0)
        self.assertEqual(sorted(p.name for p in self.out.iterdir()), ["shard-000000.tar", "shards.json"])

    def test_options_out_of_range(self):
        for option in (["--frames", 1], ["--fps", 0], ["--max-duplicates", 2], ["--shard-size", 0], ["--motion-bucket-id", 300]):
            _, lines = self.prepare(2, *option)
            self.assertIn(option[0], lines[0])


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]], verbosity=1)
