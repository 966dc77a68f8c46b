#!/usr/bin/env python3
"""Makes testdata/goldens: tiny seeded models of the real architectures and what diffusers computes with them.

    make_goldens.py --out testdata/goldens

The models are diffusers' and transformers' own classes with random weights, rounded to bf16 and stored so.
Every golden output is computed from exactly these weights in float64 and stored as f32: it is the truth, and
the original's own error in f32 and bf16 stands in the golden's metadata. What the originals do in f32
whatever the model's type (the sinusoids of timesteps, the noise schedule) stays in f32 here too.
Two runs on one machine write the same bytes.
"""

import argparse
import contextlib
import json
import os
import sys
import tempfile

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import diffusers  # noqa: E402
import numpy as np  # noqa: E402
import torch  # noqa: E402
import transformers  # noqa: E402
import golden_models as tiny  # noqa: E402
from diffusers.models.embeddings import Timesteps  # noqa: E402
from diffusers.pipelines.stable_video_diffusion import pipeline_stable_video_diffusion as svd  # noqa: E402
from PIL import Image  # noqa: E402
from golden_gradients import gradient_goldens  # noqa: E402
from golden_models import copy_of, fill, make_clip, save_model, seeded, sort_header, write_json  # noqa: E402
from safetensors.torch import save_file  # noqa: E402

@contextlib.contextmanager
def only_float64(*models):
    """Fails if a module answers in less than float64; the sinusoids alone are f32 in the original."""
    handles = []

    def hook(module, _, output):
        tensors = output if isinstance(output, (tuple, list)) else [output]
        for tensor in tensors:
            if torch.is_tensor(tensor) and tensor.is_floating_point() and tensor.dtype != torch.float64:
                raise TypeError(f"{type(module).__name__} answered in {tensor.dtype}")

    for model in models:
        for module in model.modules():
            if not isinstance(module, Timesteps):
                handles.append(module.register_forward_hook(hook))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


# ---- goldens --------------------------------------------------------------------------------------


def relative_rms(got, want):
    got, want = got.to(torch.float64), want.to(torch.float64)
    return (torch.linalg.vector_norm(got - want) / torch.linalg.vector_norm(want)).item()


def write_golden(path, tensors, metadata):
    stored = {}
    for name, tensor in tensors.items():
        if not torch.isfinite(tensor.double()).all():
            raise ValueError(f"{path}: {name} is not finite")
        kept = tensor if tensor.dtype == torch.uint8 else tensor.to(torch.float32)
        stored[name] = kept.contiguous().clone()
    save_file(stored, path, {key: str(value) for key, value in metadata.items()})
    sort_header(path)
    sizes = " ".join(f"{key}={value}" for key, value in sorted(metadata.items()) if key.endswith("rel_rms"))
    print(f"{os.path.basename(path)}: {os.path.getsize(path)} bytes {sizes}")


def compare(run, model, inputs):
    """run(model, inputs) -> {name: tensor} in float64, and the worst relative RMS error of f32 and bf16."""
    with only_float64(model):
        truth = run(model, {name: value.to(torch.float64) for name, value in inputs.items()})
    errors = {}
    for key, dtype in (("f32_rel_rms", torch.float32), ("bf16_rel_rms", torch.bfloat16)):
        # timesteps and ids feed the sinusoids, which the pipeline computes from f32
        cast = {name: value if name == "timestep" else value.to(dtype) for name, value in inputs.items()}
        got = run(copy_of(model, dtype), cast)
        errors[key] = f"{max(relative_rms(got[name], truth[name]) for name in truth):.2e}"
    return truth, errors


def component_golden(out, name, component, model, folder, run, inputs, **metadata):
    truth, errors = compare(run, model, inputs)
    tensors = {f"input.{key}": value for key, value in inputs.items()}
    tensors.update({f"output.{key}": value for key, value in truth.items()})
    metadata = dict(metadata, component=component, model=folder, **errors)
    write_golden(os.path.join(out, name + ".safetensors"), tensors, metadata)


def run_unet(model, x):
    sample = model(x["sample"], x["timestep"], x["encoder_hidden_states"], x["added_time_ids"], return_dict=False)[0]
    return {"sample": sample}


