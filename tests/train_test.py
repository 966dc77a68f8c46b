"""Training from the outside: `mobilevd train` killed at random moments and resumed, against never killed; two
processes against one; and that options and errors are what the manual says.

    train_test.py MOBILEVD [NAME ...]     runs the tests whose names are given, else all but the slow ones
"""
import hashlib
import json
import os
import pathlib
import random
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

MOBILEVD = None

# A UNet of every kind of block in 32 channels, an autoencoder in 8, clips of 4 frames.
UNET = {
    "block_out_channels": [32, 64],
    "addition_time_embed_dim": 16,
    "projection_class_embeddings_input_dim": 48,
    "cross_attention_dim": 64,  # the preset image encoder's projection
    "num_attention_heads": [1, 2],
    "sample_size": 4,
}
TAESD = {"encoder_block_out_channels": [8] * 4, "decoder_block_out_channels": [8] * 4,
         "num_encoder_blocks": [1] * 4, "num_decoder_blocks": [1] * 4}
TINY = {
    "model.preset": "svd-tiny",
    "model.unet": json.dumps(UNET),
    "model.taesd": json.dumps(TAESD),
    "data.height": 32,
    "data.width": 48,
    "data.frames": 4,
    "conditioning.image_encoder": "none",
    "optimiser.lr": 1e-3,
    "schedule.warmup_steps": 5,
    "run.batch": 2,
    "run.threads": 1,
    "ema.half_life": 50,
    "checkpoint.steps": 5,
    "checkpoint.minutes": 0,
    "samples.steps": 0,
    "heldout.steps": 0,
}


def command(kind, out, options, *flags):
    line = [MOBILEVD, "train", kind, "--set", f"run.out={out}"]
    for key, value in options.items():
        line += ["--set", f"{key}={value}"]
    return line + list(flags)


def train(kind, out, options, *flags, expect=0, env=None):
    done = subprocess.run(command(kind, out, options, *flags), capture_output=True, text=True, env=env, timeout=900)
    assert done.returncode == expect, f"exit {done.returncode}, expected {expect}: {done.stderr}"
    return done


def tensor_bytes(path):
    """Name -> (dtype, shape, hash of the bytes) of a safetensors file, without its metadata."""
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    header.pop("__metadata__", None)
    base = 8 + length
    return {
        name: (t["dtype"], t["shape"], hashlib.sha256(data[base + t["data_offsets"][0] : base + t["data_offsets"][1]]).hexdigest())
        for name, t in header.items()
    }


def newest(out):
    return max((pathlib.Path(out) / "checkpoints").glob("step-*"), key=lambda p: int(p.name.split("-")[1]))


def lines(out):
    return [json.loads(line) for line in (pathlib.Path(out) / "metrics.jsonl").read_text().splitlines()]


def checkpoint_steps(out):
    return [int(p.name.split("-")[1]) for p in (pathlib.Path(out) / "checkpoints").glob("step-*")]


