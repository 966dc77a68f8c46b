#!/usr/bin/env python3
"""The program from the outside: results, streams, exit codes, files. Usage: program_test.py PROGRAM SOURCE [unittest args]"""
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

PROGRAM = pathlib.Path(sys.argv[1]).resolve()
SOURCE = pathlib.Path(sys.argv[2]).resolve()
PHOTO = SOURCE / "testdata/photos/chelsea.jpg"
GOLDENS = SOURCE / "testdata/goldens"
SMALL = ["--preset", "svd-tiny", "--height", "64", "--width", "96", "--frames", "4", "--steps", "2"]


def run(*args, env=None, cwd=None):
    return subprocess.run([PROGRAM, *map(str, args)], capture_output=True, text=True, stdin=subprocess.DEVNULL,
                          env={**os.environ, **(env or {})}, cwd=cwd, timeout=600)


class ProgramTest(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)

    def expect(self, code, *args, **kwargs):
        result = run(*args, **kwargs)
        self.assertEqual(result.returncode, code, result.stdout + result.stderr)
        return result

    def fails(self, code, words, *args, **kwargs):
        """The failure is one line on stderr that holds `words`."""
        result = self.expect(code, *args, **kwargs)
        lines = [line for line in result.stderr.splitlines() if line.startswith("mobilevd: ")]
        self.assertEqual(len(lines), 1, result.stderr)
        self.assertIn(words, lines[0])
        return result

    def files(self):
        return sorted(str(p.relative_to(self.folder)) for p in self.folder.rglob("*"))

    def tiny_model(self, dtype="f32"):
        model = self.folder / "model"
        self.expect(0, "init", "--preset", "svd-tiny", "--seed", 1, "--dtype", dtype, "-o", model)
        return model


