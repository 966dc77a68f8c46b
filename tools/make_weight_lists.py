#!/usr/bin/env python3
"""Writes testdata/models/*.txt: names and shapes of the originals' weights, which models_test holds our graphs
against. Needs torch, diffusers and transformers; takes no memory, since the models are on the meta device."""

import pathlib

import torch
from diffusers import AutoencoderKLTemporalDecoder, AutoencoderTiny, UNetSpatioTemporalConditionModel
from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "testdata" / "models"


def write(name, model):
    lines = [f"{key} {','.join(map(str, value.shape))}\n" for key, value in sorted(model.state_dict().items())]
    (FOLDER / f"{name}.txt").write_text("".join(lines))


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    with torch.device("meta"):
        write("svd_unet", UNetSpatioTemporalConditionModel())
        write(
            "svd_vae",
            AutoencoderKLTemporalDecoder(
                block_out_channels=(128, 256, 512, 512),
                down_block_types=("DownEncoderBlock2D",) * 4,
                layers_per_block=2,
            ),
        )
        write("taesd", AutoencoderTiny())
        vit_h = CLIPVisionConfig(
            hidden_size=1280,
            intermediate_size=5120,
            projection_dim=1024,
            num_hidden_layers=32,
            num_attention_heads=16,
            patch_size=14,
            hidden_act="gelu",
        )
        write("clip_vit_h", CLIPVisionModelWithProjection(vit_h))


if __name__ == "__main__":
    main()
