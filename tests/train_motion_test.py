"""Training of models that move the picture: from films and procedural clips in one run to a clip whose first frame is the
photograph.

    train_motion_test.py MOBILEVD [NAME ...]
"""
import json
import pathlib
import struct
import subprocess
import sys
import zlib

from train_testing import MOBILEVD, TAESD, TINY, UNET, assert_equal_checkpoints, lines, run_tests, train

SHAPE = ["--height", "32", "--width", "48", "--frames", "4"]


def prepared(tmp, *options):
    films, shards = tmp / "films", tmp / "shards"
    subprocess.run([MOBILEVD, "data", "synth", "-q", "-o", films, "-n", "5", "--seed", "3", "--format", "mp4", *SHAPE],
                   check=True, capture_output=True)
    subprocess.run([MOBILEVD, "data", "prepare", "-q", films, "-o", shards, "--max-duplicates", "1", *SHAPE, *options],
                   check=True, capture_output=True)
    return shards


def moving(shards, **more):
    unet = dict(UNET, in_channels=14, out_channels=7)
    taesd = dict(TAESD, latent_channels=7, motion_channels=3)
    return dict(TINY, **{"model.unet": json.dumps(unet), "model.taesd": json.dumps(taesd), "data.kind": "mix",
                         "data.mix": json.dumps({"synth": 1, str(shards): 2}), **more})


def gradient_png(path, width, height):
    """A colourful picture whose every pixel differs from its neighbours by little, so that video codes it well."""
    rows = b"".join(b"\0" + bytes(v for x in range(width) for v in (2 * x % 256, 2 * y % 256, (x + y) % 256))
                    for y in range(height))
    chunk = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)) +
                     chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def test_mix_resumes_and_the_first_frame_is_the_photograph(tmp):
    options = moving(prepared(tmp, "--motion"), **{"run.steps": 4, "samples.steps": 4, "samples.count": 1,
                                                  "samples.denoise_steps": 2, "heldout.steps": 2, "heldout.clips": 2})
    whole = pathlib.Path(train("diffusion", tmp / "whole", options).stdout.strip())
    train("diffusion", tmp / "parts", dict(options, **{"run.steps": 2}))
    train("diffusion", tmp / "parts", options, "--resume")
    assert_equal_checkpoints(tmp / "whole", tmp / "parts")
    assert lines(tmp / "whole")[-1]["heldout_loss"] > 0
    picture = tmp / "picture.png"
    gradient_png(picture, 90, 60)
    subprocess.run([MOBILEVD, "generate", picture, "--model", whole, "--steps", "2", "-o", tmp / "clip", "--format", "png"],
                   check=True, capture_output=True)
    names = sorted((tmp / "clip").glob("*.png"))
    assert len(names) == 4, names
    first, given = (subprocess.run(["ffmpeg", "-v", "error", "-i", str(name), "-f", "rawvideo", "-pix_fmt", "rgb24", "-"],
                                   capture_output=True, check=True).stdout for name in (names[0], picture))
    assert len(first) == len(given) == 90 * 60 * 3, "the clip has the picture's own size"
    assert max(abs(a - b) for a, b in zip(first, given)) <= 1, "the first frame is the photograph"


def test_latents_keep_the_picture(tmp):
    model = train("diffusion", tmp / "run", moving(prepared(tmp, "--motion"), **{"run.steps": 1})).stdout.strip()
    picture = tmp / "picture.png"
    gradient_png(picture, 48, 32)
    common = ["--model", model, "--steps", "1"]
    subprocess.run([MOBILEVD, "generate", picture, *common, "-o", tmp / "a.y4m"], check=True, capture_output=True)
    subprocess.run([MOBILEVD, "generate", picture, *common, "-o", tmp / "a.safetensors"], check=True, capture_output=True)
    subprocess.run([MOBILEVD, "generate", "--from-latents", tmp / "a.safetensors", "--model", model, "-o", tmp / "b.y4m"],
                   check=True, capture_output=True)
    assert (tmp / "a.y4m").read_bytes() == (tmp / "b.y4m").read_bytes()


def test_decoder_learns_motion(tmp):
    autoencoder = train("autoencoder", tmp / "plain", {
        "model.preset": "svd-tiny", "data.kind": "synth", "data.height": 32, "data.width": 48, "data.frames": 2, "run.batch": 1,
        "run.steps": 1, "samples.steps": 0, "heldout.steps": 0, "schedule.warmup_steps": 0}).stdout.strip()
    taesd = {"latent_channels": 7, "motion_channels": 3, "motion_features": 8}
    options = {"model.autoencoder": autoencoder, "model.taesd": json.dumps(taesd), "data.kind": "synth", "data.height": 32,
               "data.width": 48, "data.frames": 4, "run.batch": 2, "run.steps": 2, "loss.part": "decoder", "loss.latent_norm": 0,
               "loss.latent_noise": 0.1, "samples.steps": 2, "samples.count": 1, "heldout.steps": 1, "heldout.clips": 2,
               "schedule.warmup_steps": 0}
    model = pathlib.Path(train("autoencoder", tmp / "moving", options).stdout.strip())
    config = json.loads((model / "config.json").read_text())
    assert (config["motion_channels"], config["motion_features"]) == (3, 8), config
    assert lines(tmp / "moving")[-1]["heldout_loss"] > 0


def test_motion_is_asked_for(tmp):
    refused = train("diffusion", tmp / "run", moving(prepared(tmp)), expect=3)
    assert "holds no motion" in refused.stderr and "data prepare" in refused.stderr, refused.stderr
    wrong = train("diffusion", tmp / "wrong", moving(tmp / "shards", **{"data.mix": "[1]"}), expect=2)
    assert "data.mix" in wrong.stderr, wrong.stderr


if __name__ == "__main__":
    sys.exit(run_tests(globals(), sys.argv[2:]))