class GenerateTest(ProgramTest):
    def test_mp4_plays_and_carries_its_recipe(self):
        target = self.folder / "a.mp4"
        result = self.expect(0, "generate", PHOTO, *SMALL, "--frames", 14, "-o", target, "--json")
        report = json.loads(result.stdout)
        self.assertEqual(report["failed"], [])
        output = report["outputs"][0]
        self.assertEqual((output["frames"], output["width"], output["height"], output["seed"]), (14, 96, 64, 42))
        self.assertEqual(set(output["seconds"]), {"load", "encode", "denoise", "decode", "write"})
        probe = json.loads(subprocess.run(
            ["ffprobe", "-v", "error", "-count_frames", "-show_streams", "-of", "json", target],
            capture_output=True, text=True, check=True).stdout)["streams"][0]
        self.assertEqual((probe["codec_name"], probe["pix_fmt"], probe["nb_read_frames"]), ("h264", "yuv420p", "14"))
        recipe = json.loads(self.expect(0, "inspect", target, "--json").stdout)["recipe"]
        self.assertEqual(recipe["options"]["seed"], 42)

    def test_recipe_gives_the_same_frames(self):
        first, again = self.folder / "a.webm", self.folder / "b.webm"
        self.expect(0, "generate", PHOTO, *SMALL, "-o", first, "--seed", 7, "--fit", "stretch", "--motion-bucket-id", 30)
        self.expect(0, "generate", "--recipe", first, "-o", again)
        self.assertEqual(first.read_bytes(), again.read_bytes())

    def test_threads_do_not_change_the_bytes(self):
        latents = []
        for threads in (1, 2):
            target = self.folder / f"{threads}.safetensors"
            self.expect(0, "generate", PHOTO, *SMALL, "-o", target, "-t", threads)
            latents.append(target.read_bytes())
        self.assertEqual(latents[0], latents[1])

    def test_latents_decode_later_to_the_same_clip(self):
        model = self.tiny_model()
        size = ["--height", 64, "--width", 96, "--frames", 4, "--steps", 2]
        self.expect(0, "generate", PHOTO, "-m", model, *size, "-o", self.folder / "whole.md5")
        self.expect(0, "generate", PHOTO, "-m", model, *size, "-o", self.folder / "l.safetensors")
        self.expect(0, "generate", "--from-latents", self.folder / "l.safetensors", "-m", model, "-o", self.folder / "late.md5")
        self.assertEqual((self.folder / "whole.md5").read_text(), (self.folder / "late.md5").read_text())

    def test_latents_are_kept_when_decoding_fails(self):
        model = self.tiny_model()
        (model / "vae" / "diffusion_pytorch_model.safetensors").rename(self.folder / "vae.safetensors")
        # A file that has the encoder's tensors and lacks the decoder's.
        data = (self.folder / "vae.safetensors").read_bytes()
        size = int.from_bytes(data[:8], "little")
        header = json.loads(data[8:8 + size])
        kept, body, offset = {}, b"", 0
        for name, entry in header.items():
            if name.startswith("__") or name.startswith("decoder."):
                continue
            begin, end = entry["data_offsets"]
            body += data[8 + size + begin:8 + size + end]
            kept[name] = {**entry, "data_offsets": [offset, offset + end - begin]}
            offset += end - begin
        text = json.dumps(kept).encode()
        (model / "vae" / "diffusion_pytorch_model.safetensors").write_bytes(len(text).to_bytes(8, "little") + text + body)
        target = self.folder / "a.mp4"
        self.fails(3, "decoder.", "generate", PHOTO, "-m", model, "--height", 64, "--width", 96, "--frames", 2, "--steps", 1, "-o", target)
        self.assertFalse(target.exists())
        self.assertTrue(pathlib.Path(str(target) + ".latents.safetensors").exists())

    def test_batch_goes_on_after_a_failure(self):
        pictures = self.folder / "in"
        pictures.mkdir()
        shutil.copy(PHOTO, pictures / "good.jpg")
        (pictures / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\nrubbish")
        out = self.folder / "out"
        out.mkdir()
        result = self.expect(7, "generate", pictures, *SMALL, "--steps", 1, "-o", out, "--json")
        report = json.loads(result.stdout)
        self.assertEqual(len(report["outputs"]), 1)
        self.assertIn("bad.png", report["failed"][0]["image"])
        self.assertEqual([p.name for p in out.iterdir()], ["good.mp4"])

    def test_cancel_ends_within_a_second_and_leaves_nothing(self):
        target = self.folder / "a.mp4"
        args = ["generate", PHOTO, "--preset", "svd-tiny", "--height", "512", "--width", "512", "--frames", "14", "--steps", "50", "-o", target]
        process = subprocess.Popen([PROGRAM, *map(str, args)], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        time.sleep(1.5)
        self.assertIsNone(process.poll())
        start = time.monotonic()
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)
        self.assertLess(time.monotonic() - start, 1.5)  # one second of its own, and a loaded machine
        self.assertEqual(process.returncode, 6)
        self.assertEqual(self.files(), [])

    def test_streams(self):
        result = self.expect(0, "generate", PHOTO, *SMALL, "-o", self.folder / "a.gif")
        self.assertEqual(result.stdout, f"{self.folder / 'a.gif'}\n")
        self.assertIn("memory:", result.stderr)
        self.assertNotIn("\r", result.stderr)  # no animation where stderr is no terminal


class ErrorTest(ProgramTest):
    def test_usage(self):
        self.fails(2, "--bogus", "generate", PHOTO, "--bogus")
        self.fails(2, "fold_single_token_attention", "explain", "--preset", "svd-tiny", "--skip", "nothing")
        self.fails(2, "--dtype f8", "generate", PHOTO, "--dtype", "f8")
        self.fails(2, "multiple of 8", "generate", PHOTO, *SMALL, "--height", 100, "-o", self.folder / "a.mp4")
        self.fails(2, "a.xyz", "generate", PHOTO, *SMALL, "-o", self.folder / "a.xyz")
        self.fails(2, "guidance", "generate", PHOTO, *SMALL, "--min-guidance-scale", 2, "--max-guidance-scale", 1, "-o", self.folder / "a.mp4")
        self.fails(2, "svd-tiny", "cost", "--preset", "nothing")

    def test_missing_paths(self):
        self.fails(4, "nothing.jpg", "generate", self.folder / "nothing.jpg")
        self.fails(4, "nothing", "generate", PHOTO, "--model", self.folder / "nothing")
        self.fails(4, "nothing", "inspect", self.folder / "nothing")
        self.fails(4, "nothing", "check", "--golden", self.folder / "nothing")

    def test_bad_models(self):
        model = self.tiny_model()
        weights = model / "unet" / "diffusion_pytorch_model.safetensors"
        data = weights.read_bytes()
        size = ["--height", 64, "--width", 96, "--frames", 2, "--steps", 1, "-o", self.folder / "a.mp4"]
        weights.write_bytes(data[:-4])
        self.fails(3, str(weights), "generate", PHOTO, "-m", model, *size)
        weights.unlink()
        self.fails(3, "unet", "generate", PHOTO, "-m", model, *size)
        config = model / "unet" / "config.json"
        config.write_text(config.read_text().replace("\"in_channels\": 8", "\"in_channels\": \"eight\""))
        self.fails(3, "in_channels", "generate", PHOTO, "-m", model, *size)

    def test_json_errors(self):
        result = self.expect(4, "generate", self.folder / "nothing.jpg", "--json")
        error = json.loads(result.stdout)
        self.assertEqual(error["exit"], 4)
        self.assertIn("nothing.jpg", error["file"])

    def test_memory_limit(self):
        self.fails(5, "memory", "generate", PHOTO, "--preset", "svd", "--max-memory", "500MB", "-o", self.folder / "a.mp4")

    def test_nothing_is_overwritten(self):
        target = self.folder / "a.mp4"
        target.write_text("mine")
        self.fails(2, "exists", "generate", PHOTO, *SMALL, "-o", target)
        self.assertEqual(target.read_text(), "mine")


class TablesTest(ProgramTest):
    def components(self, *args):
        return json.loads(self.expect(0, "cost", "--json", *args).stdout)["components"]

    def test_cost_of_svd(self):
        full = self.components("--preset", "svd", "--height", 576, "--width", 1024)["unet"]
        self.assertEqual(full["parameters"], 1_524_623_082)
        self.assertLess(abs(full["flops"] / 45.43e12 - 1), 0.02)
        low = self.components("--preset", "svd", "--height", 256, "--width", 512)["unet"]
        self.assertLess(abs(low["flops"] / 8.60e12 - 1), 0.02)
        self.assertLess(abs(low["flops_folded_cross_attention"] / 8.24e12 - 1), 0.02)
        # Evaluated once a clip it is a little less still.
        self.assertLess(low["after_passes"]["flops_per_call"], low["flops_folded_cross_attention"])

    def test_explain_skips_a_pass(self):
        with_pass = json.loads(self.expect(0, "explain", "--preset", "svd", "--json").stdout)
        without = json.loads(self.expect(0, "explain", "--preset", "svd", "--json", "--skip", "fuse_residual").stdout)
        self.assertGreater(without["nodes"], with_pass["nodes"])

    def test_isa_levels(self):
        golden = ["check", "--golden", GOLDENS / "unet_wide_1x6x4.safetensors", "--model", GOLDENS / "unet_wide"]
        levels = json.loads(self.expect(0, "doctor", "--json").stdout)["isa_levels"]
        for level in levels:
            self.expect(0 if level["supported"] else 2, *golden, "--isa", level["name"], "--dtype", "f32")
        self.fails(2, "--dtype f32", *golden, "--isa", "avx2", "--dtype", "bf16")

    def test_doctor_and_help(self):
        self.assertIn("isa", json.loads(self.expect(0, "doctor", "--json").stdout))
        self.assertIn("--motion-bucket-id", self.expect(0, "generate", "--help").stdout)

    def test_bench(self):
        report = json.loads(self.expect(0, "bench", "--preset", "svd-tiny", "--component", "unet", "--json", "--reps", 2).stdout)
        self.assertEqual(report["component"], "unet")
        self.assertGreater(report["seconds"]["min"], 0)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]], verbosity=1)