def unet_goldens(out, unet, wide):
    def inputs(label, batch, frames, height, width, timestep, dim, ids):
        sample = seeded(label + "/sample", (batch, frames, 8, height, width))
        context = seeded(label + "/context", (batch, 1, dim))
        return {
            "sample": sample,
            "timestep": timestep,
            "encoder_hidden_states": context,
            "added_time_ids": torch.tensor(ids),
        }

    ids, ids2 = [[6.0, 127.0, 0.02]], [[6.0, 127.0, 0.02], [24.0, 40.0, 0.1]]
    svd_ids = inputs("unet_svd", 1, 14, 12, 10, torch.tensor(1.6378), 32, ids)
    component_golden(out, "unet_svd_14x12x10", "unet", unet, "pipeline/unet", run_unet, svd_ids)
    odd = inputs("unet_svd_odd", 2, 3, 9, 11, torch.tensor([-0.31]), 32, ids2)
    component_golden(out, "unet_svd_b2_3x9x11", "unet", unet, "pipeline/unet", run_unet, odd)
    odd = inputs("unet_wide", 2, 5, 9, 7, torch.tensor([0.4]), 48, ids2)
    component_golden(out, "unet_wide_b2_5x9x7", "unet", wide, "unet_wide", run_unet, odd)
    single = inputs("unet_wide_single", 1, 1, 6, 4, torch.tensor(-1.2), 48, ids)
    component_golden(out, "unet_wide_1x6x4", "unet", wide, "unet_wide", run_unet, single)
    large = inputs("unet_wide_large", 1, 2, 16, 8, torch.tensor(0.9), 48, ids)
    component_golden(out, "unet_wide_2x16x8", "unet", wide, "unet_wide", run_unet, large)


def vae_goldens(out, vae, taesd, taesd_wide):
    def encode(model, x):
        return {"latent": model.encode(x["image"]).latent_dist.mode()}

    def decode(frames):
        return lambda model, x: {"image": model.decode(x["latent"], num_frames=frames).sample}

    def tiny_encode(model, x):
        return {"latent": model.encode(x["image"]).latents}

    def tiny_decode(model, x):
        return {"image": model.decode(x["latent"]).sample}

    def image(label, *shape):
        return {"image": seeded(label, shape).mul(0.5).clamp(-1, 1)}

    def latent(label, *shape):
        return {"latent": seeded(label, shape) * 3}

    folder = "pipeline/vae"
    component_golden(out, "vae_encoder_32x48", "vae_encoder", vae, folder, encode, image("e0", 2, 3, 32, 48))
    component_golden(out, "vae_encoder_45x37", "vae_encoder", vae, folder, encode, image("e1", 1, 3, 45, 37))
    cases = (("b2_t3_4x3", 3, (6, 4, 4, 3)), ("t3_5x4", 3, (3, 4, 5, 4)), ("t1_3x5", 1, (2, 4, 3, 5)))
    for label, frames, shape in cases:
        name = "vae_decoder_" + label
        inputs = latent(name, *shape)
        component_golden(out, name, "vae_decoder", vae, folder, decode(frames), inputs, num_frames=frames)
    folder = "taesd"
    component_golden(out, "taesd_decoder_5x3", "taesd_decoder", taesd, folder, tiny_decode, latent("t0", 3, 4, 5, 3))
    component_golden(out, "taesd_encoder_40x24", "taesd_encoder", taesd, folder, tiny_encode, image("t1", 2, 3, 40, 24))
    component_golden(out, "taesd_encoder_37x45", "taesd_encoder", taesd, folder, tiny_encode, image("t2", 1, 3, 37, 45))
    wide, folder = taesd_wide, "taesd_wide"  # large enough for the fast 3x3 convolutions of full-size models
    component_golden(out, "taesd_decoder_21x22", "taesd_decoder", wide, folder, tiny_decode, latent("t3", 1, 4, 21, 22))
    component_golden(out, "taesd_encoder_33x34", "taesd_encoder", wide, folder, tiny_encode, image("t4", 1, 3, 33, 34))


def image_encoder_goldens(out, gelu, quick):
    def run(model, x):
        return {"image_embeds": model(x["pixel_values"]).image_embeds}

    for name, model, size in (("image_encoder_gelu", gelu, 56), ("image_encoder_quick_gelu", quick, 40)):
        inputs = {"pixel_values": seeded(name, (2, 3, size, size))}
        component_golden(out, name, "image_encoder", model, name, run, inputs)


