"""What the tests of `mobilevd train` share. The program is the first argument of the command line."""
import hashlib
import json
import pathlib
import struct
import subprocess
import sys
import tempfile
import time

MOBILEVD = sys.argv[1]
FILES = ("weights", "ema", "adam_first", "adam_second")  # of a checkpoint

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


def tensor_values(path, name):
    """An f32 tensor of a safetensors file as a list of numbers, and where its bytes lie in the file."""
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    t = json.loads(data[8 : 8 + length])[name]
    assert t["dtype"] == "F32", (name, t["dtype"])
    begin, end = (8 + length + offset for offset in t["data_offsets"])
    return struct.unpack(f"<{(end - begin) // 4}f", data[begin:end]), begin


def assert_equal_checkpoints(a, b):
    for name in FILES:
        x, y = tensor_bytes(newest(a) / f"{name}.safetensors"), tensor_bytes(newest(b) / f"{name}.safetensors")
        assert x and x == y, f"{name}: {sum(x[k] != y.get(k) for k in x)} of {len(x)} tensors differ"


def worst_difference(a, b, key="loss"):
    """Largest relative difference of the runs' loss curves."""
    one, two = ([x[key] for x in lines(out)] for out in (a, b))
    assert len(one) == len(two) > 0, (len(one), len(two))
    return max(abs(x - y) / abs(x) for x, y in zip(one, two))


def newest(out):
    return max((pathlib.Path(out) / "checkpoints").glob("step-*"), key=lambda p: int(p.name.split("-")[1]))


def lines(out):
    return [json.loads(line) for line in (pathlib.Path(out) / "metrics.jsonl").read_text().splitlines()]


def checkpoint_steps(out):
    return [int(p.name.split("-")[1]) for p in (pathlib.Path(out) / "checkpoints").glob("step-*")]


def run_tests(tests, names):
    """Runs the functions of `tests` (a module's globals) that `names` says, else all that begin with test_."""
    tests = {k: v for k, v in tests.items() if k.startswith(("test_", "slow_"))}
    failed = 0
    for name in names or [k for k in tests if k.startswith("test_")]:
        start = time.time()
        with tempfile.TemporaryDirectory() as folder:
            try:
                tests[name](pathlib.Path(folder))
                print(f"ok      {name} ({time.time() - start:.1f} s)", flush=True)
            except Exception as error:
                failed += 1
                print(f"FAILED  {name}: {type(error).__name__}: {str(error)[:1500]}", flush=True)
    return 1 if failed else 0
