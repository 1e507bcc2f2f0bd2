"""Writes blocks.json: GPTQ on the grids of GGUF's quantisation types, by block_grids.py."""

import base64
import json
import pathlib

import numpy as np

import block_grids
import methods
from inputs import make_inputs

target = pathlib.Path(__file__).parents[3] / "packages/solvers/test/fixtures/blocks.json"
spec = {"seed": 5, "rows": 16, "columns": 512, "tokens": 640, "dead": []}


def encode(values):
    return base64.b64encode(values.tobytes()).decode()


def case(name, grid, order_name, sweeps):
    weights, inputs = make_inputs(**spec)
    exact = inputs.astype(np.float64)
    total = exact.T @ exact
    # in the units of the factor that the tests use, the reference programs'
    moment = 2 * total
    diagonal = np.diag(moment).copy()
    diagonal[diagonal == 0] = 1
    order = np.arange(len(diagonal)) if order_name == "natural" else methods.group_aware(diagonal, 256)
    codes, values, scales, offsets = block_grids.gptq(weights, moment, order, block_grids.RULES[grid], sweeps)
    change = values.astype(np.float64) - weights
    return {
        "name": name,
        "input": spec,
        "options": {"grid": grid, "sweeps": sweeps},
        "order": order_name,
        "codes": encode(codes),
        "scales": encode(scales.astype("<f4")),
        "offsets": encode(offsets.astype("<f4")),
        "error": float(np.sum((change @ (total / len(inputs))) * change)),
    }


cases = [
    case("Q4_K, feedback alone", "Q4_K", "natural", 0),
    case("Q4_K, the defaults", "Q4_K", "group-aware:256", 4),
    case("Q3_K, the defaults", "Q3_K", "group-aware:256", 4),
    case("Q5_0, the defaults", "Q5_0", "group-aware:256", 4),
    case("Q4_1, natural order", "Q4_1", "natural", 2),
    case("IQ4_NL, the defaults", "IQ4_NL", "group-aware:256", 4),
    case("MXFP4, the defaults", "MXFP4", "group-aware:256", 4),
    case("NVFP4, the defaults", "NVFP4", "group-aware:256", 4),
]
target.write_text(json.dumps({"program": "tools/golden/solvers/block_grids.py", "cases": cases}, indent=1) + "\n")
