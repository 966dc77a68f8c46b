#!/usr/bin/env python3
"""Times mobilevd against what a user would otherwise run, in one run on one machine.

Peers: diffusers (PyTorch eager, bf16) and OpenVINO (bf16 hint, static shapes), both with random
weights of SVD's full size. Every peer lives in a process of its own, so that its peak memory is its
own; measured calls alternate between the peers, so that a machine that drifts drifts for all.
Speeds of different runs or machines are not comparable: read the ratios.

    bench_peers.py --mobilevd build/release/mobilevd --json peers.json
    bench_peers.py --skip openvino --component taesd_decoder
"""

import argparse
import importlib.util
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time

SVD_UNET = {
    "in_channels": 8,
    "out_channels": 4,
    "block_out_channels": (320, 640, 1280, 1280),
    "layers_per_block": 2,
    "num_attention_heads": (5, 10, 20, 20),
    "cross_attention_dim": 1024,
    "transformer_layers_per_block": 1,
    "addition_time_embed_dim": 256,
    "projection_class_embeddings_input_dim": 768,
    "num_frames": 14,
    "sample_size": 96,
}
PEERS = ("diffusers", "openvino", "mobilevd")


# ---- inside a worker process ----------------------------------------------------------------------


def fill_random(model):
    """Cheap random weights of sensible size: one normal buffer, repeated and scaled by 1/sqrt(fan in).

    A real generator over 1.5e9 weights would cost more than the measurement."""
    import torch

    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(1 << 20, generator=generator)
    for name, parameter in model.named_parameters():
        flat = parameter.data.view(-1)
        if parameter.dim() < 2:
            is_gain = name.endswith("weight")
            flat.copy_(noise[: flat.numel()] * 0.02 + (1.0 if is_gain else 0.0))
            continue
        scale = (parameter[0].numel()) ** -0.5
        chunk = (noise * scale).to(parameter.dtype)
        for start in range(0, flat.numel(), chunk.numel()):
            part = flat[start : start + chunk.numel()]
            part.copy_(chunk[: part.numel()])


def build_torch(component, dtype):
    """The component at full size with random weights; built on the meta device so that no initialiser runs."""
    import torch
    import diffusers

    with torch.device("meta"):
        if component == "unet":
            model = diffusers.UNetSpatioTemporalConditionModel(**SVD_UNET)
        else:
            model = diffusers.AutoencoderTiny()
    model = model.to(dtype).to_empty(device="cpu").eval().requires_grad_(False)
    fill_random(model)
    if component != "unet":
        return model.decoder

    class Unet(torch.nn.Module):
        """Positional tensors in, a tensor out: what tracing needs."""

        def __init__(self, unet):
            super().__init__()
            self.unet = unet

        def forward(self, sample, timestep, context, added_time_ids):
            return self.unet(sample, timestep, context, added_time_ids, return_dict=False)[0]

    return Unet(model)


def make_inputs(args, dtype):
    import torch

    generator = torch.Generator().manual_seed(1)
    h, w, t = args.height // 8, args.width // 8, args.frames
    if args.component == "taesd_decoder":
        return (torch.randn(t, 4, h, w, generator=generator).to(dtype),)
    sample = torch.randn(1, t, 8, h, w, generator=generator).to(dtype)
    context = torch.randn(1, 1, 1024, generator=generator).to(dtype)
    return sample, torch.tensor(0.8), context, torch.tensor([[6.0, 127.0, 0.02]]).to(dtype)


def serve(call):
    """Answers each line on stdin with the seconds of one call; at the end with the peak memory."""
    # The protocol goes to the original stdout; libraries that print must not disturb it.
    channel = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    call()
    print("ready", file=channel)
    for _ in sys.stdin:
        start = time.perf_counter()
        call()
        print(json.dumps(time.perf_counter() - start), file=channel)
    print(json.dumps(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024), file=channel)


def work_diffusers(args):
    import torch

    torch.set_num_threads(args.threads)
    model = build_torch(args.component, torch.bfloat16)
    inputs = make_inputs(args, torch.bfloat16)

    def call():
        with torch.inference_mode():
            result = model(*inputs)
        assert torch.isfinite(result).all(), "the peer's result is not finite"

    serve(call)


def convert_openvino(args):
    """Writes the traced, static model to args.ir; a process of its own since it needs several times the weights."""
    import openvino
    import torch

    torch.set_num_threads(args.threads)
    model = build_torch(args.component, torch.float32)
    inputs = make_inputs(args, torch.float32)
    with torch.inference_mode():
        converted = openvino.convert_model(
            model, example_input=inputs, input=[openvino.PartialShape(list(x.shape)) for x in inputs]
        )
    del model
    openvino.save_model(converted, args.ir, compress_to_fp16=True)


