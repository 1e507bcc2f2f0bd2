"""Answers by lm-evaluation-harness: what ours are timed against.

usage: answers.py MODEL PROMPTS.json OUTPUT.json --batch N [--threads 1] [--tokens 32]
  PROMPTS.json  a list of contexts
  OUTPUT.json   gets seconds and processor seconds of `HFLM.generate_until` (without loading the model), and the answers

Needs lm_eval 0.4.13 with torch and transformers.
"""
import argparse
import json
import time

import torch
from lm_eval.api.instance import Instance
from lm_eval.models.huggingface import HFLM

parser = argparse.ArgumentParser()
parser.add_argument("model")
parser.add_argument("prompts")
parser.add_argument("output")
parser.add_argument("--batch", default="1")
parser.add_argument("--tokens", type=int, default=32)
parser.add_argument("--threads", type=int, default=1)
options = parser.parse_args()
torch.set_num_threads(options.threads)
with open(options.prompts) as file:
    contexts = json.load(file)
model = HFLM(pretrained=options.model, dtype="float32", device="cpu", batch_size=options.batch)
settings = {"until": ["\n\n"], "max_gen_toks": options.tokens, "do_sample": False}
requests = [
    Instance(request_type="generate_until", doc={}, arguments=(context, dict(settings)), idx=index)
    for index, context in enumerate(contexts)
]
model.generate_until(requests[:1], disable_tqdm=True)
started, processor = time.perf_counter(), time.process_time()
found = model.generate_until(requests, disable_tqdm=True)
seconds, spent = time.perf_counter() - started, time.process_time() - processor
with open(options.output, "w") as file:
    json.dump({"seconds": seconds, "processorSeconds": spent, "answers": found}, file)
