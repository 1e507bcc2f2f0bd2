"""The usual compression loop in torch, as the public programs run it: f32, eager attention, a segment at a time.

For each block: run every segment and add up H = E[x xT] at each linear layer, solve GPTQ layer by layer, run every
segment again through the compressed block. Written from arXiv 2210.17323; used only to be timed against.

usage: torch_loop.py MODEL_FOLDER SEGMENTS.arrow [--bits 4] [--group-size 128] [--threads 2]
prints one JSON line: seconds and processor seconds of the loop, how the latter split, peak resident memory in bytes.
"""
import argparse
import json
import resource
import time

import pyarrow.ipc
import torch
from transformers import AutoModelForCausalLM

BLOCK = 128


def fit_grid(weight: torch.Tensor, maxq: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Asymmetric min-max grid of each row; [rows, 1] scale and zero."""
    low = weight.amin(1, keepdim=True).clamp(max=0)
    high = weight.amax(1, keepdim=True).clamp(min=0)
    scale = (high - low) / maxq
    scale[scale == 0] = 1
    return scale, torch.round(-low / scale)


def gptq(weight: torch.Tensor, hessian: torch.Tensor, bits: int, group_size: int) -> torch.Tensor:
    """Quantised weight [out, in] under H [in, in], which is overwritten."""
    weight = weight.clone()
    columns = weight.shape[1]
    maxq = 2**bits - 1
    dead = torch.diag(hessian) == 0
    hessian[dead, dead] = 1
    weight[:, dead] = 0
    hessian.diagonal().add_(0.01 * hessian.diagonal().mean())
    upper = torch.linalg.cholesky(torch.cholesky_inverse(torch.linalg.cholesky(hessian)), upper=True)
    result = torch.zeros_like(weight)
    for first in range(0, columns, BLOCK):
        last = min(first + BLOCK, columns)
        block = weight[:, first:last].clone()
        errors = torch.zeros_like(block)
        for i in range(last - first):
            column = first + i
            if column % group_size == 0:
                scale, zero = fit_grid(weight[:, column : column + group_size], maxq)
            w = block[:, i : i + 1]
            code = torch.clamp(torch.round(w / scale) + zero, 0, maxq)
            q = (code - zero) * scale
            result[:, column] = q[:, 0]
            errors[:, i] = ((w - q) / upper[column, column])[:, 0]
            block[:, i:] -= errors[:, i : i + 1] @ upper[column : column + 1, column:last]
        weight[:, last:] -= errors @ upper[first:last, last:]
    return result


@torch.no_grad()
def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("segments")
    parser.add_argument("--bits", type=int, default=4)
    parser.add_argument("--group-size", type=int, default=128)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    with pyarrow.ipc.open_stream(options.segments) as reader:
        segments = [torch.tensor(tokens)[None] for tokens in reader.read_all()["tokens"].to_pylist()]
    model = AutoModelForCausalLM.from_pretrained(options.model, dtype=torch.float32, attn_implementation="eager").eval()
    blocks = model.transformer.h
    split = {"forward": 0.0, "solve": 0.0}

    class Stop(Exception):
        pass

    inputs, keywords = [], {}

    def catch(_module, args, kwargs):
        inputs.append(args[0])
        keywords.update(kwargs)
        raise Stop

    start = time.perf_counter()
    processor_start = time.process_time()
    handle = blocks[0].register_forward_pre_hook(catch, with_kwargs=True)
    for tokens in segments:
        try:
            model(tokens, use_cache=False)
        except Stop:
            pass
    handle.remove()
    for block in blocks:
        began = time.process_time()
        linears = [m for m in block.modules() if isinstance(m, torch.nn.Linear)]
        hessians = {m: torch.zeros(m.in_features, m.in_features) for m in linears}
        counts = dict.fromkeys(linears, 0)

        def add(module, args, _output):
            x = args[0].reshape(-1, module.in_features)
            total = counts[module] + len(x)
            hessians[module].mul_(counts[module] / total).add_(x.T @ x / total)
            counts[module] = total

        handles = [m.register_forward_hook(add) for m in linears]
        for states in inputs:
            block(states, **keywords)
        for handle in handles:
            handle.remove()
        solved = time.process_time()
        for m in linears:
            m.weight.data = gptq(m.weight.data, hessians[m], options.bits, options.group_size)
        split["solve"] += time.process_time() - solved
        del hessians
        inputs = [block(states, **keywords)[0] for states in inputs]
        inputs = [states if states.dim() == 3 else states[None] for states in inputs]
        split["forward"] += time.process_time() - began
    split["forward"] -= split["solve"]
    seconds = time.perf_counter() - start
    processor_seconds = time.process_time() - processor_start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    results = {"seconds": seconds, "processorSeconds": processor_seconds, "splitProcessorSeconds": split, "peakBytes": peak}
    print(json.dumps({**results, "segments": len(segments)}))


main()