def work_openvino(args):
    import numpy
    import openvino

    core = openvino.Core()
    options = {
        "INFERENCE_PRECISION_HINT": "bf16",
        "INFERENCE_NUM_THREADS": args.threads,
        "PERFORMANCE_HINT": "LATENCY",
        "NUM_STREAMS": 1,
    }
    compiled = core.compile_model(args.ir, "CPU", options)
    import torch

    inputs = [x.numpy() for x in make_inputs(args, torch.float32)]
    request = compiled.create_infer_request()

    def call():
        request.infer(dict(enumerate(inputs)), share_inputs=True)
        assert numpy.isfinite(request.get_output_tensor(0).data).all(), "the peer's result is not finite"

    serve(call)


# ---- the parent -----------------------------------------------------------------------------------


class Worker:
    """A peer in its own process, answering one call a line."""

    def __init__(self, args, peer, extra=()):
        self.peer = peer
        self.process = subprocess.Popen(
            worker_command(args, peer) + list(extra),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
            env=worker_environment(args),
        )
        self.seconds = []
        self.peak = None

    def _answer(self):
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.peer} ended with status {self.process.wait()}")
        return line.strip()

    def wait_ready(self):
        self._answer()

    def measure(self):
        self.process.stdin.write("\n")
        self.seconds.append(float(self._answer()))

    def finish(self):
        self.process.stdin.close()
        self.peak = int(self._answer())
        self.process.wait()


class Mobilevd:
    """`mobilevd bench`, a fresh process a round: it warms itself up and reports its own figures."""

    def __init__(self, args):
        self.peer = "mobilevd"
        self.command = [args.mobilevd, "bench", "--preset", "svd", "--component", args.component, "--dtype", "bf16"]
        self.command += ["--json", "--threads", str(args.threads), "--height", str(args.height)]
        self.command += ["--width", str(args.width), "--frames", str(args.frames)] + args.mobilevd_args
        self.env = worker_environment(args)
        self.seconds = []
        self.peak = 0
        self.reported = []

    def wait_ready(self):
        pass

    def measure(self):
        done = subprocess.run(self.command, stdout=subprocess.PIPE, text=True, env=self.env)
        if done.returncode != 0:
            raise RuntimeError(f"mobilevd ended with status {done.returncode}: {' '.join(self.command)}")
        report = json.loads(done.stdout)
        self.reported.append(report)
        self.seconds.append(report["seconds"]["median"])
        self.peak = max(self.peak, report["peak_rss_bytes"])

    def finish(self):
        pass


def worker_command(args, peer):
    command = [sys.executable, os.path.abspath(__file__), "--worker", peer, "--component", args.component]
    command += ["--threads", str(args.threads), "--height", str(args.height), "--width", str(args.width)]
    return command + ["--frames", str(args.frames)]


def worker_environment(args):
    return dict(os.environ, OMP_NUM_THREADS=str(args.threads))


def convert(args, folder):
    """Runs the conversion unless the folder has it; returns the file and a report of the cost."""
    name = f"{args.component}_{args.frames}x{args.height}x{args.width}"
    ir = os.path.join(folder, name, "model.xml")
    if os.path.isfile(ir):
        return ir, {}
    start = time.perf_counter()
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    with tempfile.TemporaryDirectory(prefix="partial_", dir=folder) as partial:
        target = os.path.join(partial, name)
        os.makedirs(target)
        # stdout belongs to our own table
        command = worker_command(args, "convert") + ["--ir", os.path.join(target, "model.xml")]
        subprocess.run(command, check=True, stdout=sys.stderr)
        os.rename(target, os.path.dirname(ir))
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    seconds = time.perf_counter() - start
    return ir, {"convert_seconds": seconds, "convert_peak_rss_bytes": max(peak, before) * 1024}


def unavailable(args, peer):
    """Why this peer cannot run here, or None."""
    if peer in args.skip:
        return "skipped by --skip"
    needs = {"diffusers": ("torch", "diffusers"), "openvino": ("torch", "diffusers", "openvino"), "mobilevd": ()}
    for module in needs[peer]:
        if importlib.util.find_spec(module) is None:
            return f"python package {module} is not installed"
    if peer == "mobilevd" and not (os.path.isfile(args.mobilevd) and os.access(args.mobilevd, os.X_OK)):
        return f"{args.mobilevd} is not there (name it with --mobilevd)"
    return None


def versions(peers):
    from importlib import metadata

    wanted = ["torch", "diffusers"] if {"diffusers", "openvino"} & set(peers) else []
    wanted += ["openvino"] if "openvino" in peers else []
    return {name: metadata.version(name) for name in wanted}


def cpu_name():
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            fields = dict(line.split(":", 1) for line in file if ":" in line)
    except OSError:
        return platform.processor()
    fields = {key.strip(): value.strip() for key, value in fields.items()}
    flags = fields.get("flags", fields.get("Features", "")).split()
    has = [flag for flag in ("avx512f", "avx512_bf16", "amx_bf16", "bf16", "i8mm") if flag in flags]
    return f"{fields.get('model name', platform.machine())} family {fields.get('cpu family', '?')} ({' '.join(has)})"


def start_peer(args, peer, ir):
    if peer == "mobilevd":
        runner = Mobilevd(args)
    else:
        runner = Worker(args, peer, ["--ir", ir] if peer == "openvino" else [])
    runner.wait_ready()
    return runner


