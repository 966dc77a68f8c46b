"""Writes the seeds of corpus/: small legal files, and one broken file per rule, in the fuzzers' own encoding.

    python make_corpus.py PROGRAM        (the built program writes the pictures and clips; ffmpeg the JPEG)
"""
import io
import json
import pathlib
import struct
import subprocess
import sys
import tarfile
import tempfile

CORPUS = pathlib.Path(__file__).parent / "corpus"


def tensor(dtype="U8", shape=(4,), begin=0, end=4):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": [begin, end]}


def put(kind, name, content):
    folder = CORPUS / kind
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content)


def safetensors(name, header, data=b""):
    text = header.encode() if isinstance(header, str) else json.dumps(header, separators=(",", ":")).encode()
    put("safetensors", name + "_text", b"\x01" + text + b"\0" + data)
    put("safetensors", name + "_file", b"\x00" + struct.pack("<Q", len(text)) + text + data)


sizes = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "U8": 1}
every, at = {"__metadata__": {"format": "pt", "": "\n"}}, 0
for dtype, size in sizes.items():
    every[dtype] = tensor(dtype, (1, 2), at, at + 2 * size)
    at += 2 * size
safetensors("every_dtype", every, bytes(range(at)))
safetensors("no_tensors", {})
safetensors("empty_and_scalar", {"e": tensor("F32", (2, 0), 0, 0), "s": tensor("F32", (), 0, 4)}, b"abcd")
safetensors("overlap", {"a": tensor(), "b": tensor(begin=2, end=6)}, bytes(6))
safetensors("hole", {"a": tensor(), "b": tensor(begin=5, end=9)}, bytes(9))
safetensors("left_over", {"a": tensor()}, bytes(5))
safetensors("cut_short", {"a": tensor()}, bytes(3))
safetensors("overflow", {"a": tensor(shape=(2**32, 2**32), end=0)})
safetensors("negative", {"a": tensor(shape=(-1,), end=0)})
safetensors("rank_nine", {"a": tensor(shape=(1,) * 9, end=1)}, b"x")
safetensors("duplicate", '{"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},"\\u0061":{}}')
safetensors("padded", '{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}   ', b"x")

put("index", "shards", json.dumps({"metadata": {"total_size": 8}, "weight_map": {
    "a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}}).encode())
for number, shard in enumerate(["../a.safetensors", "/a.safetensors", "a\\b.safetensors", "..", "a.bin", None, 1]):
    put("index", f"bad_shard_{number}", json.dumps({"weight_map": {"a": shard}}).encode())
put("index", "duplicate", b'{"weight_map":{"a":"x.safetensors","a":"y.safetensors"}}')
put("index", "config", b'{"_class_name":"U","list":[1,2.5,-3,1e9,true,null],"deep":[[[["x"]]]],"text":"\\ud83d\\ude00"}')
put("index", "deep", b"[" * 20 + b"]" * 20)


PROGRAM = pathlib.Path(sys.argv[1]).resolve()
SOURCE = CORPUS.parent.parent

# Configs of the models that come along, and of the goldens.
for file in sorted(SOURCE.glob("models/demo/*/config.json")) + sorted(SOURCE.glob("testdata/goldens/*/config.json")):
    put("config", file.parent.name + "_" + file.parent.parent.name, file.read_bytes())
put("config", "empty", b"{}")

put("graph", "small", b"""graph "g"
x = Input {shape=(1,2,4,4,8), phase=step} : (1,2,4,4,8)
w = Weight : (8,8,3,3)
y = Conv2d(x, w, _) {stride=1, top=1, left=1, bottom=1, right=1, act=silu} : (1,2,4,4,8)
z = Add(x, y) @clip : (1,2,4,4,8)
output sample = z
""")
put("graph", "huge", b"""graph "g"
x = Input {shape=(1,9223372036854775807,4,4,8), phase=step}
y = Reshape(x) {shape=(4611686018427387904,4)}
output o = y
""")

for recipe in sorted(SOURCE.glob("recipes/*.toml")) + sorted(SOURCE.glob("recipes/demo/*.toml")):
    put("toml", recipe.stem, recipe.read_bytes())
put("toml", "numbers", b"[run]\nsteps = 9223372036854775807\n[optimiser]\nlr = 1e400\n[ema]\nhalf_life = nan\n")


def tar(members):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()[:8192]


about = json.dumps({"frames": 1, "height": 2, "width": 2, "fps": 7, "motion_bucket_id": 20}).encode()
sample = tar([("000000.rgb", bytes(12)), ("000000.json", about)])
put("tar", "sample", sample)
put("tar", "outside", tar([("../x", b"a"), ("/y", b"b"), ("a/../../z", b"c")]))
put("tar", "cut", sample[:700])
shards = {"format": "mobilevd shards 1", "height": 2, "width": 2, "frames": 1, "fps": 7, "clips": 0, "pictures": 1,
          "content_hash": "0" * 32, "shards": [{"file": "a.tar", "samples": 1, "bytes": "@", "xxh128": "0" * 32}]}
put("shards", "whole", json.dumps(shards).replace('"@"', "@").encode() + b"\0\0" + sample)
put("shards", "outside", json.dumps(shards).replace('"@"', "@").replace("a.tar", "../a.tar").encode() + b"\0\0" + sample)

with tempfile.TemporaryDirectory() as name:
    folder = pathlib.Path(name)
    photo = folder / "photo.ppm"
    photo.write_bytes(b"P6 16 16 255\n" + bytes(range(256)) * 3)
    put("picture", "ppm", photo.read_bytes())
    for kind, flags in [("jpg", ["-q:v", "20"]), ("png", []), ("webp", ["-q:v", "10"])]:
        subprocess.run(["ffmpeg", "-v", "error", "-y", "-i", photo, *flags, folder / f"photo.{kind}"], check=True)
        put("picture", kind, (folder / f"photo.{kind}").read_bytes())
    for kind in ["mp4", "webm", "gif", "webp", "y4m"]:
        clip = folder / f"clip.{kind}"
        subprocess.run([PROGRAM, "generate", photo, "-q", "--preset", "svd-tiny", "-H", "16", "-W", "16", "--frames", "2",
                        "--steps", "1", "-o", clip], check=True)
        put("clip", kind, clip.read_bytes())
    put("clip", "y4m_absurd", b"YUV4MPEG2 W999999999 H999999999 F0:0 Ip C420\nFRAME\n")
    frames = folder / "frames"
    subprocess.run([PROGRAM, "generate", photo, "-q", "--preset", "svd-tiny", "-H", "16", "-W", "16", "--frames", "1",
                    "--steps", "1", "--format", "png", "-o", frames], check=True)
    put("picture", "png_with_recipe", sorted(frames.glob("*.png"))[0].read_bytes())