def normalise(image):
    """CLIP's normalisation of an image in [0,1], as the feature extractor does it."""
    mean, std = (torch.tensor(v, dtype=image.dtype).view(3, 1, 1) for v in (tiny.CLIP_MEAN, tiny.CLIP_STD))
    return (image - mean) / std


def preprocess(image):
    """The pipeline's _encode_image up to the network, for an image in [-1,1] of any type."""
    return normalise((svd._resize_with_antialiasing(image, (224, 224)) + 1.0) / 2.0)


def image_preprocess_golden(out, extractor):
    # enlarged in height, reduced threefold in width: both the blur and the plain bicubic path
    image = picture("preprocess", 31, 675).permute(2, 0, 1)[None].to(torch.float32) / 127.5 - 1.0
    pixels = preprocess(image.to(torch.float64))
    in_f32 = extractor(
        images=(svd._resize_with_antialiasing(image, (224, 224)) + 1.0) / 2.0,
        do_normalize=True,
        do_center_crop=False,
        do_resize=False,
        do_rescale=False,
        return_tensors="pt",
    ).pixel_values
    error = relative_rms(in_f32, pixels)
    if error > 1e-5:
        raise ValueError(f"the feature extractor and its f64 twin differ by {error}")
    metadata = {"component": "image_preprocess", "model": "", "f32_rel_rms": f"{error:.2e}"}
    tensors = {"input.image": image, "output.pixel_values": pixels}
    write_golden(os.path.join(out, "image_preprocess_31x675.safetensors"), tensors, metadata)


def scheduler_goldens(out, scheduler):
    for steps in (1, 2, 25):
        scheduler.set_timesteps(steps)
        tensors = {"output.sigmas": scheduler.sigmas, "output.timesteps": scheduler.timesteps}
        metadata = {"component": "scheduler", "model": "pipeline/scheduler", "num_inference_steps": steps}
        write_golden(os.path.join(out, f"scheduler_{steps}.safetensors"), tensors, metadata)


# ---- the pipeline ---------------------------------------------------------------------------------


class EulerFloat64(diffusers.EulerDiscreteScheduler):
    """The original's schedule (f32 values) and its Euler step, without its rounding of the sample to f32."""

    def set_timesteps(self, *args, **kwargs):
        super().set_timesteps(*args, **kwargs)
        self.sigmas = self.sigmas.to(torch.float64)

    def step(self, model_output, timestep, sample, **_):
        if self.step_index is None:
            self._init_step_index(timestep)
        sigma, following = self.sigmas[self.step_index], self.sigmas[self.step_index + 1]
        denoised = model_output * (-sigma / (sigma**2 + 1) ** 0.5) + sample / (sigma**2 + 1)
        previous = sample + (sample - denoised) / sigma * (following - sigma)
        self._step_index += 1
        return diffusers.schedulers.scheduling_euler_discrete.EulerDiscreteSchedulerOutput(prev_sample=previous)


def picture(label, height, width):
    """A seeded u8 picture with soft areas and fine texture."""
    y, x = torch.meshgrid(torch.linspace(0, 1, height), torch.linspace(0, 1, width), indexing="ij")
    soft = torch.stack([x * 0.8 + 0.1, 0.5 + 0.4 * torch.sin(7 * y + 3 * x), 0.9 - 0.7 * x * y], dim=-1)
    noise = seeded(label, (height, width, 3))
    return ((soft + 0.08 * noise).clamp(0, 1) * 255).round().to(torch.uint8)


@contextlib.contextmanager
def given_noise(noise):
    """The pipeline draws the image's noise itself: let it draw ours."""
    original = svd.randn_tensor

    def draw(shape, **_):
        if tuple(shape) != tuple(noise.shape):
            raise ValueError(f"the pipeline wants noise of {tuple(shape)}, expected {tuple(noise.shape)}")
        return noise

    svd.randn_tensor = draw
    try:
        yield
    finally:
        svd.randn_tensor = original


