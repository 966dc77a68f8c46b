#!/usr/bin/env python3
"""Makes testdata/goldens/inclusion_*.safetensors: inclusion probabilities under a budget, by an independent solver.

    make_inclusion_golden.py --out testdata/goldens

The problem (MobileVD, supplement, A4): minimise sum (p_i - c q_i)^2 over c and p with sum p = n, 0 <= p <= 1.
The best c for a given p is <p,q>/<q,q>, which leaves a convex function of p alone; projected gradient descent
onto the capped simplex solves it in float64, with nothing taken from the paper's closed form. The answer is
held against the optimality conditions before it is written. Needs numpy. Two runs write the same bytes.
"""

import argparse
import json
import os
import struct
import sys

import numpy as np


def project(x, budget):
    """The nearest point with sum `budget` in [0,1]^N: a common shift, then clipping."""
    low, high = -1.0 - x.max(), 1.0 - x.min()
    for _ in range(200):
        shift = (low + high) / 2
        if np.clip(x + shift, 0, 1).sum() < budget:
            low = shift
        else:
            high = shift
    return np.clip(x + (low + high) / 2, 0, 1)


def slope(p, direction):
    """Half the objective's gradient by p, c at its best."""
    return p - direction * (direction @ p)


def solve(q, budget):
    direction = q / np.linalg.norm(q)
    p = np.full(len(q), budget / len(q))
    # The gradient's Lipschitz constant is 1, the curvature along sum p = n at least 1/N.
    for _ in range(100 * len(q)):
        p = project(p - slope(p, direction), budget)
    return p


def check(p, q, budget):
    """KKT: the slope is one number where 0 < p < 1, no larger where p = 1 and no smaller where p = 0."""
    g = slope(p, q / np.linalg.norm(q))
    inner = (p > 1e-9) & (p < 1 - 1e-9)
    level = g[inner].mean() if inner.any() else g.max()
    residual = max(
        abs(p.sum() - budget),
        np.abs(g[inner] - level).max(initial=0),
        (g[p >= 1 - 1e-9] - level).max(initial=0),
        (level - g[p <= 1e-9]).max(initial=0),
    )
    if residual > 1e-9:
        raise ValueError(f"the optimality conditions are off by {residual}")
    return residual


def save_f32(path, tensors, metadata):
    """A safetensors file whose bytes are a function of its contents: names and keys sorted."""
    header, data = {"__metadata__": metadata}, b""
    for name, values in sorted(tensors.items()):
        begin = len(data)
        data += values.astype("<f4").tobytes()
        header[name] = {"dtype": "F32", "shape": list(values.shape), "data_offsets": [begin, len(data)]}
    text = json.dumps(header, sort_keys=True, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)


def write(out, name, q, budget):
    q = q.astype(np.float32)  # the problem is the one of the stored numbers
    p = solve(q.astype(np.float64), budget)
    residual = check(p, q.astype(np.float64), budget)
    path = os.path.join(out, f"inclusion_{name}.safetensors")
    tensors = {"input.importance": q, "output.probabilities": p.astype(np.float32)}
    save_f32(path, tensors, {"component": "inclusion_probabilities", "model": "", "budget": str(budget)})
    print(f"{path}: {len(q)} blocks, budget {budget}, {(p >= 1 - 1e-9).sum()} at 1, conditions within {residual:.0e}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", required=True, help="folder to write")
    out = parser.parse_args().out
    rng = np.random.Generator(np.random.PCG64(2412))
    # 38 temporal blocks, 11 kept: the paper's network at 70 %, first as it starts, then far into training.
    write(out, "38_11_mild", rng.uniform(0.35, 0.65, 38), 11)
    write(out, "38_11_saturated", 1 / (1 + np.exp(-rng.normal(-3.0, 3.5, 38))), 11)
    write(out, "38_4_steep", np.exp(rng.normal(0.0, 3.0, 38)), 4)
    # Equal values on both sides of the bound, and all but one kept.
    write(out, "7_6_ties", np.array([0.2, 3.0, 0.2, 3.0, 1.0, 0.2, 1.0]), 6)
    return 0


if __name__ == "__main__":
    sys.exit(main())
