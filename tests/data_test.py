#!/usr/bin/env python3
"""`data prepare` from the outside: shards, reports, exit codes. Usage: data_test.py PROGRAM SOURCE [unittest args]"""
import hashlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tarfile
import time
import unittest

from program_testing import PHOTO, PROGRAM, ProgramTest, main

SMALL = ["--height", "64", "--width", "128"]


def ffmpeg(*args):
    subprocess.run(["ffmpeg", "-v", "error", "-y", *map(str, args)], check=True, stdin=subprocess.DEVNULL)


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
class PrepareTest(ProgramTest):
    def setUp(self):
        super().setUp()
        self.clips = self.folder / "in"
        self.clips.mkdir()
        self.out = self.folder / "out"

    def prepare(self, code, *args, **kwargs):
        result = self.expect(code, "data", "prepare", self.clips, "-o", self.out, *SMALL, *args, "--json", **kwargs)
        lines = [line for line in result.stderr.splitlines() if line.startswith("mobilevd: ")]
        return json.loads(result.stdout), lines

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
        self.assertFalse(self.out.exists())

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

    def contents(self):
        return {p.name: p.read_bytes() for p in self.out.iterdir()}

    def test_a_set_is_replaced_by_force_alone(self):
        moving(self.clips / "a.mp4")
        self.prepare(0)
        before = self.contents()
        _, lines = self.prepare(2)
        self.assertIn("holds shards already", lines[0])
        self.assertEqual(self.contents(), before)
        moving(self.clips / "b.mp4", source="mandelbrot")
        report, lines = self.prepare(0, "--force")
        self.assertEqual((report["clips"], lines), (2, []))
        # The old set stood to the end, so that the new one has the next free number; nothing else is left of it.
        self.assertEqual(sorted(self.contents()), ["shard-000001.tar", "shards.json"])
        self.assertEqual(len(read_shards(self.out)), 2)

    def test_nobody_elses_file_is_touched(self):
        """Neither by a run that fails nor by one that replaces a set."""
        self.out.mkdir()
        for name in ("shard-cats.tar", "shard-000000.tar", "notes.txt"):
            (self.out / name).write_text("mine")
        mine = self.contents()
        (self.clips / "void.mp4").touch()
        for force in ([], ["--force"]):
            self.prepare(3, *force)
            self.assertEqual(self.contents(), mine)
        moving(self.clips / "a.mp4")
        for force in ([], ["--force"]):
            self.prepare(7, *force)
            after = self.contents()
            self.assertEqual({name: after[name] for name in mine}, mine)
            self.assertEqual(len(after), len(mine) + 2)

    def test_a_failed_run_leaves_the_old_set_whole(self):
        moving(self.clips / "a.mp4")
        self.prepare(0)
        before = self.contents()
        (self.clips / "a.mp4").write_bytes(b"")
        report, lines = self.prepare(3, "--force")
        self.assertEqual(self.contents(), before)

    def test_a_changed_file_of_the_old_set_is_left_and_told(self):
        moving(self.clips / "a.mp4")
        self.prepare(0)
        (self.out / "shard-000000.tar").write_text("mine")
        _, lines = self.prepare(0, "--force")
        self.assertEqual(len(lines), 1)
        self.assertIn("shard-000000.tar: is left", lines[0])
        self.assertEqual((self.out / "shard-000000.tar").read_text(), "mine")
        self.assertEqual(len(read_shards(self.out)), 1)

    def test_a_list_that_is_not_ours_is_never_replaced(self):
        moving(self.clips / "a.mp4")
        self.out.mkdir()
        for text in ('{"mine": 1}', "not JSON", '{"format": "mobilevd shards 1", "shards": [{"file": "\udcff.tar"}]}'):
            (self.out / "shards.json").write_bytes(text.encode(errors="surrogateescape"))
            before = self.contents()
            _, lines = self.prepare(2, "--force")
            self.assertEqual(len(lines), 1)
            self.assertIn("not a list that data prepare wrote", lines[0])
            self.assertEqual(self.contents(), before)

    def test_an_interrupted_run_leaves_the_old_set_and_no_debris(self):
        for i in range(6):
            moving(self.clips / f"{i}.mp4", seconds=4.2, options=["-vf", f"hue=h={50 * i}"])
        self.prepare(0, "--shard-size", 1)
        before = self.contents()
        command = [PROGRAM, "data", "prepare", self.clips, "-o", self.out, *SMALL, "--shard-size", "1", "--force", "-q", "-t", "1"]
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
            with self.subTest(number=number):
                process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
                # Until something of the new set is there.
                deadline = time.monotonic() + 60
                while time.monotonic() < deadline and process.poll() is None and not list(self.out.glob(".*/*")):
                    time.sleep(0.005)
                process.send_signal(number)
                self.assertNotEqual(process.wait(60), 0)
                visible = {p.name: p.read_bytes() for p in self.out.iterdir() if not p.name.startswith(".")}
                self.assertEqual(visible, before)
                if number != signal.SIGKILL:
                    self.assertEqual(sorted(p.name for p in self.out.iterdir()), sorted(before))
        self.prepare(0, "--shard-size", 1, "--force")  # and sweeps what the killed one left
        self.assertEqual([p.name for p in self.out.iterdir() if p.name.startswith(".")], [])

    def listed(self):
        """The shards that shards.json names."""
        path = self.out / "shards.json"
        return {shard["file"] for shard in json.loads(path.read_text())["shards"]} if path.exists() else set()

    def test_a_later_run_removes_what_a_killed_one_had_published(self):
        """Killed between moving the shards and the end: whether or not shards.json names the new set already."""
        shim = pathlib.Path(PROGRAM).resolve().parent / "tests/faults/libmvd_fault_shim.so"
        moving(self.clips / "a.mp4", seconds=4.2)
        command = [PROGRAM, "data", "prepare", self.clips, "-o", self.out, *SMALL, "--shard-size", "1", "-q", "-t", "1"]
        # Syncs come before shards.json takes its name and after it.
        for force, fault in (([], "rename"), (["--force"], "fsync")):
            unlisted, number, killed = 0, 0, True
            while killed:
                number += 1
                shutil.rmtree(self.out, ignore_errors=True)
                if force:
                    self.prepare(0, "--shard-size", 1)
                else:
                    self.out.mkdir()
                (self.out / "shard-cats.tar").write_text("mine")
                env = {**os.environ, "LD_PRELOAD": str(shim), "MVD_FAULT": f"{fault}:{number}:KILL"}
                killed = subprocess.run([*command, *force], env=env, stderr=subprocess.DEVNULL).returncode != 0
                found = {p.name for p in self.out.glob("shard-0*")}
                unlisted += found != self.listed()
                self.prepare(0, "--shard-size", 1, *(["--force"] if self.listed() else []))
                self.assertEqual({p.name for p in self.out.iterdir()}, self.listed() | {"shards.json", "shard-cats.tar"})
            self.assertGreater(unlisted, 0, (force, fault))  # else this test tests nothing

    def test_synth_replaces_only_its_own_files_and_by_force_alone(self):
        synth = ["data", "synth", "-q", "-n", 1, "--height", 48, "--width", 64, "--frames", 2, "--format", "y4m", "-o", self.out]
        self.out.mkdir()
        (self.out / "metadata.jsonl").write_text('{"file": "holiday.mp4", "fps": 25}\n')
        for force in ([], ["--force"]):
            self.fails(2, "metadata.jsonl", *synth, *force)
        self.assertEqual((self.out / "metadata.jsonl").read_text(), '{"file": "holiday.mp4", "fps": 25}\n')
        (self.out / "metadata.jsonl").unlink()
        self.expect(0, *synth)
        self.fails(2, "--force replaces it", *synth)
        self.expect(0, *synth, "--force")
        sheet = self.folder / "sheet.png"
        sheet.write_text("mine")
        self.fails(2, "sheet.png exists", "data", "synth", "--sheet", sheet)
        self.assertEqual(sheet.read_text(), "mine")

    def test_a_film_without_a_usable_shot(self):
        # A cut every half second.
        parts = "".join(f"[{i}:v]" for i in range(6))
        inputs = sum((["-f", "lavfi", "-t", 0.5, "-i", f"{source}=size=320x180:rate=25"] for source in
                      ("testsrc2", "mandelbrot", "rgbtestsrc", "testsrc2", "mandelbrot", "rgbtestsrc")), [])
        ffmpeg(*inputs, "-filter_complex", f"{parts}concat=n=6:v=1", "-pix_fmt", "yuv420p", self.clips / "cuts.mp4")
        _, lines = self.prepare(3)
        self.assertEqual(len(lines), 1)
        self.assertIn("gives no clip: of 1 files 0 failed and 1 have only short shots", lines[0])

    def test_a_name_that_is_not_utf8(self):
        moving(self.clips / "a.mp4")
        os.rename(self.clips / "a.mp4", os.fsencode(self.clips) + b"/a\xff.mp4")
        report, lines = self.prepare(0)
        self.assertEqual((report["clips"], lines), (1, []))
        (about, _), = read_shards(self.out)
        self.assertEqual(about["source"], "a\ufffd.mp4")
        os.rename(os.fsencode(self.clips) + b"/a\xff.mp4", os.fsencode(self.clips) + b"/\xff.mp4")
        with open(os.fsencode(self.clips) + b"/\xff.mp4", "wb"):
            pass
        report, lines = self.prepare(3, "--force")
        self.assertEqual(len(lines), 2)

    def test_y4m_with_absurd_headers(self):
        frame = b"FRAME\n" + bytes(64)
        for name, header in (("wide", "W1000000000 H8 F25:1"), ("zero", "W0 H8 F25:1"), ("minus", "W-8 H8 F25:1"),
                             ("huge", "W99999999999999999999 H8 F25:1"), ("norate", "W8 H8 F0:0"), ("empty", ""),
                             ("chroma", "W8 H8 F25:1 Cnonsense"), ("aspect", "W8 H8 F25:1 A1:2000000000"),
                             ("long", "W8 H8 F25:1 X" + "x" * 100000)):
            with self.subTest(name):
                for old in self.clips.iterdir():
                    old.unlink()
                (self.clips / f"{name}.y4m").write_bytes(b"YUV4MPEG2 " + header.encode() + b"\n" + frame * 3)
                _, lines = self.prepare(3)
                self.assertEqual(len(lines), 2, lines)
                self.assertIn(f"{name}.y4m: ", lines[0])

    def as_nobody(self, *args):
        """Permissions bind everybody but root; the program may lie where nobody else may look."""
        self.folder.chmod(0o755)
        program = self.folder / "mobilevd"
        if not program.exists():
            shutil.copy(PROGRAM, program)
        user = {"user": 65534} if os.geteuid() == 0 else {}
        return subprocess.run([program, "data", "prepare", *map(str, args), *SMALL], capture_output=True, text=True, cwd="/", **user)

    def test_no_permission(self):
        moving(self.clips / "a.mp4")
        self.out.mkdir()

        def denied(path, *args):
            result = self.as_nobody(*args)
            self.assertEqual(result.returncode, 10, result.stderr)
            lines = [line for line in result.stderr.splitlines() if line.startswith("mobilevd: ")]
            self.assertEqual(len(lines), 1, result.stderr)
            self.assertIn(str(path), lines[0])

        self.out.chmod(0o555)
        denied(self.out, self.clips, "-o", self.out)
        denied(self.out / "deeper", self.clips, "-o", self.out / "deeper")
        self.clips.chmod(0)
        self.addCleanup(self.clips.chmod, 0o755)
        denied(self.clips, self.clips, "-o", self.folder / "other")

    def test_a_film_without_permission_is_one_failure(self):
        moving(self.clips / "a.mp4")
        shutil.copy(self.clips / "a.mp4", self.clips / "secret.mp4")
        (self.clips / "secret.mp4").chmod(0)
        (self.clips / "closed").mkdir(mode=0)
        self.out.mkdir()
        self.out.chmod(0o777)
        result = self.as_nobody(self.clips, "-o", self.out)
        self.assertEqual(result.returncode, 7, result.stderr)
        lines = [line for line in result.stderr.splitlines() if line.startswith("mobilevd: ")]
        self.assertEqual(len(lines), 2, result.stderr)
        for name, line in zip(("closed: ", "secret.mp4: "), lines):
            self.assertIn(name, line)
            self.assertIn("ermission", line)

    def test_options_out_of_range(self):
        for option in (["--frames", 1], ["--fps", 0], ["--max-duplicates", 2], ["--shard-size", 0], ["--motion-bucket-id", 300]):
            _, lines = self.prepare(2, *option)
            self.assertIn(option[0], lines[0])


if __name__ == "__main__":
    main()
