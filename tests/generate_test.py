#!/usr/bin/env python3
"""generate from the outside: targets, kept latents, recipes, batches, names. Usage: generate_test.py PROGRAM SOURCE [unittest args]"""
import json
import os
import pathlib
import shlex
import shutil
import signal
import subprocess
import threading
import time

from program_testing import PHOTO, PROGRAM, SMALL, ProgramTest, main

FAST = ["--preset", "svd-tiny", "--height", "64", "--width", "64", "--frames", "2", "--steps", "1"]
LATIN1 = os.fsdecode(b"caf\xe9")  # no UTF-8


def without_tensors(weights, prefix):
    """The same safetensors file without the tensors of this prefix."""
    data = weights.read_bytes()
    size = int.from_bytes(data[:8], "little")
    header, kept, body, offset = json.loads(data[8:8 + size]), {}, b"", 0
    for name, entry in header.items():
        if name.startswith("__") or name.startswith(prefix):
            continue
        begin, end = entry["data_offsets"]
        body += data[8 + size + begin:8 + size + end]
        kept[name] = {**entry, "data_offsets": [offset, offset + end - begin]}
        offset += end - begin
    text = json.dumps(kept).encode()
    weights.write_bytes(len(text).to_bytes(8, "little") + text + body)


class GenerateCase(ProgramTest):
    def photos(self, *names):
        """A folder of pictures."""
        folder = self.folder / "photos"
        folder.mkdir(exist_ok=True)
        for name in names:
            shutil.copy(PHOTO, folder / name)
        return folder

    def rubbish(self):
        """A picture that cannot be read: a run that fails for another reason looked at that reason first."""
        path = self.folder / "rubbish.png"
        path.write_bytes(b"\x89PNG\r\n\x1a\nrubbish")
        return path

    def report(self, code, *args, **kwargs):
        return json.loads(self.expect(code, "generate", *args, "--json", **kwargs).stdout)

    def recipe_of(self, clip):
        return json.loads(self.expect(0, "inspect", clip, "--json").stdout)["recipe"]


class InputsTest(GenerateCase):
    """What a run reads is never what it writes."""

    def refused(self, kept, words, *args):
        before = kept.read_bytes()
        self.fails(2, words, "generate", *args, *FAST, "-y")
        self.assertEqual(kept.read_bytes(), before)

    def test_a_picture(self):
        folder = self.photos("x.webp")
        self.refused(folder / "x.webp", "x.webp", folder, "-o", folder, "--format", "webp")
        self.refused(folder / "x.webp", "x.webp", folder / "x.webp", "-o", folder / "x.webp")

    def test_through_links(self):
        photo = self.photos("x.jpg") / "x.jpg"
        soft, hard = self.folder / "soft.webp", self.folder / "hard.webp"
        soft.symlink_to(photo)
        hard.hardlink_to(photo)
        self.refused(photo, "soft.webp", photo, "-o", soft)
        self.refused(photo, "hard.webp", photo, "-o", hard)
        self.assertTrue(soft.is_symlink() and hard.samefile(photo))

    def test_a_picture_inside_a_folder_of_frames(self):
        folder = self.photos("000000.png")
        self.refused(folder / "000000.png", "000000.png", folder / "000000.png", "-o", folder, "--format", "png")

    def test_a_recipe_and_latents(self):
        clip, latents = self.folder / "a.webm", self.folder / "l.safetensors"
        self.expect(0, "generate", PHOTO, *FAST, "-o", clip)
        self.refused(clip, "a.webm", PHOTO, "--recipe", clip, "-o", clip)
        self.expect(0, "generate", PHOTO, *FAST, "-o", latents)
        self.refused(latents, "l.safetensors", "--from-latents", latents, "-o", latents)

    def test_a_recipe_beside_its_clip(self):
        clip = self.folder / "a.y4m"
        self.expect(0, "generate", PHOTO, *FAST, "-o", clip)
        sidecar = self.folder / "a.y4m.recipe.json"
        self.refused(sidecar, "a.y4m.recipe.json", PHOTO, "--recipe", sidecar, "-o", clip)

    def test_the_model(self):
        model = self.tiny_model()
        weights = model / "unet/diffusion_pytorch_model.safetensors"
        before = weights.read_bytes()
        self.fails(2, "diffusion_pytorch_model", "generate", PHOTO, "-m", model, "-o", weights, "-y")
        self.assertEqual(weights.read_bytes(), before)


