#!/usr/bin/env python3
"""What comes with the program: the model it uses by itself, its figures, names. Usage as program_test.py."""
import json
import os
import shutil
import struct
import subprocess

from program_testing import PHOTO, PROGRAM, SOURCE, ProgramTest, main


def tensors(file):
    """Name -> (dtype, shape) of a safetensors file."""
    data = file.read_bytes()
    size = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8 : 8 + size])
    return {name: (t["dtype"], t["shape"]) for name, t in header.items() if name != "__metadata__"}


class DemoTest(ProgramTest):
    def test_a_picture_is_all_it_needs(self):
        clip = self.folder / "a.webm"
        report = json.loads(self.expect(0, "generate", PHOTO, "-o", clip, "--json").stdout)
        made = report["outputs"][0]
        self.assertEqual((made["frames"], made["width"], made["height"]), (14, 450, 300))  # the picture's own
        recipe = json.loads(self.expect(0, "inspect", clip, "--json").stdout)["recipe"]
        self.assertEqual(recipe["model"], "demo")  # a name, no place on this machine
        self.assertEqual(recipe["options"]["motion_bucket_id"], 110)  # as the README says
        again = self.folder / "b.webm"
        self.expect(0, "generate", PHOTO, "--recipe", clip, "-o", again)
        self.assertEqual(clip.read_bytes(), again.read_bytes())

    def test_seed_and_bucket_matter(self):
        clips = []
        for flags in (["--seed", 1], ["--seed", 2], ["--seed", 1, "--motion-bucket-id", 220]):
            target = self.folder / f"{len(clips)}.webm"
            self.expect(0, "generate", PHOTO, "-o", target, *flags)
            clips.append(target.read_bytes())
        self.assertEqual(len(set(clips)), 3)

    def test_frames_of_any_size(self):
        made = json.loads(self.expect(0, "generate", PHOTO, "--height", 72, "--width", 100, "-o", self.folder / "a.webm",
                                      "--json").stdout)["outputs"][0]
        self.assertEqual((made["width"], made["height"]), (100, 72))

    def test_pictures_survive(self):
        """On a photograph that training never saw; the card has the figures of five."""
        report = json.loads(self.expect(0, "evaluate", "--clips", 2, "--photos", SOURCE / "testdata/photos",
                                        "--buckets", "20,200", "--json").stdout)
        figures = {(f["measure"], f["subject"]): f["value"] for f in report["figures"]}
        self.assertGreater(figures["autoencoder, photographs", "model"], 35)
        self.assertGreater(figures["first frame, photographs", "model"], 35)
        self.assertEqual(figures["flicker", "still"], 0)
        self.assertGreater(figures["flicker", "noise"], figures["flicker", "real"])
        self.assertEqual(figures["motion", "still"], 0)
        self.assertIn(("Frechet distance", "noise"), figures)

    def test_names(self):
        shown = self.expect(0, "inspect", "demo").stdout
        self.assertIn("UNetSpatioTemporalConditionModel", shown)
        self.expect(0, "inspect", "demo_teacher")
        self.fails(4, "no such file or folder, nor a model of this name", "generate", PHOTO, "--model", "demi",
                   "-o", self.folder / "a.mp4")
        self.fails(4, "nothing/here: no such file or folder", "inspect", "nothing/here")
        (self.folder / "demo").mkdir()  # a folder that happens to bear the name
        self.expect(0, "inspect", "demo", cwd=self.folder)
        elsewhere = self.folder / "models"
        self.tiny_model().rename(self.folder / "tiny")
        elsewhere.mkdir()
        (self.folder / "tiny").rename(elsewhere / "mine")
        self.expect(0, "inspect", "mine", env={"MOBILEVD_MODELS": str(elsewhere)})

    def test_the_program_alone(self):
        """Without a folder beside it the model comes out of the program, once."""
        alone = self.folder / "mobilevd"
        shutil.copy2(PROGRAM, alone)

        def start(**env):
            return subprocess.run([alone, "inspect", "demo", "--json"], capture_output=True, text=True, cwd=self.folder,
                                  env={"PATH": os.environ["PATH"], **env})

        unpacked = []
        for _ in range(2):
            result = start(XDG_CACHE_HOME=str(self.folder / "cache"))
            self.assertEqual(result.returncode, 0, result.stderr)
            (index,) = (self.folder / "cache").rglob("model_index.json")
            unpacked.append((index, index.stat().st_mtime_ns))
        self.assertEqual(unpacked[0], unpacked[1])
        for file in (SOURCE / "models/demo").rglob("*"):
            if file.is_file():
                self.assertEqual((index.parent / file.relative_to(SOURCE / "models/demo")).read_bytes(), file.read_bytes())
        nowhere = start()
        self.assertEqual(nowhere.returncode, 4)
        self.assertIn("HOME is not set", nowhere.stderr)

    def test_evaluate_refuses(self):
        self.fails(4, "no such file or folder", "evaluate", "--features", "nothing", "--clips", 2)
        self.fails(3, "holds no pictures", "evaluate", "--photos", self.folder, "--clips", 2)
        self.fails(2, "--clips", "evaluate", "--clips", 1)
        self.fails(3, "config.json", "evaluate", "--features", "demo", "--clips", 2)


class ConvertTest(ProgramTest):
    def test_types_change_and_nothing_else(self):
        model, half, back = self.tiny_model(), self.folder / "half", self.folder / "back"
        self.expect(0, "convert", model, "-o", half, "--dtype", "bf16")
        self.expect(0, "convert", half, "-o", back, "--dtype", "f32")
        names = sorted(str(p.relative_to(model)) for p in model.rglob("*"))
        self.assertEqual(sorted(str(p.relative_to(half)) for p in half.rglob("*")), names)
        file = "unet/diffusion_pytorch_model.safetensors"
        before, after = tensors(model / file), tensors(half / file)
        self.assertEqual({n: s for n, (_, s) in before.items()}, {n: s for n, (_, s) in after.items()})
        self.assertEqual({t for t, _ in after.values()}, {"BF16"})
        # bf16 values are f32 values: there and back again gives the same bytes.
        again = self.folder / "again"
        self.expect(0, "convert", back, "-o", again, "--dtype", "bf16")
        self.assertEqual((again / file).read_bytes(), (half / file).read_bytes())

    def test_refuses(self):
        model = self.tiny_model()
        self.fails(2, "--dtype f8: expected one of f32, bf16, f16", "convert", model, "-o", self.folder / "o", "--dtype", "f8")
        self.fails(2, "exists and is not an empty folder", "convert", model, "-o", model)
        self.fails(4, "no such file or folder", "convert", self.folder / "nothing", "-o", self.folder / "o")
        self.assertFalse((self.folder / "o").exists())


if __name__ == "__main__":
    main()
