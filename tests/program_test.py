#!/usr/bin/env python3
"""The program from the outside: results, streams, exit codes, files. Usage: program_test.py PROGRAM SOURCE [unittest args]"""
import json
import shutil
import signal
import subprocess
import time

from program_testing import GOLDENS, PHOTO, PROGRAM, SMALL, SOURCE, ProgramTest, main, run


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
        self.expect(0, "generate", PHOTO, "--recipe", first, "-o", again)
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


class CompressTest(ProgramTest):
    def compress(self, *args):
        return json.loads(self.expect(0, "compress", *args, "--json").stdout)

    def test_preset_makes_a_model_that_runs(self):
        model, out = self.tiny_model("bf16"), self.folder / "mobile"
        plan = self.compress(model, "--preset", "mobilevd", "--dry-run")
        self.assertFalse(out.exists())
        report = self.compress(model, "--preset", "mobilevd", "-o", out)
        self.assertEqual(report["parameters"], plan["parameters"])
        self.assertLess(report["parameters"]["after"], report["parameters"]["before"])
        inspected = json.loads(self.expect(0, "inspect", out, "--json").stdout)["components"]["unet"]
        self.assertEqual(inspected["parameters"], report["parameters"]["after"])
        self.assertEqual(inspected["tensors"], report["tensors"]["after"])
        self.assertEqual(inspected["compression"], report["compression"])
        self.assertIn("11 of 12 temporal blocks left", self.expect(0, "inspect", out).stdout)
        self.expect(0, "generate", PHOTO, "-m", out, "--height", 64, "--width", 96, "-o", self.folder / "a.mp4")
        self.fails(3, "describes 'mobilevd' already", "compress", out, "--preset", "mobilevd", "-o", self.folder / "twice")
        self.assertFalse((self.folder / "twice").exists())

    def test_steps_one_by_one(self):
        model, previous = self.tiny_model(), self.folder / "model"
        steps = [["--fold-cross-attention"], ["--temporal-multiscale", 2], ["--keep", 5], ["--funnels", "both=0.5"], ["--merge"]]
        for number, step in enumerate(steps):
            out = self.folder / str(number)
            self.compress(previous, *step, "-o", out, "-t", 1 + number % 2)
            self.fails(3, "unet/config.json: key '", "compress", out, *step, "-o", self.folder / "twice")
            previous = out
        self.compress(model, *sum(steps, []), "-o", self.folder / "once")
        weights = "unet/diffusion_pytorch_model.safetensors"
        self.assertEqual((self.folder / "once" / weights).read_bytes(), (previous / weights).read_bytes())

    def test_what_is_refused(self):
        model, out = self.tiny_model(), self.folder / "out"
        def refused(code, words, *args):
            self.fails(code, words, "compress", model, *args, "-o", out)
            self.assertFalse(out.exists())
        refused(2, "no step is given")
        refused(2, "fun-factor is 1.5", "--funnels", "attention=1.5")
        refused(2, "--funnels attention", "--funnels", "attention")
        refused(2, "13 temporal blocks are to be kept, expected 1 to 12", "--keep", 13)
        refused(2, "0 temporal blocks", "--keep", 0)
        refused(2, "--preset svd-tiny: expected one of", "--preset", "svd-tiny")
        refused(2, "excludes", "--preset", "mobilevd", "--merge")
        refused(3, "which is no temporal block", "--keep", "mid_block.resnets.0,nothing")
        importance = self.folder / "importance.json"
        importance.write_text(json.dumps([0.5] * 11))
        refused(3, "importance.json: holds 11 numbers, expected a list of 12", "--keep", 3, "--importance", importance)
        names = self.folder / "names.txt"
        names.write_text("mid_block.resnets.0\nmid_block.resnets.0\n")
        refused(3, "twice", "--keep", f"@{names}")
        refused(4, "nothing", "--funnels", f"@{self.folder / 'nothing'}")
        self.fails(3, "AutoencoderKLTemporalDecoder", "compress", model / "vae", "--fold-cross-attention", "-o", out)
        out.mkdir()
        (out / "mine").write_text("mine")
        self.fails(2, "exists and is not an empty folder", "compress", model, "--fold-cross-attention", "-o", out)

    def test_lists_from_files(self):
        model = self.tiny_model()
        importance, names, widths = (self.folder / n for n in ("importance.json", "names.txt", "widths.json"))
        importance.write_text(json.dumps([0.1 * (i == 4) for i in range(12)]))
        self.compress(model, "--keep", 1, "--importance", importance, "-o", self.folder / "a")
        kept = lambda name: json.loads((self.folder / name / "unet/config.json").read_text())["kept_temporal_blocks"]
        names.write_text("\n".join(kept("a")) + "\n")
        pair = "mid_block.attentions.0.transformer_blocks.0.attn1.vo"
        widths.write_text(json.dumps({pair: 7}))
        self.compress(model, "--keep", f"@{names}", "--funnels", f"@{widths}", "-o", self.folder / "b")
        self.assertEqual((len(kept("a")), kept("a")), (1, kept("b")))
        config = json.loads((self.folder / "b/unet/config.json").read_text())
        self.assertEqual(config["funnels"], {pair: 7})


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


