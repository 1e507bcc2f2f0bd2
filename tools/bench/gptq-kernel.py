"""The usual GPTQ loop in torch (arXiv 2210.17323, algorithm 1), 4 bits, one symmetric grid a row, block 128, one thread.

Called by gptq-kernel.ts with a folder (input-0: W, input-1: U) and the size; prints the best time in milliseconds and
writes the dequantised weight to `output`.
"""
import sys
import time
from pathlib import Path

import numpy as np
import torch

torch.set_num_threads(1)
folder, size = Path(sys.argv[1]), int(sys.argv[2])
weight, upper = (torch.from_numpy(np.fromfile(folder / f"input-{k}", np.float32).reshape(size, size)) for k in (0, 1))
BLOCK, TOP = 128, 15
scale = (2 * weight.abs().amax(dim=1) / TOP).contiguous()
zero = (TOP + 1) / 2


def solve():
    W, result = weight.clone(), torch.empty_like(weight)
    for first in range(0, size, BLOCK):
        last = min(first + BLOCK, size)
        own, errors, U = W[:, first:last].clone(), torch.zeros(size, last - first), upper[first:last, first:last]
        for j in range(last - first):
            w = own[:, j]
            value = scale * (torch.clamp(torch.round(w / scale) + zero, 0, TOP) - zero)
            error = (w - value) / U[j, j]
            own[:, j:] -= error.unsqueeze(1).matmul(U[j, j:].unsqueeze(0))
            result[:, first + j], errors[:, j] = value, error
        W[:, last:] -= errors.matmul(upper[first:last, last:])
    return result


best = float("inf")
for _ in range(7):
    start = time.perf_counter()
    result = solve()
    best = min(best, time.perf_counter() - start)
result.numpy().tofile(folder / "output")
print(best * 1000)
