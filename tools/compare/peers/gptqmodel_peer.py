"""Quantises a model by GPTQModel at its defaults, on given tokens, and writes its GPTQ folder.

usage: gptqmodel_peer.py MODEL SEGMENTS.arrow OUTPUT --bits B [--group-size 64] [--symmetric] [--threads 1]

Prints seconds, processor seconds and peak memory as JSON.
"""
import argparse
import json
import os
import resource
import sys
import time

parser = argparse.ArgumentParser()
parser.add_argument("model")
parser.add_argument("segments")
parser.add_argument("output")
parser.add_argument("--bits", type=int, required=True)
parser.add_argument("--group-size", type=int, default=64)
parser.add_argument("--symmetric", action="store_true")
parser.add_argument("--threads", type=int, default=1)
options = parser.parse_args()
os.environ["OMP_NUM_THREADS"] = str(options.threads)
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("GPTQMODEL_CPU_WORKERS", "2")  # its own default on two cores is 1, which it then refuses

import pyarrow.ipc  # noqa: E402
import torch  # noqa: E402
from gptqmodel import GPTQModel, QuantizeConfig  # noqa: E402

torch.set_num_threads(options.threads)
with pyarrow.ipc.open_stream(options.segments) as reader:
    rows = reader.read_all()["tokens"].to_pylist()
calibration = [{"input_ids": row, "attention_mask": [1] * len(row)} for row in rows]
# version 1 of the files cannot hold a zero point of 0, which grids of 2 bits often have
config = QuantizeConfig(bits=options.bits, group_size=options.group_size, sym=options.symmetric, format="gptq_v2")
model = GPTQModel.load(options.model, config, device="cpu")
began, processor = time.perf_counter(), time.process_time()
model.quantize(calibration, batch_size=1)
spent = {
    "seconds": time.perf_counter() - began,
    "processorSeconds": time.process_time() - processor,
    "peakBytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
}
model.save(options.output)
print(json.dumps(spent), file=sys.stdout)
