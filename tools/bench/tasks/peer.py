"""Log-likelihoods by lm-evaluation-harness: what ours are timed against.

usage: peer.py MODEL REQUESTS.json OUTPUT.json --batch N|auto [--threads 1] [--softmax-dtype float32|float64]
  REQUESTS.json  a list of [context, continuation]
  OUTPUT.json    gets seconds and processor seconds of `HFLM.loglikelihood` (encoding and scoring, without loading the model), tokens of all
                 requests (context and continuation), and of each its log-likelihood and tokens

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
parser.add_argument("requests")
parser.add_argument("output")
parser.add_argument("--batch", default="auto")
parser.add_argument("--softmax-dtype", choices=["float32", "float64"], default="float32")
parser.add_argument("--threads", type=int, default=1)
options = parser.parse_args()
torch.set_num_threads(options.threads)
with open(options.requests) as file:
    texts = json.load(file)
model = HFLM(pretrained=options.model, dtype="float32", device="cpu", batch_size=options.batch, softmax_dtype=options.softmax_dtype)
requests = [
    Instance(request_type="loglikelihood", doc={}, arguments=tuple(text), idx=index) for index, text in enumerate(texts)
]
model.loglikelihood(requests[:4], disable_tqdm=True)
started, processor = time.perf_counter(), time.process_time()
found = model.loglikelihood(requests, disable_tqdm=True)
seconds, spent = time.perf_counter() - started, time.process_time() - processor
encoded = []
for context, continuation in texts:
    if context == "":
        encoded.append([[model.prefix_token_id], model.tok_encode(continuation, add_special_tokens=False)])
    else:
        encoded.append(model._encode_pair(context, continuation))
lengths = [min(len(context) + len(continuation), model.max_length + 1) for context, continuation in encoded]
with open(options.output, "w") as file:
    json.dump(
        {
            "seconds": seconds,
            "processorSeconds": spent,
            "tokens": sum(lengths),
            "logLikelihoods": [value for value, _ in found],
            "predicted": [len(continuation) for _, continuation in encoded],
        },
        file,
    )