def start_peers(args, folder):
    """Starts and warms every peer that can run, one after the other; returns them and what the conversion cost.

    The conversion comes first: it needs 18 GB, which it must not share with a peer that holds its weights."""
    reasons = {peer: unavailable(args, peer) for peer in PEERS}
    ir, extra = None, {}
    if not reasons["openvino"]:
        try:
            ir, extra["openvino"] = convert(args, folder)
        except subprocess.CalledProcessError as error:
            reasons["openvino"] = str(error)
    runners = []
    for peer in PEERS:
        try:
            if not reasons[peer]:
                runners.append(start_peer(args, peer, ir))
        except RuntimeError as error:
            reasons[peer] = str(error)
        if reasons[peer]:
            print(f"{peer}: not measured: {reasons[peer]}", file=sys.stderr)
    return runners, extra


def measure_all(runners, reps):
    """`reps` rounds, each calling every peer once. A peer that fails drops out with a line."""
    alive = list(runners)
    for _ in range(reps):
        for runner in list(alive):
            try:
                runner.measure()
            except (RuntimeError, ValueError, KeyError) as error:
                print(f"{runner.peer}: not measured: {error}", file=sys.stderr)
                alive.remove(runner)
    for runner in alive:
        runner.finish()
    return alive


def summarise(runner, extra):
    seconds = {"median": statistics.median(runner.seconds), "min": min(runner.seconds), "max": max(runner.seconds)}
    row = {"peer": runner.peer, "seconds": seconds, "all_seconds": runner.seconds, "peak_rss_bytes": runner.peak}
    row.update(extra.get(runner.peer, {}))
    if runner.peer == "mobilevd":
        row["isa"] = runner.reported[-1].get("isa")
    return row


def print_table(rows):
    ours = next((row for row in rows if row["peer"] == "mobilevd"), None)
    print("| engine | median s | min s | max s | peak memory GB | conversion | times mobilevd |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for row in rows:
        s = row["seconds"]
        ratio = f"{s['median'] / ours['seconds']['median']:.2f}" if ours else "-"
        cost = "-"
        if "convert_seconds" in row:
            cost = f"{row['convert_seconds']:.0f} s, {row['convert_peak_rss_bytes'] / 1e9:.1f} GB"
        print(
            f"| {row['peer']} | {s['median']:.3f} | {s['min']:.3f} | {s['max']:.3f} "
            f"| {row['peak_rss_bytes'] / 1e9:.2f} | {cost} | {ratio} |"
        )


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--component", choices=("unet", "taesd_decoder"), default="unet")
    parser.add_argument("--height", type=int, default=256, help="pixels")
    parser.add_argument("--width", type=int, default=512, help="pixels")
    parser.add_argument("--frames", type=int, default=14)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--reps", type=int, default=5, help="measured calls a peer, after one warm-up")
    parser.add_argument("--mobilevd", default="build/release/mobilevd", help="the program to measure")
    parser.add_argument("--mobilevd-args", default="", help="further options of `mobilevd bench`, one string")
    parser.add_argument("--skip", action="append", default=[], choices=PEERS, help="may be given several times")
    parser.add_argument("--keep", metavar="FOLDER", help="keep OpenVINO's converted model there, and use it again")
    parser.add_argument("--json", metavar="FILE", help="write the figures there")
    parser.add_argument("--worker", choices=("diffusers", "openvino", "convert"), help=argparse.SUPPRESS)
    parser.add_argument("--ir", help=argparse.SUPPRESS)
    args = parser.parse_args()
    args.mobilevd_args = args.mobilevd_args.split()
    if args.height % 64 or args.width % 64:
        parser.error("--height and --width must be multiples of 64")
    if args.reps < 1 or args.frames < 1 or args.threads < 1:
        parser.error("--reps, --frames and --threads must be at least 1")
    return args


def main():
    args = parse_arguments()
    if args.worker:
        {"diffusers": work_diffusers, "openvino": work_openvino, "convert": convert_openvino}[args.worker](args)
        return 0
    load_before = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="bench_peers_") as temporary:
        runners, extra = start_peers(args, args.keep or temporary)
        alive = measure_all(runners, args.reps)
    rows = [summarise(runner, extra) for runner in alive]
    if not rows:
        print("nothing was measured", file=sys.stderr)
        return 1
    case = f"{args.component}, {args.frames} frames, {args.width}x{args.height} px, bf16, {args.threads} threads"
    print(f"{case}; {args.reps} reps; {cpu_name()}; load {load_before:.1f} before, {os.getloadavg()[0]:.1f} after")
    print_table(rows)
    if args.json:
        report = {
            "component": args.component,
            "height": args.height,
            "width": args.width,
            "frames": args.frames,
            "threads": args.threads,
            "cpu": cpu_name(),
            "load_before": load_before,
            "versions": versions([row["peer"] for row in rows]),
            "peers": rows,
        }
        partial = args.json + ".partial"
        with open(partial, "w", encoding="utf-8") as file:
            json.dump(report, file, indent=1)
            file.write("\n")
        os.replace(partial, args.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
