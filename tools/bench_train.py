#!/usr/bin/env python3
"""The same training step in mobilevd and in plain PyTorch eager with diffusers' UNet, in turns within one run: clips
per second of both, their ratio, and both losses for the same weights and inputs.

    bench_train.py --mobilevd build/mobilevd [--channels 64,128,256,256] [--dtype f32 bf16] [--rounds 2] [--steps 2]
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import torch
from diffusers import UNetSpatioTemporalConditionModel
from safetensors.torch import save_file


def make_unet(channels, frames):
    torch.manual_seed(0)
    heads = [max(1, c // 64) for c in channels]
    unet = UNetSpatioTemporalConditionModel(
        sample_size=32, block_out_channels=tuple(channels), addition_time_embed_dim=64,
        projection_class_embeddings_input_dim=192, cross_attention_dim=128, num_attention_heads=tuple(heads),
        num_frames=frames)
    return unet.train()


def make_inputs(frames, height, width):
    g = torch.Generator().manual_seed(1)
    randn = lambda *shape: torch.randn(*shape, generator=g)
    return {
        "latents": randn(1, frames, height, width, 4),
        "noise": randn(1, frames, height, width, 4),
        "condition": randn(1, 1, height, width, 4),
        "embeds": randn(1, 1, 1, 1, 128),
        "added_time_ids": torch.tensor([6.0, 127.0, 0.02]).view(1, 1, 1, 1, 3),
        "sigma": torch.tensor([1.7]),
    }


class Peer:
    """SVD's training step as a PyTorch user writes it: ||D - x0||^2 (1 + s^2)/s^2."""

    def __init__(self, unet, inputs, dtype, lr):
        self.unet, self.dtype = unet, dtype
        self.inputs = {k: v.clone() for k, v in inputs.items()}
        self.optimiser = torch.optim.AdamW(unet.parameters(), lr=lr, weight_decay=0.01)

    def step(self):
        i = self.inputs
        start = time.perf_counter()
        self.optimiser.zero_grad(set_to_none=True)
        first = lambda x: x.permute(0, 1, 4, 2, 3).contiguous()  # diffusers: (B,T,C,h,w)
        x0, noise, s = first(i["latents"]), first(i["noise"]), i["sigma"].view(1, 1, 1, 1, 1)
        noised = x0 + s * noise
        condition = first(i["condition"]).expand(-1, x0.shape[1], -1, -1, -1)
        sample = torch.cat([noised / (s**2 + 1) ** 0.5, condition], 2)
        with torch.autocast("cpu", torch.bfloat16, enabled=self.dtype == "bf16"):
            out = self.unet(sample, 0.25 * i["sigma"].log(), i["embeds"].view(1, 1, -1),
                            added_time_ids=i["added_time_ids"].view(1, 3)).sample
        denoised = noised / (s**2 + 1) - s / (s**2 + 1) ** 0.5 * out.float()
        loss = ((1 + s**2) / s**2 * (denoised - x0) ** 2).mean()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.unet.parameters(), 1.0)
        self.optimiser.step()
        return time.perf_counter() - start, loss.item()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--mobilevd", required=True)
    parser.add_argument("--channels", default="64,128,256,256")
    parser.add_argument("--frames", type=int, default=14)
    parser.add_argument("--height", type=int, default=16, help="latent rows")
    parser.add_argument("--width", type=int, default=32, help="latent columns")
    parser.add_argument("--dtype", nargs="+", default=["f32", "bf16"])
    parser.add_argument("--rounds", type=int, default=2, help="turns of each side")
    parser.add_argument("--steps", type=int, default=3, help="steps a turn; the first is not counted")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--tolerance", type=float, default=1e-4, help="relative difference of the f32 losses")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    channels = [int(c) for c in args.channels.split(",")]
    inputs = make_inputs(args.frames, args.height, args.width)
    ok = True
    for dtype in args.dtype:
        unet = make_unet(channels, args.frames)
        tensors = {"unet." + k: v.detach().clone().contiguous() for k, v in unet.state_dict().items()} | inputs
        config = {k: v for k, v in unet.config.items() if not k.startswith("_") or k == "_class_name"}
        config["_class_name"] = "UNetSpatioTemporalConditionModel"
        seconds, losses = {"mobilevd": [], "pytorch": []}, {}
        with tempfile.TemporaryDirectory() as folder:
            file = str(pathlib.Path(folder) / "step.safetensors")
            save_file(tensors, file, {"config": json.dumps(config)})
            peer = Peer(unet, inputs, dtype, 1e-5)
            for round_ in range(args.rounds):
                done = subprocess.run([args.mobilevd, "train", "bench-step", file, "--dtype", dtype, "--steps",
                                       str(args.steps), "--threads", str(args.threads)], capture_output=True, text=True)
                if done.returncode:
                    sys.exit(done.stderr)
                result = json.loads(done.stdout)
                losses.setdefault("mobilevd", result["loss"])
                seconds["mobilevd"] += result["seconds"][1:]
                steps = [peer.step() for _ in range(args.steps)]
                losses.setdefault("pytorch", steps[0][1])
                seconds["pytorch"] += [s for s, _ in steps[1:]]
        rate = {k: 1 / statistics.median(v) for k, v in seconds.items()}
        gap = abs(losses["mobilevd"] - losses["pytorch"]) / abs(losses["pytorch"])
        parameters = sum(p.numel() for p in unet.parameters())
        print(json.dumps({"dtype": dtype, "channels": channels, "parameters": parameters, "threads": args.threads,
                          "clips_per_second": {k: round(v, 3) for k, v in rate.items()},
                          "ratio": round(rate["mobilevd"] / rate["pytorch"], 3),
                          "loss": losses, "relative_difference": gap}), flush=True)
        ok = ok and (dtype != "f32" or gap <= args.tolerance)
    return 0 if ok else 8


if __name__ == "__main__":
    sys.exit(main())