def run_pipeline(pipe, image, image_noise, latent_noise, options, dtype):
    """Final latents and frames; `dtype` is that of the networks."""
    seen = {}

    def keep(_, step, timestep, tensors):
        seen["latents"] = tensors["latents"]
        return {}

    # In f64 the noise lifts the image to f64 as well; else all is as the original does it.
    noise = image_noise.to(torch.float64) if dtype == torch.float64 else image_noise
    with given_noise(noise):
        frames = pipe(
            Image.fromarray(image.numpy()),
            latents=latent_noise.to(dtype),
            output_type="pt",
            callback_on_step_end=keep,
            return_dict=False,
            **options,
        )
    return {"latents": seen["latents"], "frames": frames[0].permute(0, 2, 3, 1)}


@contextlib.contextmanager
def image_branch_in_float64(pipe):
    """The pipeline resizes and normalises the image in f32 before the image encoder: the same in float64."""
    original = pipe._encode_image

    def encode(image, device, count, guided):
        pixels = torch.from_numpy(np.asarray(image, dtype=np.float64) / 255.0).permute(2, 0, 1)[None]
        embeds = pipe.image_encoder(preprocess(pixels * 2.0 - 1.0)).image_embeds[:, None]
        return torch.cat([torch.zeros_like(embeds), embeds]) if guided else embeds

    pipe._encode_image = encode
    try:
        yield
    finally:
        pipe._encode_image = original