class TargetsTest(GenerateCase):
    """Targets are looked at before the picture is."""

    def test_folder_that_is_not_there(self):
        self.fails(4, "nosuch", "generate", self.rubbish(), *FAST, "-o", self.folder / "nosuch/a.mp4")

    def test_long_names(self):
        self.fails(3, "n" * 60, "generate", self.rubbish(), *FAST, "-o", self.folder / ("n" * 256 + ".mp4"))
        self.expect(0, "generate", PHOTO, *FAST, "-o", self.folder / ("n" * 250 + ".gif"))

    def test_no_permission(self):
        # Copies: the program may lie where nobody else may look.
        locked, program, photo = self.folder / "locked", self.folder / "mobilevd", self.folder / "photo.jpg"
        locked.mkdir(mode=0o555)
        os.chmod(self.folder, 0o755)
        shutil.copy(PROGRAM, program)
        shutil.copy(PHOTO, photo)
        photo.chmod(0o644)
        command = [program, "generate", photo, *map(str, FAST), "-o", locked / "a.gif"]
        as_nobody = {"user": 65534, "group": 65534, "extra_groups": []} if os.geteuid() == 0 else {}
        result = subprocess.run(command, capture_output=True, text=True, timeout=600, cwd="/", **as_nobody)
        self.assertEqual(result.returncode, 10, result.stderr)
        self.assertIn("permission", result.stderr.lower())
        self.assertNotIn("latents", result.stderr)  # nothing was computed

    def test_read_only_file_system(self):
        code = ("mount -t tmpfs -o ro none " + shlex.quote(str(self.folder)) + " && exec " +
                shlex.join([str(PROGRAM), "generate", str(PHOTO), *FAST, "-o", str(self.folder / "a.gif")]))
        result = subprocess.run(["unshare", "--mount", "sh", "-c", code], capture_output=True, text=True, timeout=600)
        if "mount" in result.stderr or "unshare" in result.stderr:
            self.skipTest("no mount is allowed here")
        self.assertEqual(result.returncode, 10, result.stderr)
        self.assertNotIn("latents", result.stderr)

    def test_of_another_kind(self):
        folder = self.photos("x.jpg")
        (self.folder / "out/x.gif").mkdir(parents=True)
        self.fails(2, "x.gif", "generate", folder, *FAST, "-o", self.folder / "out", "--format", "gif", "-y")
        (self.folder / "out/x.gif").rmdir()
        (self.folder / "out/x").mkdir()
        (self.folder / "out/x/mine.txt").write_text("mine")
        self.fails(2, "mine.txt", "generate", self.rubbish(), *FAST, "-o", self.folder / "out/x", "--format", "png", "-y")
        self.assertEqual((self.folder / "out/x/mine.txt").read_text(), "mine")

    def test_devices_and_fifos_stay(self):
        fifo, got = self.folder / "fifo", []
        os.mkfifo(fifo)
        reader = threading.Thread(target=lambda: got.append(fifo.read_bytes()))
        reader.start()
        self.expect(0, "generate", PHOTO, *FAST, "-o", fifo, "--format", "y4m")
        reader.join(60)
        self.assertTrue(got[0].startswith(b"YUV4MPEG2 W64 H64"))
        self.assertTrue(fifo.is_fifo())
        self.expect(0, "generate", PHOTO, *FAST, "-o", "/dev/null", "--format", "y4m", "-y")
        self.assertTrue(pathlib.Path("/dev/null").is_char_device())

    def test_a_folder_for_several(self):
        photos = self.photos("p.jpg")
        for output in ("a", "b/"):
            self.expect(0, "generate", photos, *FAST, "-o", f"{self.folder}/{output}", "--format", "webm")
        self.expect(0, "generate", PHOTO, *FAST, "-o", self.folder / "c", "--format", "webm")
        self.expect(0, "generate", PHOTO, *FAST, "-o", f"{self.folder}/d/")
        made = [name for name in self.files() if "." in name]
        self.assertEqual(made, ["a/p.webm", "b/p.webm", "c/chelsea.webm", "d/chelsea.mp4", "photos/p.jpg"])

    def test_frames_are_replaced_where_they_are(self):
        frames = self.folder / "z"
        for count in (3, 2):
            self.expect(0, "generate", PHOTO, *FAST, "--frames", count, "-o", frames, "--format", "png", "-y")
            self.assertEqual(sorted(p.name for p in frames.iterdir()), [f"00000{i}.png" for i in range(count)])


