#!/usr/bin/env python3
"""Model files as people have them: scaled fp8, a single file of SVD, the Hub's cache, failed downloads.
Usage: models_test.py PROGRAM SOURCE [unittest args]"""
import atexit
import gzip
import itertools
import json
import math
import os
import pathlib
import random
import shutil
import struct
import tempfile

from program_testing import PHOTO, SOURCE, ProgramTest, main
from stability_names import stability_tensors

SIZE = ["--height", 64, "--width", 64, "--frames", 2, "--steps", 1, "--dtype", "f32", "-t", 1]
UNET = "unet/diffusion_pytorch_model.safetensors"


def read(path):
    """name -> (dtype, shape, bytes)"""
    data = path.read_bytes()
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8:8 + size])
    body = memoryview(data)[8 + size:]
    return {name: (t["dtype"], t["shape"], bytes(body[slice(*t["data_offsets"])]))
            for name, t in header.items() if name != "__metadata__"}


def header_of(tensors, metadata=None):
    """The first bytes of a file with these (dtype, shape, size in bytes)."""
    header, offset = {"__metadata__": metadata} if metadata else {}, 0
    for name, (dtype, shape, size) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [offset, offset + size]}
        offset += size
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text


def write(path, tensors, metadata=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    sizes = {name: (dtype, shape, len(data)) for name, (dtype, shape, data) in tensors.items()}
    path.write_bytes(header_of(sizes, metadata) + b"".join(data for _, _, data in tensors.values()))


def floats(*values):
    return struct.pack(f"<{len(values)}f", *values)


def f8_value(code, exponent_bits):
    fraction_bits, bias = 7 - exponent_bits, 2 ** (exponent_bits - 1) - 1
    exponent, fraction = code >> fraction_bits & (2 ** exponent_bits - 1), code & (2 ** fraction_bits - 1)
    size = (math.ldexp(1 + fraction / 2 ** fraction_bits, exponent - bias) if exponent
            else math.ldexp(fraction / 2 ** fraction_bits, 1 - bias))
    return -size if code & 128 else size


class ModelsTest(ProgramTest):
    made = {}  # dtype -> folder with the tiny model, made once

    def tiny_model(self, dtype="f32"):
        if dtype not in ModelsTest.made:
            base = pathlib.Path(tempfile.mkdtemp())
            atexit.register(shutil.rmtree, base)
            self.expect(0, "init", "--preset", "svd-tiny", "--seed", 1, "--dtype", dtype, "-o", base / "model")
            ModelsTest.made[dtype] = base / "model"
        shutil.copytree(ModelsTest.made[dtype], self.folder / "model")
        return self.folder / "model"

    def latents(self, model, *args):
        target = self.folder / "latents.safetensors"
        target.unlink(missing_ok=True)
        result = self.expect(0, "generate", PHOTO, "-m", model, *SIZE, *args, "-o", target)
        return read(target)["latents"], result.stderr

    def warnings(self, stderr):
        return [line for line in stderr.splitlines() if line.startswith("warning: ")]

    def clip(self, model):
        target = self.folder / "clip.md5"
        target.unlink(missing_ok=True)
        self.expect(0, "generate", PHOTO, "-m", model, *SIZE, "-o", target)
        return target.read_text()


class ScaledFloat8Test(ModelsTest):
    def check(self, dtype, exponent_bits, scale_shape, ending, extra):
        model = self.tiny_model()
        tensors, rng = read(model / UNET), random.Random(1)
        scaled, plain = dict(extra), {}
        for name, (kind, shape, data) in tensors.items():
            if not name.startswith("mid_block.attentions.") or not name.endswith(".weight") or len(shape) < 2:
                scaled[name] = plain[name] = (kind, shape, data)
                continue
            count, rows = len(data) // 4, shape[0]
            codes = bytes(rng.randrange(0x38) | rng.randrange(2) << 7 for _ in range(count))  # below 1
            scales = struct.unpack(f"<{rows}f", floats(*[0.02 + 0.05 * rng.random() for _ in range(rows)]))
            if scale_shape(rows) in ([], [1]):
                scales = [scales[0]] * rows
            values = [f8_value(code, exponent_bits) for code in range(256)]
            row = count // rows
            scaled[name] = (dtype, shape, codes)
            kept = scales if len(scale_shape(rows)) > 1 or scale_shape(rows) == [rows] else scales[:1]
            scaled[name.removesuffix(".weight") + ending] = ("F32", scale_shape(rows), floats(*kept))
            scaled[name.removesuffix(".weight") + ".scale_input"] = ("F32", [], floats(3))
            plain[name] = ("F32", shape, floats(*[values[c] * scales[i // row] for i, c in enumerate(codes)]))
        write(model / UNET, plain)
        expected, _ = self.latents(model)
        write(model / UNET, scaled)
        got, stderr = self.latents(model)
        self.assertEqual(self.warnings(stderr), [])
        self.assertEqual(got, expected)
        return model

    def test_one_scale_a_tensor(self):
        model = self.check("F8_E4M3", 4, lambda rows: [], ".scale_weight", {"scaled_fp8": ("F8_E4M3", [0], b"")})
        self.expect(0, "convert", model, "-o", self.folder / "plain", "--dtype", "f32")
        converted = read(self.folder / "plain" / UNET)
        self.assertEqual([name for name in converted if "scale" in name], [])
        expected, _ = self.latents(model)
        self.assertEqual(self.latents(self.folder / "plain")[0], expected)

    def test_one_scale_a_channel(self):
        self.check("F8_E4M3", 4, lambda rows: [rows, 1], ".weight_scale", {})

    def test_e5m2(self):
        self.check("F8_E5M2", 5, lambda rows: [1], ".scale_weight", {"scaled_fp8": ("F8_E5M2", [2], b"\0\0")})

    def test_scales_of_blocks_are_refused(self):
        model = self.tiny_model()
        tensors = read(model / UNET)
        name = "mid_block.attentions.0.proj_in.weight"
        shape, count = tensors[name][1], len(tensors[name][2]) // 4
        tensors[name] = ("F8_E4M3", shape, b"\x38" * count)
        tensors["mid_block.attentions.0.proj_in.weight_scale"] = ("F32", [2, 2], floats(1, 1, 1, 1))
        write(model / UNET, tensors)
        self.fails(3, "proj_in.weight_scale' has shape (2,2), expected one number, or one per output channel", "generate", PHOTO, "-m",
                   model, *SIZE, "-o", self.folder / "a.mp4")


class UnknownTensorsTest(ModelsTest):
    def test_warning_and_strict(self):
        model = self.tiny_model()
        _, stderr = self.latents(model, "--strict")
        self.assertEqual(self.warnings(stderr), [])
        tensors = read(model / UNET)
        for i in range(9):
            tensors[f"adapter.{i}.weight"] = ("F32", [1], floats(1))
        write(model / UNET, tensors)
        encoder = model / "image_encoder/model.safetensors"
        write(encoder, {**read(encoder), "vision_model.embeddings.position_ids": ("I64", [1, 2], bytes(16))})
        _, stderr = self.latents(model, "-q")
        lines = self.warnings(stderr)
        self.assertEqual(len(lines), 1, stderr)
        for words in ("unet", "9 tensors", "adapter.0.weight", "and 4 more"):
            self.assertIn(words, lines[0])
        self.fails(3, "adapter.0.weight", "generate", PHOTO, "-m", model, *SIZE, "--strict", "-o", self.folder / "a.mp4")
        self.fails(3, "adapter.0.weight", "bench", "--component", "unet", "-m", model, "--strict", "--height", 64, "--width", 64)
        self.assertIn("adapter.0.weight", self.expect(0, "inspect", model).stdout)

    def test_train_tells_of_its_models(self):
        model = self.tiny_model()
        write(model / UNET, {**read(model / UNET), "adapter.weight": ("F32", [1], floats(1))})
        train = ["train", "diffusion", "--dry-run", "--model.folder", model, "--model.autoencoder", model]
        lines = self.warnings(self.expect(0, *train).stderr)
        self.assertEqual(len(lines), 1, lines)
        for words in ("unet", "1 tensor", "adapter.weight"):
            self.assertIn(words, lines[0])
        # Of several processes one tells.
        self.assertEqual(self.warnings(self.expect(0, *train, env={**os.environ, "RANK": "1"}).stderr), [])

    def test_models_that_come_along(self):
        for model in sorted(path for path in (SOURCE / "models").iterdir() if (path / "model_index.json").exists()):
            components = json.loads(self.expect(0, "inspect", model, "--json").stdout)["components"]
            self.assertEqual({name: c["doubts"] for name, c in components.items() if c.get("doubts")}, {}, model)

    def test_stale_file_beside_an_index(self):
        model = self.tiny_model()
        tensors = read(model / UNET)
        expected, _ = self.latents(model)
        write(model / "unet/one.safetensors", tensors)
        stale = {name: (kind, shape, bytes(len(data))) for name, (kind, shape, data) in tensors.items()}
        index = json.dumps({"metadata": {}, "weight_map": dict.fromkeys(tensors, "one.safetensors")})
        for old, new in [("diffusion_pytorch_model.safetensors", "diffusion_pytorch_model.safetensors.index.json"),
                         ("diffusion_pytorch_model.fp16.safetensors", "diffusion_pytorch_model.fp16.safetensors.index.json"),
                         ("diffusion_pytorch_model.fp16.safetensors", "diffusion_pytorch_model.safetensors.index.fp16.json")]:
            for path in (model / "unet").glob("diffusion*"):
                path.unlink()
            write(model / "unet" / old, stale)
            (model / "unet" / new).write_text(index)
            got, stderr = self.latents(model)
            self.assertEqual(got, expected)
            lines = self.warnings(stderr)
            self.assertEqual(len(lines), 1, stderr)
            self.assertIn(f"'{old}'", lines[0])
            self.assertIn(f"'{new}'", lines[0])
            self.fails(3, old, "generate", PHOTO, "-m", model, *SIZE, "--strict", "-o", self.folder / "a.mp4")


class InspectTest(ModelsTest):
    def test_every_type_of_the_format(self):
        bits = {"BOOL": 8, "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6, "U8": 8, "I8": 8, "F8_E5M2": 8, "F8_E4M3": 8, "F8_E8M0": 8,
                "F8_E4M3FNUZ": 8, "F8_E5M2FNUZ": 8, "I16": 16, "U16": 16, "F16": 16, "BF16": 16, "I32": 32, "U32": 32,
                "F32": 32, "C64": 64, "F64": 64, "I64": 64, "U64": 64}
        path = self.folder / "types.safetensors"
        write(path, {kind: (kind, [2, 4], bytes(size)) for kind, size in bits.items()})
        listed = json.loads(self.expect(0, "inspect", path, "--json").stdout)["tensors"]
        self.assertEqual({t["name"]: t["dtype"] for t in listed}, {kind: kind.lower() for kind in bits})
        self.assertEqual({t["name"]: t["bytes"] for t in listed}, bits)
        text = self.expect(0, "inspect", path).stdout
        self.assertTrue(all(f" {kind.lower()} " in text for kind in bits), text)
        write(path, {"a": ("F4", [3], bytes(2))})
        self.fails(3, "F4 (3) is no whole number of bytes", "inspect", path)

    def test_components_that_are_not_run(self):
        model = self.tiny_model()
        index = json.loads((model / "model_index.json").read_text())
        index.update({"tokenizer": ["transformers", "CLIPTokenizer"], "safety_checker": ["stable_diffusion", "SafetyChecker"],
                      "gone": ["diffusers", "Gone"]})
        (model / "model_index.json").write_text(json.dumps(index))
        for path, text in [("tokenizer/tokenizer_config.json", "{}"), ("tokenizer/vocab.json", "{}"),
                           ("safety_checker/config.json", "{}"), ("safety_checker/pytorch_model.bin", "PK\3\4")]:
            (model / path).parent.mkdir(exist_ok=True)
            (model / path).write_text(text)
        components = json.loads(self.expect(0, "inspect", model, "--json").stdout)["components"]
        self.assertEqual(components["tokenizer"]["class"], "CLIPTokenizer")
        self.assertFalse(components["tokenizer"]["runs"])
        self.assertTrue(components["unet"]["runs"])
        self.assertIn("pickled", components["safety_checker"]["note"])
        self.assertIn("missing", components["gone"]["note"])
        self.assertIn("tokenizer", self.expect(0, "inspect", model).stdout)


class SingleFileTest(ModelsTest):
    def single_file(self, model, name="tiny.safetensors", metadata=None):
        shapes, data = {}, {}
        for folder, file in [("unet", "diffusion_pytorch_model"), ("vae", "diffusion_pytorch_model"), ("image_encoder", "model")]:
            for tensor, (kind, shape, content) in read(model / folder / f"{file}.safetensors").items():
                shapes[folder, tensor], data[folder, tensor] = shape, (kind, content)
        tensors = {}
        for t in stability_tensors(shapes, layers=1, levels=2, vae_levels=4):
            kind = data[t.parts[0]][0]
            content = b"".join(data[part][1] for part in t.parts)
            if t.transposed:
                rows, columns = t.shape[1], t.shape[0]
                size = len(content) // (rows * columns)
                content = b"".join(content[(r * columns + c) * size:][:size] for c in range(columns) for r in range(rows))
            tensors[t.name] = (kind, t.shape, content)
        self.assertEqual(len({part for t in stability_tensors(shapes, layers=1, levels=2, vae_levels=4) for part in t.parts}), len(shapes))
        # What the released files hold besides.
        for name_, shape in [("conditioner.embedders.0.open_clip.model.logit_scale", []), ("first_stage_model.encoder.conv_in.bias", [64]),
                             ("conditioner.embedders.0.open_clip.model.token_embedding.weight", [3, 4]),
                             ("conditioner.embedders.3.encoder.decoder.conv_in.bias", [2]),
                             ("conditioner.embedders.3.encoder.post_quant_conv.bias", [4])]:
            tensors[name_] = ("F32", shape, floats(*[1] * math.prod(shape)))
        path = self.folder / name
        write(path, tensors, metadata)
        return path

    def test_same_clip_as_the_folder(self):
        model = self.tiny_model("f32")
        path = self.single_file(model)
        self.assertEqual(self.latents(path, "--strict")[0], self.latents(model)[0])
        self.assertEqual(self.clip(path), self.clip(model))

    def test_convert_gives_the_folder_back(self):
        model = self.tiny_model("bf16")
        out = self.folder / "out"
        self.expect(0, "convert", self.single_file(model), "-o", out, "--dtype", "bf16")
        for name in ("unet/diffusion_pytorch_model", "vae/diffusion_pytorch_model", "image_encoder/model"):
            self.assertEqual(read(out / f"{name}.safetensors"), read(model / f"{name}.safetensors"), name)
        self.assertFalse((out / "taesd").exists())
        for name in ("unet/config.json", "vae/config.json", "image_encoder/config.json", "scheduler/scheduler_config.json",
                     "feature_extractor/preprocessor_config.json"):
            self.assertEqual(json.loads((out / name).read_text()), json.loads((model / name).read_text()), name)
        index = json.loads((out / "model_index.json").read_text())
        self.assertEqual(index["_class_name"], "StableVideoDiffusionPipeline")
        self.assertNotIn("taesd", index)
        self.assertEqual(self.clip(out), self.clip(model))

    def test_unknown_and_missing_tensors(self):
        model = self.tiny_model("bf16")
        path = self.single_file(model)
        tensors = read(path)
        write(path, {**tensors, "model.diffusion_model.adapter.weight": ("F32", [1], floats(1))})
        _, stderr = self.latents(path)
        self.assertIn("model.diffusion_model.adapter.weight", "".join(self.warnings(stderr)))
        self.fails(3, "adapter.weight", "generate", PHOTO, "-m", path, *SIZE, "--strict", "-o", self.folder / "a.mp4")
        del tensors["model.diffusion_model.middle_block.1.proj_in.bias"]
        write(path, tensors)
        self.fails(3, "mid_block.attentions.0.proj_in.bias", "generate", PHOTO, "-m", path, *SIZE, "-o", self.folder / "a.mp4")
        self.assertIn("mid_block.attentions.0.proj_in.bias", json.loads(self.expect(0, "inspect", path, "--json").stdout)["note"])

    def test_every_name_of_the_full_model(self):
        shapes = {}
        for folder, file in [("unet", "svd_unet"), ("vae", "svd_vae"), ("image_encoder", "clip_vit_h")]:
            for line in (SOURCE / f"testdata/models/{file}.txt").read_text().splitlines():
                name, shape = line.split()
                shapes[folder, name] = [int(n) for n in shape.split(",")]
        tensors = stability_tensors(shapes, layers=2, levels=4, vae_levels=4)
        self.assertEqual(sorted(part for t in tensors for part in t.parts), sorted(shapes))
        sizes = {t.name: ("F8_E4M3", t.shape, math.prod(t.shape)) for t in tensors}
        self.assertEqual(len(sizes), len(tensors))
        for name, metadata, preset in [("svd.safetensors", None, "svd"), ("svd_xt_1_1.safetensors", None, "svd-xt"),
                                       ("model.safetensors", {"modelspec.title": "Stable Video Diffusion XT"}, "svd-xt")]:
            path = self.folder / name
            with open(path, "wb") as file:  # a hole: no weight is read
                file.write(header_of(sizes, metadata))
                file.truncate(file.tell() + sum(size for _, _, size in sizes.values()))
            report = json.loads(self.expect(0, "inspect", path, "--json").stdout)
            self.assertEqual(report["model"]["preset"], preset)
            self.assertIn("25 frames" if preset == "svd-xt" else "14 frames", report["model"]["assumed"])
            self.assertEqual(report["model"]["unused"], [])
            got = {t["name"]: t["becomes"] for t in report["tensors"]}
            self.assertEqual(got, {t.name: [f"{folder}/{part}" for folder, part in t.parts] for t in tensors})
            path.unlink()


class ForeignFilesTest(ModelsTest):
    CASES = [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 3000000000\n", "Git LFS pointer", "git lfs pull"),
        (b"<!DOCTYPE html><html><head><title>Sign in</title></head></html>" * 9, "web page", "download"),
        (b"\n  <html>\n<body>404</body></html>", "web page", "download"),
        (b'{"error":"Access to model is restricted and you are not in the authorized list"}', "Access to model", "download"),
        (b"Access to model stabilityai/x is restricted. You must have access to it", "Access to model", "download"),
        (b"Entry not found", "Entry not found", "download"),
        (gzip.compress(b"x" * 100), "gzip", "unpack"),
        (b"PK\x03\x04" + bytes(80), "zip archive", "PyTorch"),
        (b"\x80\x02}q\x00(X\x0a\x00\x00\x00" + bytes(60), "pickle", "safetensors"),
        (b"GGUF\x03\0\0\0" + bytes(60), "GGUF", "safetensors"),
    ]

    def test_each_has_its_own_sentence(self):
        names = itertools.cycle(("svd.safetensors", "svd.ckpt", "svd.bin", "svd.pt", "svd.pth"))
        for (content, what, advice), name in zip(self.CASES, names):
            path = self.folder / name
            path.write_bytes(content)
            for command in (["inspect", path], ["generate", PHOTO, "-m", path, "-o", self.folder / "a.mp4"]):
                result = self.fails(3, what, *command)
                self.assertIn(advice, result.stderr)
                self.assertIn(name, result.stderr)

    def test_inside_a_folder(self):
        model = self.tiny_model("bf16")
        for victim in (UNET, "unet/config.json", "model_index.json"):
            kept = (model / victim).read_bytes()
            (model / victim).write_bytes(self.CASES[0][0])
            self.fails(3, "git lfs pull", "generate", PHOTO, "-m", model, *SIZE, "-o", self.folder / "a.mp4")
            (model / victim).write_bytes(self.CASES[1][0])
            self.fails(3, "web page", "generate", PHOTO, "-m", model, *SIZE, "-o", self.folder / "a.mp4")
            (model / victim).write_bytes(kept)


class LinksTest(ModelsTest):
    def hub_cache(self, sharded):
        """The tiny model as huggingface_hub stores it: every file is a link into blobs/."""
        model = self.tiny_model("bf16")
        repo = self.folder / "hub/models--org--svd"
        snapshot = repo / "snapshots/0123abcd"
        (repo / "blobs").mkdir(parents=True)
        if sharded:
            tensors = read(model / UNET)
            write(model / "unet/diffusion_pytorch_model-00001-of-00001.safetensors", tensors)
            (model / UNET).unlink()
            (model / (UNET + ".index.json")).write_text(json.dumps(
                {"metadata": {}, "weight_map": dict.fromkeys(tensors, "diffusion_pytorch_model-00001-of-00001.safetensors")}))
        for number, path in enumerate(sorted(p for p in model.rglob("*") if p.is_file())):
            inside = path.relative_to(model)
            link = snapshot / inside
            link.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, repo / "blobs" / f"{number:040x}")
            link.symlink_to("../" * (len(inside.parts) + 1) + f"blobs/{number:040x}")
        return model, snapshot

    def test_the_hubs_cache(self):
        for sharded in (False, True):
            model, snapshot = self.hub_cache(sharded)
            expected, _ = self.latents(model)
            self.assertEqual(self.latents(snapshot)[0], expected)
            self.expect(0, "inspect", snapshot / "unet")
            (self.folder / "short").symlink_to(snapshot)
            self.assertEqual(self.latents(self.folder / "short")[0], expected)
            (self.folder / "short").unlink()
            shutil.rmtree(self.folder / "hub")
            shutil.rmtree(model)

    def test_links_that_leave_are_refused(self):
        for victim in ("unet/config.json", UNET, "model_index.json", "scheduler/scheduler_config.json",
                       UNET + ".index.json", "unet/diffusion_pytorch_model-00001-of-00001.safetensors"):
            model, snapshot = self.hub_cache(victim.endswith(("index.json", "-00001.safetensors")) and victim != "model_index.json")
            outside = self.folder / "outside"
            shutil.copy(snapshot / victim, outside)
            (snapshot / victim).unlink()
            (snapshot / victim).symlink_to(outside)
            self.fails(3, f"{victim}: is a symbolic link to", "generate", PHOTO, "-m", snapshot, *SIZE, "-o", self.folder / "a.mp4")
            self.fails(3, f"{victim}: is a symbolic link to", "inspect", snapshot)
            shutil.rmtree(self.folder / "hub")
            shutil.rmtree(model)

    def test_copies_do_not_follow_links_out(self):
        model = self.tiny_model("bf16")
        secret = self.folder / "secret"
        secret.write_text("mine")
        (model / "vae/notes.txt").symlink_to(secret)
        self.fails(3, "vae/notes.txt: is a symbolic link to", "compress", model, "--fold-cross-attention", "-o", self.folder / "out")
        self.assertFalse((self.folder / "out").exists())


if __name__ == "__main__":
    main()
