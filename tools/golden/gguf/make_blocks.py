"""Blocks of every type that packages/gguf reads from GGUF files, and their values by the gguf package.

    python tools/golden/gguf/make_blocks.py     # writes packages/gguf/test/fixtures/blocks.json

Needs gguf and numpy (made with gguf 0.19.0, numpy 2.4.6). Codes and small scales are random; the half-precision scales of the
blocks are chosen: ordinary ones of both signs, the largest and the smallest, zeros of both signs, infinity, and not a number.
"""

import base64
import json
import zlib
from pathlib import Path

import numpy as np
from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType as T
from gguf.quants import dequantize

OUTPUT = Path(__file__).resolve().parents[3] / "packages/gguf/test/fixtures/blocks.json"

# offsets of the half-precision numbers of a block
HALVES = {
    T.F32: [],
    T.F16: [0],
    T.BF16: [],
    T.Q4_0: [0],
    T.Q4_1: [0, 2],
    T.Q5_0: [0],
    T.Q5_1: [0, 2],
    T.Q8_0: [0],
    T.Q2_K: [80, 82],
    T.Q3_K: [108],
    T.Q4_K: [0, 2],
    T.Q5_K: [0, 2],
    T.Q6_K: [208],
    T.IQ4_NL: [0],
    T.IQ4_XS: [0],
    T.MXFP4: [],
    T.IQ2_XXS: [0],
    T.IQ2_XS: [0],
    T.IQ2_S: [0],
    T.IQ3_XXS: [0],
    T.IQ3_S: [0],
}

SCALES = np.array([0.0137, -0.52, 65504.0, -65504.0, 6e-8, -0.0, np.inf, np.nan], dtype=np.float16)


def blocks_of(type: T, random: np.random.Generator) -> np.ndarray:
    values, size = GGML_QUANT_SIZES[type]
    # of the large blocks fewer, so that the file stays small
    scales = SCALES if values < 256 else SCALES[[0, 1, 2, 7]]
    blocks = random.integers(0, 256, (len(scales), size), dtype=np.uint8)
    for number, offset in enumerate(HALVES[type]):
        # a least value differs from the scale of its block
        chosen = np.roll(scales, number)
        blocks[:, offset : offset + 2] = chosen.view(np.uint8).reshape(-1, 2)
    return blocks


def text(content: bytes) -> str:
    return base64.b64encode(content).decode()


def main() -> None:
    random = np.random.default_rng(15)
    cases = {}
    with np.errstate(all="ignore"):
        for type in HALVES:
            blocks = blocks_of(type, random)
            values = dequantize(blocks, type).astype(np.float32)
            # values repeat, and are three quarters of the file
            cases[type.name] = {"blocks": text(blocks.tobytes()), "values": text(zlib.compress(values.tobytes(), 9))}
    OUTPUT.parent.mkdir(parents=True, exist_ok=True)
    OUTPUT.write_text(json.dumps(cases, indent=1) + "\n")


main()