class StdoutTest(GenerateCase):
    def test_a_clip_goes_through(self):
        command = [PROGRAM, "generate", PHOTO, *FAST, "-o", "-", "--format", "y4m"]
        result = subprocess.run(command, capture_output=True, cwd=self.folder, timeout=600)
        self.assertEqual(result.returncode, 0, result.stderr)
        header, _, rest = result.stdout.partition(b"\n")
        self.assertTrue(header.startswith(b"YUV4MPEG2 W64 H64"))
        self.assertEqual(len(rest), 2 * (len("FRAME\n") + 3 * 64 * 64))
        self.assertEqual(self.files(), [])

    def test_what_cannot(self):
        photos = self.photos("a.jpg", "b.jpg")
        self.fails(2, "--json", "generate", PHOTO, *FAST, "-o", "-", "--format", "y4m", "--json", cwd=self.folder)
        self.fails(2, "--format", "generate", PHOTO, *FAST, "-o", "-", cwd=self.folder)
        self.fails(2, "2 pictures", "generate", photos, *FAST, "-o", "-", "--format", "y4m", cwd=self.folder)
        self.fails(2, "y4m", "generate", PHOTO, *FAST, "-o", "-", "--format", "png", cwd=self.folder)


class LatentsTest(GenerateCase):
    SIZE = ["--height", 64, "--width", 64, "--frames", 2, "--steps", 1]

    def test_kept_where_they_can_be_written(self):
        out, elsewhere = self.folder / "out.gif", self.folder / "tmp dir"
        elsewhere.mkdir()
        command = [PROGRAM, "generate", PHOTO, *FAST, "-q", "-o", "/dev/full", "--format", "y4m"]
        result = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "TMPDIR": str(elsewhere)}, timeout=600)
        self.assertEqual(result.returncode, 9, result.stderr)
        self.assertEqual([p.name for p in elsewhere.iterdir()], ["chelsea.latents.safetensors"])
        lines = result.stderr.splitlines()
        self.assertEqual(len(lines), 1, result.stderr)
        self.assertIn(str(elsewhere), lines[0])
        hint = shlex.split(lines[0].partition("decodes them: ")[2])
        hint[0], hint[hint.index("/dev/full")] = str(PROGRAM), str(out)
        hint[hint.index("y4m")] = "gif"
        subprocess.run(hint, check=True, capture_output=True, timeout=600)
        self.assertTrue(out.exists())

    def test_hint_is_a_command_that_works(self):
        model, target = self.tiny_model(), self.folder / "a clip.gif"
        weights = model / "vae/diffusion_pytorch_model.safetensors"
        whole = weights.read_bytes()
        without_tensors(weights, "decoder.")
        for name in ("a clip.gif.latents.safetensors", "a clip.gif.latents-2.safetensors"):  # none is lost
            failed = self.report(3, PHOTO, "-m", model, *self.SIZE, "-o", target)["failed"][0]
            self.assertEqual(failed["latents"], str(self.folder / name))
            self.assertTrue(pathlib.Path(failed["latents"]).exists())
            self.assertIn("decoder.", failed["error"])
            self.assertFalse(target.exists())
        weights.write_bytes(whole)
        hint = shlex.split(failed["error"].partition("decodes them: ")[2])
        subprocess.run([PROGRAM, *hint[1:]], check=True, capture_output=True, timeout=600)
        self.expect(0, "generate", PHOTO, "-m", model, *self.SIZE, "-o", self.folder / "whole.gif")
        self.assertEqual(target.read_bytes(), (self.folder / "whole.gif").read_bytes())

    def test_recipe_of_the_latents_holds(self):
        latents, clip = self.folder / "l.safetensors", self.folder / "a.webm"
        self.expect(0, "generate", PHOTO, *FAST, "--seed", 7, "--fps", 12, "--motion-bucket-id", 31, "-o", latents)
        report = self.report(0, "--from-latents", latents, "-o", clip)
        made, recipe = report["outputs"][0], self.recipe_of(clip)
        self.assertEqual((made["seed"], made["fps"]), (7, 12))
        self.assertEqual(report["recipe"], {"file": str(latents), "overridden": []})
        options = recipe["options"]
        self.assertEqual((options["seed"], options["fps"], options["motion_bucket_id"]), (7, 12, 31))
        self.assertEqual(recipe["image"], "chelsea.jpg")
        again = self.folder / "b.webm"
        self.expect(0, "generate", PHOTO, "--recipe", clip, "-o", again)
        self.assertEqual(again.read_bytes(), clip.read_bytes())

    def test_what_comes_too_late_for_latents(self):
        latents, clip = self.folder / "l.safetensors", self.folder / "a.webm"
        self.expect(0, "generate", PHOTO, *FAST, "--seed", 7, "--fps", 12, "-o", latents)
        self.fails(2, "seed", "generate", "--from-latents", latents, "--seed", 8, "-o", clip)
        report = self.report(0, "--from-latents", latents, "--seed", 7, "--fps", 6, "-o", clip)
        self.assertEqual(report["recipe"]["overridden"], ["fps"])
        options = self.recipe_of(clip)["options"]
        self.assertEqual((options["fps"], options["fps_id"]), (6, 11))  # what the network was given

    def test_signals_keep_them(self):
        self.addCleanup(signal.signal, signal.SIGHUP, signal.signal(signal.SIGHUP, signal.SIG_DFL))  # under nohup
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            with self.subTest(signal=number):
                fifo = self.folder / f"{number}.y4m"
                os.mkfifo(fifo)  # writing waits for a reader that never comes
                process = subprocess.Popen([PROGRAM, "generate", PHOTO, *FAST, "-q", "-o", fifo, "--format", "y4m"],
                                           stderr=subprocess.PIPE, text=True, env={**os.environ, "TMPDIR": str(self.folder)})
                self.wait_until_it_writes(process)
                process.send_signal(number)
                _, text = process.communicate(timeout=60)
                self.assertEqual(process.returncode, 6, text)
                kept = self.folder / "chelsea.latents.safetensors"
                self.assertIn(str(kept), text)
                self.expect(0, "generate", "--from-latents", kept, "-o", self.folder / f"{number}.gif")
                kept.unlink()

    def wait_until_it_writes(self, process):
        """Until the clip is in memory, from where it goes into the FIFO: everything is computed by then."""
        end = time.monotonic() + 120
        while time.monotonic() < end:
            self.assertIsNone(process.poll())
            for descriptor in pathlib.Path(f"/proc/{process.pid}/fd").iterdir():
                try:
                    if "memfd" in os.readlink(descriptor):
                        return
                except OSError:
                    continue
            time.sleep(0.05)
        self.fail("never written")


