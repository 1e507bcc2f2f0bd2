"""Buckets of T5's relative positions by transformers, as a fixture of packages/models.

    python tools/golden/forward/make_buckets.py

Needs torch and transformers (made with torch 2.15.0, transformers 5.24.0).
"""

import json
from pathlib import Path

import torch
from transformers.models.mt5.modeling_mt5 import MT5Attention

TARGET = Path(__file__).resolve().parents[3] / "packages/models/test/fixtures/distance-buckets.json"
FIRST, LAST = -300, 300
SHAPES = [(32, 128), (7, 20), (4, 5), (64, 1000)]

distances = torch.arange(FIRST, LAST + 1)
cases = [
    {
        "buckets": buckets,
        "farthest": farthest,
        "bidirectional": bidirectional,
        "values": MT5Attention._relative_position_bucket(distances, bidirectional, buckets, farthest).tolist(),
    }
    for buckets, farthest in SHAPES
    for bidirectional in (True, False)
]
TARGET.write_text(json.dumps({"first": FIRST, "cases": cases}) + "\n")
