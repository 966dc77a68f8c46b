"""Makes python.safetensors with the format's own package: what other tools write, our reader must read.

    python make.py        (needs torch and safetensors)
"""
import pathlib

import torch
from safetensors.torch import save_file

types = {"f64": torch.float64, "f32": torch.float32, "f16": torch.float16, "bf16": torch.bfloat16,
         "i64": torch.int64, "i32": torch.int32, "u8": torch.uint8}
tensors = {name: (3 * torch.arange(6)).reshape(2, 3).to(dtype) for name, dtype in types.items()}
tensors["scalar"] = torch.tensor(-0.5)
tensors["empty"] = torch.zeros(0, 4)
save_file(tensors, pathlib.Path(__file__).parent / "python.safetensors", metadata={"format": "pt"})