class ReproTest(ProgramTest):
    def table(self, name, *args):
        return json.loads(self.expect(0, "repro", name, "--json", *args).stdout)

    def test_names(self):
        names = list(json.loads(self.expect(0, "repro", "--json").stdout)["tables"])
        self.assertEqual(sorted(names), sorted(["2", "A1", "3", "4", "5", "6", "7", "A2", "A3"]))
        listed = [line.split()[0] for line in self.expect(0, "repro").stdout.splitlines()]
        self.assertEqual(sorted(listed), sorted(names))
        for name in names:
            self.assertIn(f"Table {name} of", self.expect(0, "repro", name).stdout)
        self.fails(2, "2, A1, 3, 4, 5, 6, 7, A2, A3", "repro", "8")
        self.fails(2, "exclude", "repro", "3", "--json", "--markdown")

    def test_rows_of_table_2(self):
        table = self.table("2")
        rows = table["rows"]
        self.assertEqual([row["paper"]["tflops"] for row in rows], [45.43, 8.6, 8.6, 8.24, 8.24, 5.42, 4.64, 4.34])
        self.assertEqual([row["ours"]["nfe"] for row in rows], [row["paper"]["nfe"] for row in rows])
        self.assertEqual(rows[0]["ours"]["parameters"], 1_524_623_082)
        self.assertEqual(rows[-1]["paper"]["quality"], {"FVD 25 fps": 149, "FVD 7 fps": 171})
        self.assertEqual((rows[0]["paper"]["phone_ms"], rows[-1]["paper"]["phone_ms"]), ("OOM", 1780))
        for row in rows:
            self.assertAlmostEqual(row["deviation"], row["ours"]["tflops"] / row["paper"]["tflops"] - 1)
            self.assertLess(abs(row["deviation"]), row["tolerance"])
            self.assertIsNone(row["ours"]["seconds"])
        # 50 evaluations of SVD against one of MobileVD.
        self.assertAlmostEqual(table["clip_factor"]["paper"], 50 * 45.43 / 4.34)
        self.assertAlmostEqual(table["clip_factor"]["ours"], 50 * rows[0]["ours"]["tflops"] / rows[-1]["ours"]["tflops"])
        text = self.expect(0, "repro", "2").stdout
        for words in ("523 times", "1817.2 TFLOPs are 40 x 45.43", "the paper's alone"):
            self.assertIn(words, " ".join(text.split()))

    def test_what_is_open_is_said(self):
        """Both readings of spatial multiscaling; every row beyond its tolerance; notes that rows refer to."""
        notes = " ".join(self.table("3")["notes"])
        for words in ("before_upsampler_conv 4.21", "before_up_block 4.05", "before_up_block 3.38", "before_upsampler_conv 3.46"):
            self.assertIn(words, notes)
        text = " ".join(self.expect(0, "repro", "7").stdout.split())
        self.assertIn("Beyond the tolerance: MobileVD-HD: -6.4 % (notes 3,4,5)", text)
        for name in ("2", "A1", "3", "4", "5", "6", "7", "A2", "A3"):
            table = self.table(name)
            used = {note for row in table["rows"] for note in row["notes"]}
            self.assertEqual(used, set(range(1, len(table["notes"]) + 1)))

    def test_quality_at_the_demos_scale(self):
        folder = self.folder / "ladder"
        folder.mkdir()
        for run, (distance, flops) in {"svd-512-folded": (2.0, 9e11), "mobilevd": (2.5, 1e10)}.items():
            figures = [{"measure": m, "subject": "model", "value": v} for m, v in
                       [("Frechet distance", distance), ("flow error", 1.5), ("dynamic degree, bucket 20", 40.0)]]
            (folder / f"{run}.json").write_text(json.dumps({"figures": figures, "flops": flops}))
        rows = self.table("2", "--demo", folder)["rows"]
        self.assertEqual(rows[-1]["demo"], {"Frechet": 2.5, "flow error": 1.5, "GFLOPs a clip": 10.0})
        self.assertEqual(rows[2]["demo"]["Frechet"], 2.0)  # low-resolution finetuning: the teacher
        self.assertIsNone(rows[0]["demo"])
        self.assertEqual(self.table("A2", "--demo", folder)["rows"][3]["demo"], {"dynamic degree": 40.0})
        text = self.expect(0, "repro", "2", "--demo", folder).stdout
        self.assertIn("Demo:", text)
        for name in ("ladder.svg", "ladder.png"):
            self.expect(0, "repro", "ladder", "--demo", folder, "-o", self.folder / name)
            self.assertGreater((self.folder / name).stat().st_size, 500)
        self.assertIn(">mobilevd</text>", (self.folder / "ladder.svg").read_text())
        self.fails(2, ".svg or .png", "repro", "ladder", "--demo", folder, "-o", self.folder / "ladder.gif")
        self.fails(4, "nowhere", "repro", "2", "--demo", self.folder / "nowhere")
        (folder / "other.json").write_text("{}")
        self.fails(3, "other.json", "repro", "2", "--demo", folder)

    def test_decoders(self):
        table = self.table("A3")
        full, tiny = table["rows"]
        self.assertEqual([row["component"] for row in table["rows"]], ["vae_decoder", "taesd_decoder"])
        self.assertEqual((full["paper"]["phone_ms"], tiny["paper"]["phone_ms"]), (1280, 90))
        self.assertEqual((tiny["ours"]["calls"], tiny["ours"]["parameters"]), (14, 1_222_531))
        self.assertIsNone(table["clip_factor"])

    def test_markdown_is_one_table(self):
        lines = self.expect(0, "repro", "6", "--markdown").stdout.splitlines()
        rows = [line for line in lines if line.startswith("|")]
        self.assertEqual(len(rows), 2 + 5)
        self.assertEqual(len({line.count("|") for line in rows}), 1)

    def test_latency_says_what_it_was_measured_on(self):
        # The null executor computes nothing, so that full size takes no time.
        table = self.table("A3", "--latency", "--executor", "null", "--threads", 1)
        measured = table["measured_on"]
        self.assertEqual((measured["executor"], measured["threads"], measured["weights"]), ("null", 1, "random"))
        self.assertTrue(measured["processor"])
        for row in table["rows"]:
            self.assertGreater(row["ours"]["seconds"]["median"], 0)
        text = self.expect(0, "repro", "A3", "--latency", "--executor", "null", "--reps", 3).stdout
        self.assertIn("median of 3", " ".join(text.split()))

    def test_document_is_what_the_program_prints(self):
        document = (SOURCE / "docs/repro.md").read_text()
        for name in ("2", "3", "4", "5", "6", "7", "A2", "A3"):
            self.assertIn(self.expect(0, "repro", name, "--markdown").stdout.strip(), document)


if __name__ == "__main__":
    main()
