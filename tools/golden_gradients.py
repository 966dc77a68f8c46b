"""Gradients of diffusers' UNet in float64, for the C++ training to be held against."""

import os

import torch
from golden_models import seeded

# Of a tensor with more elements every STRIDE-th gradient is kept, which a wrong rule cannot hide from.
WHOLE, STRIDE = 1024, 13


def kept(gradient):
    flat = gradient.flatten()
    return flat if flat.numel() <= WHOLE else flat[::STRIDE]


def gradients(model, inputs, weights):
    """Of sum(weights * model(inputs)) in the sample and in every parameter that the output depends on."""
    model.requires_grad_(True)
    sample = inputs["sample"].clone().requires_grad_(True)
    rest = [inputs[key] for key in ("timestep", "encoder_hidden_states", "added_time_ids")]
    output = model(sample, *rest, return_dict=False)[0]
    (output * weights).sum().backward()
    found = {f"gradient.{name}": kept(p.grad) for name, p in model.named_parameters() if p.grad is not None}
    model.zero_grad(set_to_none=True)
    model.requires_grad_(False)
    return {"gradient": sample.grad, **found}


def gradient_goldens(out, wide, write_golden):
    os.makedirs(os.path.join(out, "gradients"), exist_ok=True)
    inputs = {
        "sample": seeded("gradients/sample", (2, 3, 8, 6, 4)),
        "timestep": torch.tensor(0.4),
        "encoder_hidden_states": seeded("gradients/context", (2, 1, 48)),
        "added_time_ids": torch.tensor([[6.0, 127.0, 0.02], [24.0, 40.0, 0.1]]),
    }
    weights = seeded("gradients/weights", (2, 3, 4, 6, 4))
    found = gradients(wide, {key: value.double() for key, value in inputs.items()}, weights.double())
    tensors = {f"input.{key}": value for key, value in inputs.items()}
    tensors.update(weights=weights, **found)
    metadata = {"component": "unet", "model": "unet_wide", "whole": WHOLE, "stride": STRIDE}
    write_golden(os.path.join(out, "gradients", "unet_wide.safetensors"), tensors, metadata)
