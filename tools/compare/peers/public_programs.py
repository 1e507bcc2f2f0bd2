"""Compresses a model by the public GPTQ or SparseGPT program: its own class of the method, in its own loop over blocks.

usage: public_programs.py MODEL SEGMENTS.arrow OUTPUT --source CLONE (--bits B [--group-size 64] | --sparsity S [--pattern N:M]) [--threads 1]
  CLONE  a checkout of IST-DASLab/gptq (2d65066) or IST-DASLab/sparsegpt (147d215); no line of them is copied here

Blocks run in float32, a segment at a time, as theirs do, with the keywords that the model itself gives to each block. OUTPUT
is a folder in float32 that any reader of the dense model takes. Prints seconds, processor seconds and peak memory as JSON.
"""
import argparse
import contextlib
import json
import os
import resource
import shutil
import sys
import time
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("model")
parser.add_argument("segments")
parser.add_argument("output")
parser.add_argument("--source", required=True)
parser.add_argument("--bits", type=int)
parser.add_argument("--group-size", type=int, default=64)
parser.add_argument("--symmetric", action="store_true")
parser.add_argument("--sparsity", type=float)
parser.add_argument("--pattern", help="N of M neighbours are zero: 2:4")
parser.add_argument("--threads", type=int, default=1)
options = parser.parse_args()
if (options.bits is None) == (options.sparsity is None):
    parser.error("give --bits or --sparsity")
os.environ["OMP_NUM_THREADS"] = str(options.threads)
sys.path.insert(0, options.source)

import pyarrow.ipc  # noqa: E402
import torch  # noqa: E402
from transformers import AutoModelForCausalLM  # noqa: E402

torch.set_num_threads(options.threads)
torch.cuda.synchronize = lambda: None  # both programs call it after each layer, with or without CUDA
if options.bits is not None:
    from gptq import GPTQ as Method
    from quant import Quantizer
else:
    from sparsegpt import SparseGPT as Method


class Stop(Exception):
    pass


def block_inputs(model, blocks, segments):
    """The states before the first block, and the keywords of every block; all segments have one length."""
    inputs, keywords = [], [{} for _ in blocks]

    def keep(position):
        def hook(_module, _args, kwargs):
            keywords[position].update(kwargs)

        return hook

    def catch(_module, args, kwargs):
        inputs.append(args[0] if args else kwargs["hidden_states"])
        raise Stop

    handles = [block.register_forward_pre_hook(keep(position), with_kwargs=True) for position, block in enumerate(blocks)]
    model(segments[0], use_cache=False)
    for handle in handles:
        handle.remove()
    for kwargs in keywords:
        kwargs.pop("hidden_states", None)
    handle = blocks[0].register_forward_pre_hook(catch, with_kwargs=True)
    for tokens in segments:
        with contextlib.suppress(Stop):
            model(tokens, use_cache=False)
    handle.remove()
    return inputs, keywords


def run_block(block, states, kwargs):
    made = block(states, **kwargs)
    return made[0] if isinstance(made, tuple) else made


def solve(method):
    """The method's own solver, which prints as it goes."""
    with contextlib.redirect_stdout(sys.stderr):
        if options.sparsity is not None:
            zeros, neighbours = map(int, (options.pattern or "0:0").split(":"))
            method.fasterprune(options.sparsity, prunen=zeros, prunem=neighbours)
        else:
            method.quantizer = Quantizer()
            method.quantizer.configure(options.bits, perchannel=True, sym=options.symmetric, mse=False)
            method.fasterquant(groupsize=options.group_size)
        method.free()


@torch.no_grad()
def main():
    with pyarrow.ipc.open_stream(options.segments) as reader:
        segments = [torch.tensor(tokens)[None] for tokens in reader.read_all()["tokens"].to_pylist()]
    if len({tokens.shape for tokens in segments}) != 1:
        raise SystemExit("segments of one length are needed")
    model = AutoModelForCausalLM.from_pretrained(options.model, dtype=torch.float32, attn_implementation="eager").eval()
    base = model.base_model
    blocks = base.layers if hasattr(base, "layers") else base.h
    began, processor = time.perf_counter(), time.process_time()
    inputs, keywords = block_inputs(model, blocks, segments)
    for position, block in enumerate(blocks):
        methods = {module: Method(module) for module in block.modules() if isinstance(module, torch.nn.Linear)}
        handles = [
            module.register_forward_hook(lambda module, args, made: methods[module].add_batch(args[0].data, made.data))
            for module in methods
        ]
        for states in inputs:
            run_block(block, states, keywords[position])
        for handle in handles:
            handle.remove()
        for method in methods.values():
            solve(method)
        inputs = [run_block(block, states, keywords[position]) for states in inputs]
        print(f"block {position + 1} of {len(blocks)}", file=sys.stderr)
    spent = {
        "seconds": time.perf_counter() - began,
        "processorSeconds": time.process_time() - processor,
        "peakBytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }
    work = Path(f"{options.output}.tmp")
    shutil.rmtree(work, ignore_errors=True)
    model.save_pretrained(work)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(Path(options.model) / name, work)
    work.rename(options.output)
    print(json.dumps(spent))


main()
