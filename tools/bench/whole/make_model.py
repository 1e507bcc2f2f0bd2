"""A BLOOM model of a stated shape with random weights and the tokenizer of the controlled model.

usage: make_model.py CONTROLLED_MODEL OUTPUT [--hidden 1024] [--heads 16] [--layers 4] [--positions 2048] [--dtype float16] [--shard 5GB] [--seed 0]
"""
import argparse
import shutil
from pathlib import Path

import torch
from transformers import AutoTokenizer, BloomConfig, BloomForCausalLM

parser = argparse.ArgumentParser()
parser.add_argument("controlled")
parser.add_argument("output")
parser.add_argument("--hidden", type=int, default=1024)
parser.add_argument("--heads", type=int, default=16)
parser.add_argument("--layers", type=int, default=4)
parser.add_argument("--positions", type=int, default=2048)
parser.add_argument("--dtype", choices=("float16", "bfloat16", "float32"), default="float16")
parser.add_argument("--shard", default="5GB")
parser.add_argument("--seed", type=int, default=0)
options = parser.parse_args()
torch.manual_seed(options.seed)
tokenizer = AutoTokenizer.from_pretrained(options.controlled)
config = BloomConfig(
    vocab_size=len(tokenizer),
    hidden_size=options.hidden,
    n_head=options.heads,
    n_layer=options.layers,
    seq_length=options.positions,
)
model = BloomForCausalLM(config).to(getattr(torch, options.dtype))
model.save_pretrained(options.output, max_shard_size=options.shard)
for name in ("tokenizer.json", "tokenizer_config.json", "distribution.json"):
    shutil.copy(Path(options.controlled) / name, options.output)
