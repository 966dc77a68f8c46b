#!/usr/bin/env python3
"""The engine from the outside: threads, numbers that are not finite, memory. Usage: engine_test.py PROGRAM SOURCE [unittest args]"""
import json
import os
import shutil
import struct
import subprocess
import sys
import time
import zlib

from program_testing import GOLDENS, PHOTO, PROGRAM, SMALL, ProgramTest, main, run

NAN = {"F32": struct.pack("<f", float("nan")), "BF16": b"\xc0\x7f", "F16": b"\x00\x7e", "F8_E4M3": b"\x7f"}


def poison(file, tensor_of):
    """Writes a NaN into the first tensor of a safetensors file whose name `tensor_of` accepts; returns the name."""
    data = bytearray(file.read_bytes())
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8:8 + size])
    name = next(n for n in sorted(header) if n != "__metadata__" and tensor_of(n))
    nan = NAN[header[name]["dtype"]]
    begin = 8 + size + header[name]["data_offsets"][0]
    data[begin:begin + len(nan)] = nan
    file.write_bytes(data)
    return name


def cpu_seconds(*args, env=None):
    """Of a run that must succeed, its children's children too."""
    before = os.times()
    result = run(*args, env=env)
    after = os.times()
    assert result.returncode == 0, result.stderr
    return after.children_user + after.children_system - before.children_user - before.children_system


class Busy:
    """As many endless loops as there are processors."""

    def __enter__(self):
        self.loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in os.sched_getaffinity(0)]
        return self

    def __exit__(self, *_):
        for loop in self.loops:
            loop.kill()
            loop.wait()


class ThreadsTest(ProgramTest):
    def test_idle_threads_do_not_spin_beside_other_load(self):
        # Processor time, not time: threads that spin take it from those they wait for, whatever else runs here.
        command = ["generate", PHOTO, "-y", "--frames", 8, "-o", self.folder / "a.md5"]
        with Busy():
            passive = min(cpu_seconds(*command, env={"OMP_WAIT_POLICY": "passive"}) for _ in range(2))
            default = min(cpu_seconds(*command) for _ in range(2))
        self.assertLess(default, 1.5 * passive + 0.3)

    def test_the_users_own_policy_is_kept(self):
        for name, value in (("OMP_WAIT_POLICY", "active"), ("GOMP_SPINCOUNT", "77")):
            shown = run("--version", env={name: value, "OMP_DISPLAY_ENV": "verbose"}).stderr
            if "OMP_WAIT_POLICY" not in shown:
                self.skipTest("this build has no OpenMP that tells its settings")
            self.assertIn(f"{name} = '{value.upper()}'", shown)
        self.assertIn("GOMP_SPINCOUNT = '1000'", run("--version", env={"OMP_DISPLAY_ENV": "verbose"}).stderr)

    def test_more_threads_than_can_be_started(self):
        for threads in (1024, 40000, 2**31 - 1):
            result = run("generate", PHOTO, *SMALL, "--frames", 1, "--steps", 1, "-y", "-o", self.folder / "a.md5", "-t", threads)
            self.assertIn(result.returncode, (0, 2), result.stderr)  # it runs, or the option says its range


class FiniteTest(ProgramTest):
    def broken(self, folder, tensor_of):
        model = self.tiny_model()
        return model, poison(next((model / folder).glob("*.safetensors")), tensor_of)

    def test_a_weight_that_is_not_finite_is_named_with_its_stage(self):
        for folder, tensor_of, words in (
                ("image_encoder", lambda n: "fc1.weight" in n, "encode, the picture's embedding"),
                ("vae", lambda n: n.startswith("encoder") and "conv" in n, "encode, the picture's latents"),
                ("unet", lambda n: "conv_out.weight" in n, "denoise, step 1 of 2"),
                ("vae", lambda n: n.startswith("decoder") and "conv" in n, "decode, frames 1 to 4 of 4")):
            model, tensor = self.broken(folder, tensor_of)
            target = self.folder / "a.mp4"
            size = ["--height", 64, "--width", 96, "--frames", 4, "--steps", 2, "--decoder", "full"]
            result = self.fails(3, words, "generate", PHOTO, "-m", model, *size, "-o", target)
            self.assertIn(f"tensor '{tensor}' holds nan", result.stderr)
            self.assertFalse(target.exists())
            shutil.rmtree(model)

    def test_a_scheduler_beyond_all_reason_is_refused(self):
        model = self.tiny_model()
        file = model / "scheduler" / "scheduler_config.json"
        config = json.loads(file.read_text())
        file.write_text(json.dumps({**config, "sigma_max": 1e308}))
        self.fails(3, "sigma_max: found 1e+308, expected", "generate", PHOTO, "-m", model, *SMALL[2:], "-o", self.folder / "a.mp4")

    def test_heun_with_a_last_level_that_is_not_zero(self):
        model = self.tiny_model()
        file = model / "scheduler" / "scheduler_config.json"
        config = json.loads(file.read_text())
        file.write_text(json.dumps({**config, "final_sigmas_type": "sigma_min", "sigma_min": 0.5}))
        self.expect(0, "generate", PHOTO, "-m", model, *SMALL[2:], "--sampler", "heun", "-o", self.folder / "a.md5")

    def test_check_passes_no_nan(self):
        golden = self.folder / "golden.safetensors"
        shutil.copy(GOLDENS / "unet_wide_1x6x4.safetensors", golden)
        model = self.folder / "model"
        shutil.copytree(GOLDENS / "unet_wide", model)
        poison(next(model.rglob("*.safetensors")), lambda n: "conv_out.weight" in n)
        self.expect(8, "check", "--golden", golden, "--model", model)
        name = poison(golden, lambda n: n.startswith("output."))
        self.fails(3, f"tensor '{name}' holds 1 numbers that are not finite", "check", "--golden", golden, "--model", model)


