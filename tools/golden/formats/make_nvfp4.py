"""Numbers of E4M3 by torch, and NVFP4 by compressed-tensors: fixtures of packages/numbers, gguf and models.

    python tools/golden/formats/make_nvfp4.py

Needs torch and compressed-tensors (made with torch 2.15.0, compressed-tensors 0.20.1).
"""

import base64
import json
from pathlib import Path

import torch
from compressed_tensors.compressors.nvfp4.helpers import pack_fp4_to_uint8, unpack_fp4_from_uint8
from compressed_tensors.quantization.lifecycle.forward import dequantize, fake_quantize
from compressed_tensors.quantization.quant_scheme import NVFP4A16

ROOT = Path(__file__).resolve().parents[3] / "packages"
ARGS = NVFP4A16["weights"]
GROUP = ARGS.group_size


def text(tensor: torch.Tensor) -> str:
    return base64.b64encode(tensor.contiguous().view(torch.uint8).numpy().tobytes()).decode()


def write(name: str, fixture: dict) -> None:
    path = ROOT / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(fixture, indent=1) + "\n")


def e4m3(random: torch.Generator) -> dict:
    """All bytes; numbers of every size up to the largest, ties among them, and the bytes that they become."""
    every = torch.arange(256, dtype=torch.uint8).view(torch.float8_e4m3fn).float()
    finite = every[every.isfinite()]
    ordered = finite.sort().values
    ties = (ordered[1:] + ordered[:-1]) / 2
    spread = torch.randn(2000, generator=random) * 2.0 ** torch.randint(-12, 7, (2000,), generator=random)
    values = torch.cat([finite, ties, spread.clamp(-448, 448)])
    return {"every": text(every), "values": text(values), "bytes": text(values.to(torch.float8_e4m3fn))}


def packed(random: torch.Generator) -> dict:
    """Random codes with every scale, zero and the negative ones too, and a global scale that is no power of two."""
    scales = torch.tensor([byte for byte in range(256) if byte & 127 != 127], dtype=torch.uint8).view(2, 127)
    rows, groups = scales.shape
    codes = torch.randint(0, 256, (rows, groups * GROUP // 2), dtype=torch.uint8, generator=random)
    divisor = torch.tensor([1234.567])
    numbers = unpack_fp4_from_uint8(codes, rows, groups * GROUP, dtype=torch.float32)
    scale = scales.view(torch.float8_e4m3fn).float()
    values = dequantize(numbers, scale, args=ARGS, global_scale=divisor, dtype=torch.float32)
    return {"rows": rows, "groups": groups, "packed": text(codes), "scales": text(scales), "global": divisor.item(), "values": text(values)}


def rounded(random: torch.Generator) -> dict:
    """Values of several kinds, and what the library rounds them to with scales of E4M3 at a sixth of the largest, a power of two beside."""
    bell = torch.randn(24, 64, generator=random)
    rows = torch.cat([bell / 30, bell**3 / 50, (bell.sign() * bell.abs().round()) / 8, torch.zeros(1, 64)])
    blocks = rows.unflatten(-1, (-1, GROUP))
    exponent = torch.floor(torch.log2(rows.abs().max() / 6))
    divisor = (2.0 ** (7 - exponent)).reshape(1)
    scales = (blocks.abs().amax(-1) / 6 * divisor).to(torch.float8_e4m3fn).float()
    # a block of zeros would be divided by 0
    scales[scales == 0] = 1
    values = fake_quantize(rows, scales, None, ARGS, global_scale=divisor)
    return {"values": text(rows), "rounded": text(values)}


def blocks(random: torch.Generator) -> dict:
    """Blocks as layers hold them, a scale of four significant bits in bf16 and two codes a byte, and what these stand for."""
    count = 64
    mantissas = torch.randint(8, 16, (count,), generator=random) / 8
    scales = mantissas * 2.0 ** torch.randint(-40, 20, (count,), generator=random)
    numbers = torch.tensor([0, 0.5, 1, 1.5, 2, 3, 4, 6, -0.5, -1, -1.5, -2, -3, -4, -6])[torch.randint(0, 15, (count, GROUP), generator=random)]
    own = torch.cat([scales.to(torch.bfloat16).reshape(-1, 1).view(torch.uint8), pack_fp4_to_uint8(numbers)], 1)
    values = unpack_fp4_from_uint8(own[:, 2:].contiguous(), count, GROUP, dtype=torch.float32) * scales[:, None]
    return {"blocks": text(own), "values": text(values)}


random = torch.Generator().manual_seed(7)
write("numbers/test/fixtures/e4m3.json", e4m3(random))
write("models/test/fixtures/nvfp4.json", packed(random))
write("gguf/test/fixtures/nvfp4.json", {**blocks(random), "rounding": rounded(random)})