class RecipeTest(GenerateCase):
    def test_a_recipe_holds_no_place(self):
        photo, clip = self.photos("my photo.jpg") / "my photo.jpg", self.folder / "a.webm"
        model = self.tiny_model()
        self.expect(0, "generate", photo, "-m", model, *LatentsTest.SIZE, "-o", clip)
        recipe = self.recipe_of(clip)
        self.assertEqual((recipe["image"], recipe["model"]), ("my photo.jpg", "model"))
        self.assertNotIn(str(self.folder), json.dumps(recipe))
        self.fails(4, "give its folder with -m", "generate", photo, "--recipe", clip, "-o", self.folder / "b.webm")

    def test_the_picture_is_found_beside_the_clip(self):
        folder = self.photos("p.jpg")
        clip, again = folder / "a.webm", self.folder / "b.webm"
        self.expect(0, "generate", folder / "p.jpg", *FAST, "-o", clip)
        self.expect(0, "generate", "--recipe", clip, "-o", again)
        self.assertEqual(clip.read_bytes(), again.read_bytes())
        (folder / "p.jpg").unlink()
        self.fails(4, "p.jpg", "generate", "--recipe", clip, "-o", again, "-y")

    def test_another_picture_or_model_is_told(self):
        model, other = self.tiny_model(), self.folder / "other"
        self.expect(0, "init", "--preset", "svd-tiny", "--seed", 2, "-o", other)
        clip, again = self.folder / "a.gif", self.folder / "b.gif"
        self.expect(0, "generate", PHOTO, "-m", model, *LatentsTest.SIZE, "-o", clip)
        changed = self.folder / "chelsea.jpg"
        changed.write_bytes(PHOTO.read_bytes() + b"\0")
        for args, words in ((["-m", other], "model"), (["-m", model], None)):
            picture = PHOTO if words else changed
            result = self.expect(0, "generate", picture, "--recipe", clip, *args, "-q", "-o", again, "-y")
            self.assertIn(words or "picture", result.stderr)
            self.fails(3, words or "picture", "generate", picture, "--recipe", clip, *args, "--strict", "-o", again, "-y")
        result = self.expect(0, "generate", PHOTO, "--recipe", clip, "-m", model, "--strict", "-q", "-o", again, "-y")
        self.assertNotIn("recipe", result.stderr)
        self.assertEqual(again.read_bytes(), clip.read_bytes())

    def recipe(self, options=None, **others):
        path = self.folder / "r.json"
        text = json.dumps({"program": "mobilevd", "model": "demo", "image": "p.jpg", "options": options or {}, **others})
        path.write_text(text.replace('"HUGE"', "1e308"))
        return path

    def test_values_are_checked_like_options(self):
        values = [("fps", "HUGE"), ("fps", -5), ("fps", "7"), ("fps", True), ("fps", 0), ("steps", 1000000000), ("steps", 2**63),
                  ("steps", 1.5), ("height", -64), ("width", 65536), ("num_frames", 100000000), ("noise_aug_strength", -1),
                  ("motion_bucket_id", "HUGE"), ("max_guidance_scale", "HUGE"), ("seed", -5), ("seed", 2**64), ("seed", 0.5),
                  ("decode_chunk_size", "none"), ("decode_chunk_size", "-1"), ("sampler", "best"), ("fit", 3), ("rng", []),
                  ("preset", "nothing"), ("dtype", {"a": 1}), ("fps", "a\x1b[31mb")]
        for key, value in values:
            with self.subTest(key=key, value=value):
                recipe = self.recipe({key: value})
                result = self.fails(3, f"'{key}'", "generate", PHOTO, "--recipe", recipe, "-o", self.folder / "a.gif")
                self.assertIn("r.json", result.stderr)
                self.assertNotIn("\x1b", result.stderr)
        for key, value in (("model", 5), ("image", []), ("model_hash", {}), ("image", "a\x1b[2Jb.jpg"), ("model", "de\0mo")):
            with self.subTest(key=key, value=value):
                result = self.fails(3, f"'{key}'", "generate", PHOTO, "--recipe", self.recipe(**{key: value}), "-o", self.folder / "a.gif")
                self.assertNotIn("\x1b", result.stderr)

    def test_seeds_to_the_end(self):
        hashes = set()
        for seed in (2**63 - 2, 2**63, 2**64 - 1):  # apart in their low 32 bits, which are all that torch's generator takes
            clip = self.folder / f"{seed}.webm"
            self.assertEqual(self.report(0, PHOTO, *FAST, "--seed", seed, "-o", clip)["outputs"][0]["seed"], seed)
            self.assertEqual(self.recipe_of(clip)["options"]["seed"], seed)
            again = self.folder / "again.webm"
            self.expect(0, "generate", PHOTO, "--recipe", clip, "-o", again, "-y")
            self.assertEqual(again.read_bytes(), clip.read_bytes())
            latents = self.folder / "l.safetensors"
            self.expect(0, "generate", PHOTO, "--recipe", clip, "-o", latents, "-y")
            size = int.from_bytes(latents.read_bytes()[:8], "little")
            hashes.add(latents.read_bytes()[8 + size:])
        self.assertEqual(len(hashes), 3)

    def test_no_escape_sequence_reaches_the_terminal(self):
        evil = "\x1b]0;owned\x07\x9b31m\x7f"
        header = json.dumps({"__metadata__": {"note": evil}, "t": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
        weights = self.folder / "w.safetensors"
        weights.write_bytes(len(header).to_bytes(8, "little") + header + bytes(4))
        clip = self.folder / "a.y4m"
        self.expect(0, "generate", PHOTO, *FAST, "-o", clip)
        named = self.folder / "e\x1b[31m.png"
        named.write_bytes(b"rubbish")
        sidecar = self.folder / "a.y4m.recipe.json"
        for text in (json.dumps({evil: evil}, ensure_ascii=False), evil, json.dumps({"options": {evil: [evil]}})):
            sidecar.write_text(text)
            for args in (["inspect", weights], ["inspect", clip], ["inspect", weights, "--json"], ["inspect", clip, "--json"],
                         ["inspect", named], ["generate", named], ["generate", PHOTO, "--recipe", clip], ["inspect", named, "--json"],
                         ["generate", named, *FAST, "-o", self.folder / "x\x1b.gif"]):
                result = subprocess.run([PROGRAM, *map(str, args)], capture_output=True, cwd=self.folder, timeout=600)
                out = (result.stdout + result.stderr).decode()
                for control in ("\x1b", "\x07", "\x9b", "\x7f"):
                    self.assertNotIn(control, out, args)


class BatchTest(GenerateCase):
    def test_finished_clips_are_skipped(self):
        folder, out = self.photos("a.jpg", "b.jpg"), self.folder / "out"
        self.expect(0, "generate", folder, *FAST, "-o", out, "--format", "gif")
        (out / "a.gif").unlink()
        (out / "b.gif").write_text("finished")
        self.fails(2, "--skip-existing", "generate", folder, *FAST, "-o", out, "--format", "gif")
        report = self.report(0, folder, *FAST, "-o", out, "--format", "gif", "--skip-existing")
        self.assertEqual([made["path"] for made in report["outputs"]], [str(out / "a.gif")])
        self.assertEqual(report["skipped"], [{"image": str(folder / "b.jpg"), "path": str(out / "b.gif")}])
        self.assertEqual((out / "b.gif").read_text(), "finished")
        report = self.report(0, folder, *FAST, "-o", out, "--format", "gif", "--skip-existing")
        self.assertEqual((len(report["outputs"]), len(report["skipped"])), (0, 2))
        self.fails(2, "--skip-existing", "generate", folder, *FAST, "-o", out, "--skip-existing", "-y")

    def test_a_name_that_is_not_utf8_ends_nothing(self):
        folder, out = self.photos("a.jpg", LATIN1 + ".jpg", "z.jpg"), self.folder / (LATIN1 + "-out")
        (folder / (LATIN1 + "2.jpg")).write_text("rubbish")
        report = self.report(7, folder, *FAST, "-o", out, "--format", "gif")
        self.assertEqual(len(report["outputs"]), 3)
        self.assertIn("caf\ufffd2.jpg", report["failed"][0]["image"])
        self.assertEqual(len(list(out.iterdir())), 3)
        clip = out / (LATIN1 + ".gif")
        self.assertEqual(self.recipe_of(clip)["image"], "caf\ufffd.jpg")
        target = self.folder / (LATIN1 + ".safetensors")
        self.expect(0, "generate", folder / (LATIN1 + ".jpg"), *FAST, "-o", target)
        self.report(0, "--from-latents", target, "-o", self.folder / (LATIN1 + ".webm"))

    def test_every_command_says_such_a_name(self):
        model = self.folder / LATIN1
        self.expect(0, "init", "--preset", "svd-tiny", "-o", model, "--json")
        small = ["--height", 64, "--width", 64, "--frames", 2]
        commands = [
            (0, ["inspect", model]), (4, ["inspect", self.folder / (LATIN1 + "2")]),
            (0, ["cost", "--model", model, *small]), (0, ["explain", "--model", model, "--component", "unet", *small]),
            (0, ["bench", "--model", model, "--component", "unet", *small, "--reps", 1, "--executor", "null"]),
            (0, ["convert", model, "--dtype", "f16", "-o", self.folder / (LATIN1 + "-f16")]),
            (0, ["compress", model, "--fold", "-o", self.folder / (LATIN1 + "-small")]),
            (0, ["data", "synth", "--count", 1, "--frames", 2, "--height", 32, "--width", 32, "-o", self.folder / (LATIN1 + "-data")]),
            (3, ["data", "prepare", self.photos("a.jpg"), "-o", self.folder / (LATIN1 + "-shards")]),
            (4, ["evaluate", "--model", self.folder / (LATIN1 + "4")]), (4, ["check", "--model", model, "--golden", self.folder / (LATIN1 + "3")]),
        ]
        for code, args in commands:
            with self.subTest(args=args):
                result = subprocess.run([PROGRAM, *map(str, args), "--json"], capture_output=True, timeout=600)
                out = result.stdout.decode()  # fails for what is not UTF-8
                self.assertIn(result.returncode, (0, code, 2, 3), result.stderr)
                self.assertNotIn(b"internal error", result.stderr)
                self.assertIsInstance(json.loads(out), dict, out)

    def test_two_pictures_of_one_name(self):
        for name in ("one", "two"):
            (self.folder / name).mkdir()
            shutil.copy(PHOTO, self.folder / name / "p.jpg")
        self.fails(2, "would both be written to", "generate", self.folder / "one/p.jpg", self.folder / "two/p.jpg", *FAST,
                   "-o", self.folder / "out")
        self.assertFalse((self.folder / "out").exists())

    def test_hidden_unreadable_and_none(self):
        empty = self.folder / "empty"
        empty.mkdir()
        self.fails(3, "holds no pictures", "generate", empty, *FAST, "-o", self.folder / "out")
        (empty / ".hidden.jpg").write_text("rubbish")
        self.fails(3, "holds no pictures", "generate", empty, *FAST, "-o", self.folder / "out")
        photos = self.photos("a.jpg", ".b.jpg")
        (photos / "c.jpg").mkdir()
        (photos / "d.jpg").symlink_to("nowhere")
        (photos / "e.jpg").write_bytes(b"")
        report = self.report(7, photos, *FAST, "-o", self.folder / "out", "--format", "gif")
        self.assertEqual([pathlib.Path(o["path"]).name for o in report["outputs"]], ["a.gif"])
        self.assertEqual([pathlib.Path(f["image"]).name for f in report["failed"]], ["e.jpg"])

    def test_a_crop_is_told(self):
        result = self.expect(0, "generate", PHOTO, *SMALL, "--width", 128, "-o", self.folder / "a.gif")
        self.assertIn("the picture is 3:2, the clip 2:1: 25 % of the height is cut; --fit pad keeps all", result.stderr)
        result = self.expect(0, "generate", PHOTO, *SMALL, "--width", 128, "-o", self.folder / "b.gif", "--fit", "pad")
        self.assertNotIn("is cut", result.stderr)


if __name__ == "__main__":
    main()