def test_resume_is_exact(tmp):
    """40 steps, against three SIGKILLs at random moments: every byte of weights, moments and average is equal."""
    options = dict(TINY, **{"run.steps": 40})
    train("diffusion", tmp / "whole", options)
    rng = random.Random(7)
    kills = 0
    while kills < 3:
        run = subprocess.Popen(command("diffusion", tmp / "killed", options, "--resume"),
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        before = max(checkpoint_steps(tmp / "killed"), default=0)
        # Kill at a random moment after at least one new checkpoint, so that three kills are spread over the run.
        deadline = time.time() + 300
        while time.time() < deadline and run.poll() is None:
            if max(checkpoint_steps(tmp / "killed"), default=0) > before:
                break
            time.sleep(0.002)
        time.sleep(rng.uniform(0, 0.5))
        assert run.poll() is None, "the run ended before it could be killed: give it more steps"
        run.send_signal(signal.SIGKILL)
        run.wait()
        kills += 1
    train("diffusion", tmp / "killed", options, "--resume")
    for name in ("weights", "ema", "adam_first", "adam_second"):
        a = tensor_bytes(newest(tmp / "whole") / f"{name}.safetensors")
        b = tensor_bytes(newest(tmp / "killed") / f"{name}.safetensors")
        assert a and a == b, f"{name}: {sum(a[k] != b.get(k) for k in a)} of {len(a)} tensors differ"
    a, b = lines(tmp / "whole"), lines(tmp / "killed")
    assert [x["step"] for x in b] == list(range(1, 41)), "the log has every step once"
    assert [x["loss"] for x in a] == [x["loss"] for x in b], "losses are equal to the bit"
    weights = tensor_bytes(newest(tmp / "whole") / "weights.safetensors")
    average = tensor_bytes(newest(tmp / "whole") / "ema.safetensors")
    assert weights != average, "the average is not the weights"


def test_interrupt_saves(tmp):
    """SIGINT writes a checkpoint of that very step and exits with 6; a second run needs --resume."""
    options = dict(TINY, **{"run.steps": 1000, "checkpoint.steps": 0})
    run = subprocess.Popen(command("diffusion", tmp / "run", options), stderr=subprocess.PIPE, text=True)
    log = tmp / "run" / "metrics.jsonl"
    while not (log.exists() and log.read_text().count("\n") >= 3):
        assert run.poll() is None, run.stderr.read()
        time.sleep(0.01)
    run.send_signal(signal.SIGINT)
    message = run.communicate(timeout=60)[1]
    assert run.returncode == 6, (run.returncode, message)
    assert checkpoint_steps(tmp / "run") == [lines(tmp / "run")[-1]["step"]]
    refused = train("diffusion", tmp / "run", options, expect=2)
    assert "--resume" in refused.stderr, refused.stderr
    changed = train("diffusion", tmp / "run", dict(options, **{"optimiser.lr": 5e-4}), "--resume", expect=2)
    assert "optimiser.lr" in changed.stderr, changed.stderr


def test_export_runs(tmp):
    """The exported folder is a model that `generate` runs; samples and held-out losses were written."""
    options = dict(TINY, **{"run.steps": 2, "samples.steps": 2, "samples.count": 2, "samples.denoise_steps": 2,
                            "heldout.steps": 1, "heldout.clips": 2, "conditioning.image_encoder": "train"})
    done = train("diffusion", tmp / "run", options)
    model = pathlib.Path(done.stdout.strip())
    assert model == tmp / "run" / "model", done.stdout
    sheet = tmp / "run" / "samples" / "step-000002.png"
    assert sheet.exists() and (tmp / "run" / "samples" / "step-000002-1.mp4").exists()
    assert all("heldout_loss" in x for x in lines(tmp / "run"))
    assert list((tmp / "run" / "tensorboard").glob("events.out.tfevents.*"))
    clip = subprocess.run([MOBILEVD, "generate", str(sheet), "--model", str(model), "--height", "32", "--width", "48",
                           "--steps", "2", "-o", str(tmp / "clip.mp4")], capture_output=True, text=True)
    assert clip.returncode == 0 and (tmp / "clip.mp4").stat().st_size > 0, clip.stderr


def test_autoencoder(tmp):
    """The loss falls, and a diffusion run takes the exported folder."""
    options = {"model.preset": "svd-tiny", "model.taesd": json.dumps(TAESD), "data.height": 32, "data.width": 48,
               "run.steps": 60, "run.threads": 1, "run.batch": 2, "samples.steps": 60, "samples.count": 1,
               "schedule.warmup_steps": 5, "optimiser.lr": 2e-3, "heldout.steps": 60, "heldout.clips": 2}
    train("autoencoder", tmp / "ae", options)
    loss = [x["loss"] for x in lines(tmp / "ae")]
    assert sum(loss[-10:]) < 0.8 * sum(loss[:10]), loss
    model = tmp / "ae" / "model"
    train("diffusion", tmp / "run", dict(TINY, **{"run.steps": 1, "model.autoencoder": model}))
    a = tensor_bytes(model / "diffusion_pytorch_model.safetensors")
    b = tensor_bytes(tmp / "run" / "model" / "vae" / "diffusion_pytorch_model.safetensors")
    assert a == b, "the exported pipeline carries the autoencoder unchanged"


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def start_ranks(world, out, options, *flags):
    port = free_port()
    return [
        subprocess.Popen(command("diffusion", out, options, *flags), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                         text=True, env=dict(os.environ, RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE=str(world),
                                             MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port)))
        for rank in range(world)
    ]


