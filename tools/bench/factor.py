"""U with H^-1 = U^T U the usual way, LAPACK's potrf + potri + potrf through torch, one thread.

Called by factor.ts with a folder (input-0: H) and the size; prints the best time in milliseconds and writes U to `output`.
"""
import sys
import time
from pathlib import Path

import numpy as np
import torch

torch.set_num_threads(1)
folder, size = Path(sys.argv[1]), int(sys.argv[2])
hessian = torch.from_numpy(np.fromfile(folder / "input-0", np.float32).reshape(size, size))
best = float("inf")
for _ in range(7 if size <= 1024 else 3):
    start = time.perf_counter()
    upper = torch.linalg.cholesky(torch.cholesky_inverse(torch.linalg.cholesky(hessian)), upper=True)
    best = min(best, time.perf_counter() - start)
upper.contiguous().numpy().tofile(folder / "output")
print(best * 1000)
