"""Perplexity of a causal model by transformers, a window at a time: what mbs evaluate is timed against.

usage: peer.py MODEL TOKENS.json --dtype float32|bfloat16 [--threads 1]
  TOKENS.json  a list of windows, equally long lists of token ids

Prints one line of JSON: seconds and processor seconds of the windows (without loading the model and one window before them),
processor seconds of the whole process, peak resident memory in bytes, perplexity.
"""
import argparse
import json
import math
import resource
import time

import torch
from transformers import AutoModelForCausalLM

parser = argparse.ArgumentParser()
parser.add_argument("model")
parser.add_argument("tokens")
parser.add_argument("--dtype", choices=["float32", "bfloat16"], required=True)
parser.add_argument("--threads", type=int, default=1)
options = parser.parse_args()
torch.set_num_threads(options.threads)
with open(options.tokens) as file:
    windows = [torch.tensor(window)[None] for window in json.load(file)]
model = AutoModelForCausalLM.from_pretrained(options.model, dtype=getattr(torch, options.dtype)).eval()
with torch.inference_mode():
    model(windows[0], labels=windows[0], use_cache=False)
    started, processor = time.perf_counter(), time.process_time()
    losses = [model(window, labels=window, use_cache=False).loss.item() for window in windows]
    seconds, spent = time.perf_counter() - started, time.process_time() - processor
print(
    json.dumps(
        {
            "seconds": seconds,
            "processorSeconds": spent,
            "wholeProcessorSeconds": time.process_time(),
            "peakBytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
            "perplexity": math.exp(sum(losses) / len(losses)),
        }
    )
)