def test_two_processes_equal_one(tmp):
    """The same global batch gives the same loss curve: sums in another order differ by f32's rounding alone."""
    options = dict(TINY, **{"run.steps": 20, "run.accumulation": 2})
    train("diffusion", tmp / "one", options)
    ranks = start_ranks(2, tmp / "two", dict(options, **{"run.accumulation": 1}))
    for rank in ranks:
        output = rank.communicate(timeout=600)
        assert rank.returncode == 0, output
    one, two = ([x["loss"] for x in lines(tmp / name)] for name in ("one", "two"))
    worst = max(abs(a - b) / abs(a) for a, b in zip(one, two))
    print(f"  two processes against one: worst relative difference of the loss {worst:.1e}")
    assert len(one) == len(two) == 20 and worst < 1e-5, worst


def test_dead_rank_ends_others(tmp):
    """A killed process makes the other end within a minute and say why."""
    ranks = start_ranks(2, tmp / "run", dict(TINY, **{"run.steps": 100000}))
    log = tmp / "run" / "metrics.jsonl"
    while not (log.exists() and log.read_text().count("\n") >= 2):
        assert all(rank.poll() is None for rank in ranks), [rank.communicate() for rank in ranks]
        time.sleep(0.01)
    ranks[1].kill()
    start = time.time()
    message = ranks[0].communicate(timeout=60)[1]
    print(f"  the other process ended after {time.time() - start:.1f} s")
    assert ranks[0].returncode == 7 and "another process" in message, (ranks[0].returncode, message)
    ranks[1].communicate()


def test_dry_run_and_init(tmp):
    """`init` prints a file that `--dry-run` reads back; unknown keys are refused by name."""
    for kind in ("diffusion", "autoencoder"):
        text = subprocess.run([MOBILEVD, "train", "init", kind], capture_output=True, text=True, check=True).stdout
        (tmp / "run.toml").write_text(text)
        done = subprocess.run([MOBILEVD, "train", kind, str(tmp / "run.toml"), "--dry-run"],
                              capture_output=True, text=True)
        assert done.returncode == 0 and done.stdout.startswith(text), done.stderr
    done = subprocess.run([MOBILEVD, "train", "diffusion", "--set", "optimiser.lrr=1", "-n"], capture_output=True, text=True)
    assert done.returncode == 2 and "optimiser.lrr" in done.stderr, (done.returncode, done.stderr)


def slow_picture_helps(tmp):
    """A few minutes of training: a model that sees the picture beats the same model that never does."""
    options = dict(TINY, **{"run.batch": 4, "run.steps": int(os.environ.get("MVD_SLOW_STEPS", "300")), "run.threads": 0,
                            "heldout.clips": 16, "heldout.steps": 100, "checkpoint.steps": 0, "ema.half_life": 200,
                            "samples.steps": 0, "optimiser.lr": 2e-3})
    ae = dict({k: options[k] for k in ("model.preset", "model.taesd", "data.height", "data.width")},
              **{"run.steps": 400, "optimiser.lr": 2e-3, "schedule.warmup_steps": 5, "samples.steps": 0, "heldout.steps": 0,
                 "run.batch": 8})
    train("autoencoder", tmp / "ae", ae)
    options["model.autoencoder"] = tmp / "ae" / "model"
    losses = {}
    for name, drop in (("picture", 0.1), ("none", 1)):
        train("diffusion", tmp / name, dict(options, **{"conditioning.drop_latent": drop,
                                                        "conditioning.drop_image_embedding": drop}))
        losses[name] = [x["heldout_loss"] for x in lines(tmp / name) if "heldout_loss" in x]
    print(f"  held-out loss: with the picture {losses['picture']}, without {losses['none']}")
    assert losses["picture"][-1] < 0.95 * losses["none"][-1], losses


def main():
    global MOBILEVD
    MOBILEVD = sys.argv[1]
    tests = {k: v for k, v in globals().items() if k.startswith(("test_", "slow_"))}
    names = sys.argv[2:] or [k for k in tests if k.startswith("test_")]
    failed = 0
    for name in names:
        start = time.time()
        with tempfile.TemporaryDirectory() as folder:
            try:
                tests[name](pathlib.Path(folder))
                print(f"ok      {name} ({time.time() - start:.1f} s)", flush=True)
            except Exception as error:
                failed += 1
                print(f"FAILED  {name}: {type(error).__name__}: {str(error)[:1500]}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