def write_png(path, width, height):
    """An RGB picture with a gradient, quickly."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    pack = zlib.compressobj(1)
    body = b"".join(pack.compress(b"\0" + bytes((y * 255 // height, 128, 64)) * width) for y in range(height))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)) +
                     chunk(b"IDAT", body + pack.flush()) + chunk(b"IEND", b""))


class MemoryTest(ProgramTest):
    def held(self, *args):
        """(peak, planned) of a run that must succeed."""
        memory = json.loads(self.expect(0, "generate", "-y", *args, "--json").stdout)["memory"]
        self.assertLessEqual(memory["peak_bytes"], memory["planned_bytes"], args)
        return memory["peak_bytes"], memory["planned_bytes"]

    def jpeg(self, name, width, height, *options):
        path = self.folder / name
        subprocess.run(["ffmpeg", "-v", "error", "-f", "lavfi", "-i", f"color=teal:size={width}x{height}", "-frames:v", "1",
                        "-pix_fmt", "yuvj420p", *options, path], check=True, stdin=subprocess.DEVNULL)
        return path

    def test_the_peak_is_within_the_plan(self):
        target = self.folder / "a.mp4"
        self.held(PHOTO, "-o", target)
        for name in ("a.webm", "a.gif", "a.webp"):
            self.held(PHOTO, "-o", self.folder / name)
        tiny = ["--preset", "svd-tiny", "--steps", 1]
        self.held(PHOTO, *tiny, "--height", 64, "--width", 96, "--frames", 4, "-o", target)
        self.held(PHOTO, *tiny, "--height", 128, "--width", 192, "--frames", 8, "-o", self.folder / "a.y4m")
        self.held(PHOTO, *tiny, "--height", 256, "--width", 256, "--frames", 4, "--decoder", "tiny", "-o", target)
        self.held(PHOTO, *tiny, "--height", 128, "--width", 128, "--frames", 7, "--decode-chunk-size", 3, "--decoder", "full",
                  "-o", target)

    def test_large_pictures_stay_within_the_plan_and_the_limit(self):
        target = self.folder / "a.md5"
        jpeg = self.jpeg("large.jpg", 8000, 6000)
        png = self.folder / "large.png"
        write_png(png, 8000, 6000)
        jpeg_peak, jpeg_planned = self.held(jpeg, "-o", target)
        png_peak, png_planned = self.held(png, "-o", target)
        self.assertLess(jpeg_peak, 256e6)  # read at the size that is needed
        self.assertLess(png_peak, 320e6)  # 144 MB of pixels, once
        self.held(jpeg, "--fit", "pad", "-o", target)
        for picture, planned in ((jpeg, jpeg_planned), (png, png_planned)):
            peak, _ = self.held(picture, "-o", target, "--max-memory", int(planned * 1.1))
            self.assertLessEqual(peak, planned * 1.1)
            target.unlink()
            self.fails(5, "are allowed", "generate", picture, "-o", target, "--max-memory", int(planned * 0.7))
            self.assertFalse(target.exists())

    def test_a_chunk_that_the_memory_asks_for_is_balanced(self):
        size = ["--preset", "svd-tiny", "--height", 128, "--width", 128, "--frames", 14, "--steps", 1, "--decoder", "full"]
        planned = json.loads(self.expect(0, "generate", PHOTO, *size, "-o", self.folder / "a.mp4", "--json").stdout)["memory"]["planned_bytes"]
        for share in (0.97, 0.75):
            target = self.folder / f"{share}.mp4"
            result = run("generate", PHOTO, *size, "-o", target, "--json", "--max-memory", int(planned * share))
            if result.returncode == 5:
                continue
            report = json.loads(result.stdout)
            self.assertLessEqual(report["memory"]["peak_bytes"], planned * share)
            recipe = json.loads(self.expect(0, "inspect", target, "--json").stdout)["recipe"]
            self.assertIn(int(recipe["options"]["decode_chunk_size"]), (14, 7, 5, 4, 3, 2, 1))

    def test_sizes_beyond_all_machines_are_refused_at_once(self):
        preset, size = ["--preset", "svd-tiny"], ["--height", 16384, "--width", 16384, "--frames", 1024]
        start = time.monotonic()
        for args in (["generate", PHOTO, *preset, "--height", 65536, "--width", 65536, "-o", self.folder / "a.mp4"],
                     ["generate", PHOTO, *preset, *size, "-o", self.folder / "a.mp4"],
                     ["generate", PHOTO, *SMALL, "--frames", 100000000, "-o", self.folder / "a.mp4"],
                     ["generate", PHOTO, *SMALL, "--steps", 1000000000, "-o", self.folder / "a.mp4"],
                     ["bench", *preset, *size, "--component", "vae_decoder"],
                     ["bench", *preset, *size, "--batch", 64, "--component", "unet"]):
            result = run(*args)
            self.assertIn(result.returncode, (2, 5), (args, result.stderr[-300:]))
            self.assertEqual(len([l for l in result.stderr.splitlines() if l.startswith("mobilevd: ")]), 1, result.stderr)
        for command in ("cost", "explain"):  # they only count, and say so where the count leaves int64
            result = run(command, *preset, *size, "--batch", 64, *(["--summary"] if command == "explain" else []))
            self.assertIn(result.returncode, (0, 5), (command, result.stderr[-300:]))
        self.assertLess(time.monotonic() - start, 60)


if __name__ == "__main__":
    main()
