"""The goldens' tiny models: configs of the real architectures, seeded weights, model folders on disk."""

import copy
import json
import os
import tempfile
import zlib

import diffusers
import safetensors.torch
import torch
import transformers

CROSS_DOWN, DOWN = "CrossAttnDownBlockSpatioTemporal", "DownBlockSpatioTemporal"
CROSS_UP, UP = "CrossAttnUpBlockSpatioTemporal", "UpBlockSpatioTemporal"

# SVD's own shape, narrow: four levels, the deepest without attention.
UNET_SVD = {
    "block_out_channels": (32, 32, 32, 32),
    "down_block_types": (CROSS_DOWN, CROSS_DOWN, CROSS_DOWN, DOWN),
    "up_block_types": (UP, CROSS_UP, CROSS_UP, CROSS_UP),
    "layers_per_block": 1,
    "num_attention_heads": (1, 2, 2, 4),
    "cross_attention_dim": 32,
    "addition_time_embed_dim": 32,
    "projection_class_embeddings_input_dim": 96,
    "num_frames": 14,
    "sample_size": 12,
}
# Another shape. 64 channels: on 32 a GroupNorm of 32 groups would cancel biases and the time embedding.
UNET_WIDE = {
    "block_out_channels": (64, 32),
    "down_block_types": (DOWN, CROSS_DOWN),
    "up_block_types": (CROSS_UP, UP),
    "layers_per_block": (1, 2),
    "num_attention_heads": (8, 4),
    "cross_attention_dim": 48,
    "addition_time_embed_dim": 64,
    "projection_class_embeddings_input_dim": 192,
    "num_frames": 5,
    "sample_size": 9,
}
VAE = {
    "block_out_channels": (64, 32, 32, 32),
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "layers_per_block": 2,  # with 1 the middle's attention is never called
    "latent_channels": 4,
    "sample_size": 64,
}
TAESD = {
    "encoder_block_out_channels": (16, 16, 16, 16),
    "decoder_block_out_channels": (16, 16, 16, 16),
    "num_encoder_blocks": (1, 2, 1, 1),
    "num_decoder_blocks": (1, 1, 2, 1),
}
# TAESD's own width and levels, fewer blocks.
TAESD_WIDE = {"num_encoder_blocks": (1, 1, 1, 1), "num_decoder_blocks": (1, 2, 1, 1)}
CLIP = {"hidden_size": 32, "intermediate_size": 80, "num_hidden_layers": 2, "num_attention_heads": 2}
CLIP_PIPELINE = dict(CLIP, patch_size=16, image_size=224, projection_dim=32, hidden_act="gelu")
CLIP_GELU = dict(CLIP, patch_size=14, image_size=56, projection_dim=24, hidden_act="gelu", num_attention_heads=4)
CLIP_QUICK = dict(CLIP, patch_size=8, image_size=40, projection_dim=40, hidden_act="quick_gelu", num_hidden_layers=3)
SCHEDULER = {
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "beta_start": 0.00085,
    "interpolation_type": "linear",
    "num_train_timesteps": 1000,
    "prediction_type": "v_prediction",
    "sigma_max": 700.0,
    "sigma_min": 0.002,
    "steps_offset": 1,
    "timestep_spacing": "leading",
    "timestep_type": "continuous",
    "use_karras_sigmas": True,
}
CLIP_MEAN = [0.48145466, 0.4578275, 0.40821073]
CLIP_STD = [0.26862954, 0.26130258, 0.27577711]


# ---- models ---------------------------------------------------------------------------------------


def seeded(name, shape, dtype=torch.float32):
    """Standard normal numbers that depend on the name alone."""
    generator = torch.Generator("cpu").manual_seed(zlib.crc32(name.encode()))
    return torch.randn(shape, generator=generator, dtype=dtype)


def coarse(value):
    """What F8_E4M3 holds: a byte each in the files."""
    return value.to(torch.float8_e4m3fn).to(torch.float64)


def fill(model, label):
    """Weights that let every term show: see the comments. Exact in bf16; the model is left in float64."""
    model = model.to(torch.float64).eval().requires_grad_(False)
    mixes = 0
    for name, parameter in model.named_parameters():
        noise = seeded(f"{label}/{name}", parameter.shape, torch.float64)
        leaf = name.rsplit(".", 1)[-1]
        if leaf == "mix_factor":
            # every blend another weight, none near one half by accident
            value = torch.full_like(parameter, (-1.0) ** mixes * (0.35 + 0.11 * (mixes % 13)))
            mixes += 1
        elif "embedding" in name and leaf != "bias" and not name.startswith(("time_", "add_")) and parameter.dim() < 4:
            value = 0.5 * noise  # class and position embeddings of the image encoder
        elif leaf == "bias":
            value = 0.2 * noise
        elif parameter.dim() == 1:
            value = 1.0 + 0.2 * noise  # a norm's gain
        else:
            gain = 1.0
            if any(part in name for part in ("to_q.", "to_k.", "q_proj.", "k_proj.")):
                gain = 1.6  # scores of deviation 2 to 3: attention that prefers some tokens
            value = coarse(gain * noise * parameter[0].numel() ** -0.5)
        parameter.copy_(value.to(torch.bfloat16).to(torch.float64))
    return model


def sort_header(path):
    """The safetensors library writes metadata in random order: sorted, two runs agree."""
    with open(path, "rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        data = file.read()
    metadata = header.pop("__metadata__", {})
    ordered = {"__metadata__": dict(sorted(metadata.items())), **header}
    text = json.dumps(ordered, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text + data)


def smallest(tensor):
    narrow = tensor.to(torch.float8_e4m3fn)
    return narrow if tensor.dim() >= 2 and torch.equal(narrow.to(tensor.dtype), tensor) else tensor


def save_model(model, folder):
    """A diffusers or transformers folder; weights in F8_E4M3 where it holds them, else bf16. Nothing in it tells of this
    machine."""
    os.makedirs(folder, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        copy_of(model, torch.bfloat16).save_pretrained(scratch)
        for name in sorted(os.listdir(scratch)):
            target = os.path.join(folder, name)
            if not name.endswith(".json"):
                tensors = safetensors.torch.load_file(os.path.join(scratch, name))
                safetensors.torch.save_file({key: smallest(t) for key, t in tensors.items()}, target, {"format": "pt"})
                sort_header(target)
                continue
            with open(os.path.join(scratch, name), encoding="utf-8") as file:
                config = json.load(file)
            config.pop("_name_or_path", None)
            write_json(target, config)


def write_json(path, value):
    with open(path, "w", encoding="utf-8") as file:
        json.dump(value, file, indent=2, sort_keys=True)
        file.write("\n")


def copy_of(model, dtype):
    return copy.deepcopy(model).to(dtype)


def make_clip(config, label):
    return fill(transformers.CLIPVisionModelWithProjection(transformers.CLIPVisionConfig(**config)), label)