def pipeline_golden(out, name, parts, **options):
    height, width, frames = options["height"], options["width"], options["num_frames"]
    image = picture(name, height, width)
    image_noise = seeded(name + "/image_noise", (1, 3, height, width))
    latent_noise = seeded(name + "/latent_noise", (1, frames, 4, height // 8, width // 8))
    results = {}
    for dtype in (torch.float64, torch.float32, torch.bfloat16):
        models = {key: copy_of(parts[key], dtype) for key in ("unet", "vae", "image_encoder")}
        kind = EulerFloat64 if dtype == torch.float64 else diffusers.EulerDiscreteScheduler
        scheduler = kind(**tiny.SCHEDULER)
        pipe = svd.StableVideoDiffusionPipeline(
            scheduler=scheduler, feature_extractor=parts["feature_extractor"], **models
        )
        pipe.set_progress_bar_config(disable=True)
        with contextlib.ExitStack() as stack:
            if dtype == torch.float64:
                stack.enter_context(only_float64(*models.values()))
                stack.enter_context(image_branch_in_float64(pipe))
            results[dtype] = run_pipeline(pipe, image, image_noise, latent_noise, options, dtype)
    truth = results[torch.float64]
    metadata = dict(options, component="pipeline", model="pipeline")
    for key, dtype in (("f32_rel_rms", torch.float32), ("bf16_rel_rms", torch.bfloat16)):
        metadata[key] = f"{max(relative_rms(results[dtype][name], truth[name]) for name in truth):.2e}"
    tensors = {"input.image": image, "input.image_noise": image_noise, "input.latent_noise": latent_noise}
    tensors.update({f"output.{key}": value for key, value in truth.items()})
    write_golden(os.path.join(out, name + ".safetensors"), tensors, metadata)


def pipeline_goldens(out, parts):
    pipeline_golden(
        out,
        "pipeline_guided",
        parts,
        height=96,  # at least 2x2 latents on the deepest level: a GroupNorm over one number divides by noise
        width=72,
        num_frames=3,
        num_inference_steps=4,
        fps=9,
        motion_bucket_id=90,
        noise_aug_strength=0.05,
        min_guidance_scale=1.0,
        max_guidance_scale=2.5,
        decode_chunk_size=2,
    )
    pipeline_golden(
        out,
        "pipeline_unguided",
        parts,
        height=72,
        width=88,
        num_frames=2,
        num_inference_steps=1,
        fps=7,
        motion_bucket_id=127,
        noise_aug_strength=0.02,
        min_guidance_scale=1.0,
        max_guidance_scale=1.0,
        decode_chunk_size=2,
    )


def save_pipeline_folder(out, parts, scheduler):
    folder = os.path.join(out, "pipeline")
    for name in ("unet", "vae", "image_encoder"):
        save_model(parts[name], os.path.join(folder, name))
    for name, part in (("scheduler", scheduler), ("feature_extractor", parts["feature_extractor"])):
        os.makedirs(os.path.join(folder, name), exist_ok=True)
        with tempfile.TemporaryDirectory() as scratch:
            part.save_pretrained(scratch)
            for file in sorted(os.listdir(scratch)):
                with open(os.path.join(scratch, file), encoding="utf-8") as source:
                    write_json(os.path.join(folder, name, file), json.load(source))
    index = {
        "_class_name": "StableVideoDiffusionPipeline",
        "_diffusers_version": diffusers.__version__,
        "feature_extractor": ["transformers", "CLIPImageProcessor"],
        "image_encoder": ["transformers", "CLIPVisionModelWithProjection"],
        "scheduler": ["diffusers", "EulerDiscreteScheduler"],
        "unet": ["diffusers", "UNetSpatioTemporalConditionModel"],
        "vae": ["diffusers", "AutoencoderKLTemporalDecoder"],
    }
    write_json(os.path.join(folder, "model_index.json"), index)


# ---- random numbers -------------------------------------------------------------------------------


def rng_golden(out):
    """torch.randn on the CPU changes its algorithm at 16 numbers and mixes its tail: sizes around that, and
    one clip's worth of noise (14 frames of 32 x 64 x 4) of which the ends are kept."""
    tensors = {}
    for seed in (0, 1234):
        for size in (5, 16, 17, 1000, 114688):
            values = torch.randn(size, generator=torch.Generator("cpu").manual_seed(seed))
            name = f"output.seed{seed}_n{size}"
            if size <= 1000:
                tensors[name] = values
            else:
                tensors[name + "_first64"] = values[:64]
                tensors[name + "_last64"] = values[-64:]
    metadata = {"component": "rng_torch", "torch": torch.__version__}
    write_golden(os.path.join(out, "rng_torch.safetensors"), tensors, metadata)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", required=True, help="folder to write; the model folders and goldens in it are replaced")
    args = parser.parse_args()
    torch.set_num_threads(1)  # one order of summation, so that a second run gives the same bytes
    diffusers.utils.logging.set_verbosity_error()
    os.makedirs(args.out, exist_ok=True)

    parts = {
        "unet": fill(diffusers.UNetSpatioTemporalConditionModel(**tiny.UNET_SVD), "unet_svd"),
        "vae": fill(diffusers.AutoencoderKLTemporalDecoder(**tiny.VAE), "vae"),
        "image_encoder": make_clip(tiny.CLIP_PIPELINE, "clip_pipeline"),
        "feature_extractor": transformers.CLIPImageProcessor(image_mean=tiny.CLIP_MEAN, image_std=tiny.CLIP_STD),
    }
    scheduler = diffusers.EulerDiscreteScheduler(**tiny.SCHEDULER)
    wide = fill(diffusers.UNetSpatioTemporalConditionModel(**tiny.UNET_WIDE), "unet_wide")
    taesd = fill(diffusers.AutoencoderTiny(**tiny.TAESD), "taesd")
    taesd_wide = fill(diffusers.AutoencoderTiny(**tiny.TAESD_WIDE), "taesd_wide")
    gelu, quick = make_clip(tiny.CLIP_GELU, "clip_gelu"), make_clip(tiny.CLIP_QUICK, "clip_quick")

    with torch.inference_mode():
        save_pipeline_folder(args.out, parts, scheduler)
        others = (("unet_wide", wide), ("taesd", taesd), ("taesd_wide", taesd_wide), ("image_encoder_gelu", gelu))
        for name, model in others + (("image_encoder_quick_gelu", quick),):
            save_model(model, os.path.join(args.out, name))
        unet_goldens(args.out, parts["unet"], wide)
        vae_goldens(args.out, parts["vae"], taesd, taesd_wide)
        image_encoder_goldens(args.out, gelu, quick)
        image_preprocess_golden(args.out, parts["feature_extractor"])
        scheduler_goldens(args.out, scheduler)
        pipeline_goldens(args.out, parts)
        rng_golden(args.out)
    wide = fill(diffusers.UNetSpatioTemporalConditionModel(**tiny.UNET_WIDE), "unet_wide")
    gradient_goldens(args.out, wide, write_golden)
    return 0


if __name__ == "__main__":
    sys.exit(main())
