"""Writes the seeds of corpus/: small legal files and one broken file a rule, in the fuzzers' own encoding.

    python make_corpus.py        (standard library only)
"""
import json
import pathlib
import struct

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
