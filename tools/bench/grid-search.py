"""The usual search of asymmetric grids in torch (GPTQ's reference program: 80 ranges, |error|^2.4), groups of 64, 3 bits, one thread.

Called by grid-search.ts with a folder (input-0: W) and the size; prints the best time in milliseconds and writes the scales,
[groups, rows], to `output`.
"""
import sys
import time
from pathlib import Path

import numpy as np
import torch

torch.set_num_threads(1)
folder, size = Path(sys.argv[1]), int(sys.argv[2])
weight = torch.from_numpy(np.fromfile(folder / "input-0", np.float32).reshape(size, size))
GROUP, TOP = 64, 7


def search(x):
    least, most = x.amin(dim=1).clamp(max=0), x.amax(dim=1).clamp(min=0)
    best, found = torch.full((size,), float("inf")), torch.empty(size)
    for step in range(80):
        share = 1 - step / 100
        scale = (share * most - share * least) / TOP
        zero = torch.round(-share * least / scale)
        s, z = scale.unsqueeze(1), zero.unsqueeze(1)
        error = s * (torch.clamp(torch.round(x / s) + z, 0, TOP) - z) - x
        loss = error.abs_().pow_(2.4).sum(dim=1)
        better = loss < best
        best[better], found[better] = loss[better], scale[better]
    return found


best = float("inf")
for _ in range(5):
    start = time.perf_counter()
    result = torch.stack([search(weight[:, first : first + GROUP]) for first in range(0, size, GROUP)])
    best = min(best, time.perf_counter() - start)
result.numpy().tofile(folder / "output")
print(best * 1000)
