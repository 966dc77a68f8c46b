#!/usr/bin/env python3
"""PSNR of a trained TAESD-shaped autoencoder on the five photographs of scikit-image that training never sees.

    python3 tools/eval_autoencoder.py RUN/model [RUN/checkpoints/step-...] [--pictures FOLDER] [--sheet OUT.png]

Runs diffusers' AutoencoderTiny, not this project's code, so the figure also says that the folder is what it claims
to be. Pictures: astronaut, coffee, chelsea, rocket, motorcycle_left, centre-cropped to 2:1 and resized (Lanczos) to
256x128, or every picture of --pictures likewise. A checkpoint is read with the config.json of the model folder
before it, its average of the weights. Prints a line a picture and the mean with its 95 % interval over pictures.
Needs diffusers, scikit-image, Pillow.
"""

import argparse
import pathlib

import numpy as np
import torch
from diffusers import AutoencoderTiny
from PIL import Image
from safetensors.torch import load_file

FIVE = {
    "astronaut": "astronaut.png",
    "coffee": "coffee.png",
    "chelsea": "chelsea.png",
    "rocket": "rocket.jpg",
    "motorcycle_left": "motorcycle_left.png",
}


def middle(image, width, height):
    """The largest part of the wanted shape about the middle, resized."""
    w, h = image.size
    part_w, part_h = min(w, h * width / height), min(h, w * height / width)
    box = ((w - part_w) / 2, (h - part_h) / 2, (w + part_w) / 2, (h + part_h) / 2)
    return image.convert("RGB").resize((width, height), Image.LANCZOS, box=box)


def pictures(folder, width, height):
    if folder:
        paths = {p.stem: p for p in sorted(folder.iterdir()) if p.suffix.lower() in (".png", ".jpg", ".jpeg", ".webp")}
    else:
        import skimage

        data = pathlib.Path(skimage.__file__).parent / "data"
        paths = {name: data / file for name, file in FIVE.items()}
    return {name: np.asarray(middle(Image.open(p), width, height)).copy() for name, p in paths.items()}


def load(folder, config_folder):
    model = AutoencoderTiny.from_config(AutoencoderTiny.load_config(config_folder))
    files = sorted(folder.glob("diffusion_pytorch_model.safetensors")) or sorted(folder.glob("ema.safetensors"))
    weights = {key.split("/")[-1]: value.float() for key, value in load_file(files[0]).items()}
    model.load_state_dict(weights)
    return model.eval()


@torch.no_grad()
def reconstruct(model, picture):
    """(H,W,3) bytes through encoder and decoder; also the latent's mean and standard deviation."""
    x = torch.from_numpy(picture).permute(2, 0, 1)[None].float() / 127.5 - 1
    latent = model.encode(x).latents
    y = (model.decode(latent).sample[0].permute(1, 2, 0) * 127.5 + 127.5).clamp(0, 255).round()
    return y.byte().numpy(), float(latent.mean()), float(latent.std())


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", type=pathlib.Path, nargs="+", help="model folder, then checkpoints of its shape")
    parser.add_argument("--pictures", type=pathlib.Path)
    parser.add_argument("--size", default="256x128")
    parser.add_argument("--config", type=pathlib.Path, help="folder of config.json (the first folder)")
    parser.add_argument("--sheet", type=pathlib.Path, help="originals above reconstructions, of the last folder")
    options = parser.parse_args()
    width, height = (int(side) for side in options.size.split("x"))
    images = pictures(options.pictures, width, height)
    for folder in options.folders:
        model = load(folder, options.config or options.folders[0])
        values, rows = [], []
        for name, picture in images.items():
            decoded, mean, deviation = reconstruct(model, picture)
            mse = np.mean((picture.astype(np.float64) - decoded) ** 2)
            values.append(10 * np.log10(255**2 / mse))
            rows.append(np.concatenate([picture, decoded]))
            if not options.pictures:
                print(f"{name:16s} {values[-1]:6.2f} dB   latent mean {mean:+.2f}, deviation {deviation:.2f}")
        spread = 1.96 * np.std(values, ddof=1) / np.sqrt(len(values)) if len(values) > 1 else 0
        print(f"{folder}: mean PSNR {np.mean(values):.2f} +- {spread:.2f} dB over {len(values)} pictures")
    if options.sheet:
        Image.fromarray(np.concatenate(rows[:10], axis=1)).save(options.sheet)


if __name__ == "__main__":
    main()
