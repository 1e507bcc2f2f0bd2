"""Weights of tiny models from the names of tensors: the same numbers here and in weights.ts, so that none are stored.

Element `index` of tensor `name`, all integers modulo 2^32:

    seed  = FNV-1a of the name's UTF-8 bytes
    state = mix(seed + index * 0x9E3779B9), mix being MurmurHash3's finaliser
    u     = (state >> 8) / 2^23 - 1                     in [-1, 1)
    value = float32(centre + scale * u)                 computed in float64

Matrices have scale 0.7 and centre 0, vectors 0.17; the centre of a norm's weight is 1, or 0 where the model adds 1 itself.
"""

import numpy as np


def _fnv(name: str) -> int:
    state = 0x811C9DC5
    for byte in name.encode():
        state = ((state ^ byte) * 0x01000193) & 0xFFFFFFFF
    return state


def weight(name: str, shape: tuple[int, ...], norm_centre: float) -> np.ndarray:
    if name == "final_logits_bias":  # which is zero in every published model, and is refused where it is not
        return np.zeros(shape, np.float32)
    count = int(np.prod(shape))
    with np.errstate(over="ignore"):
        state = np.uint32(_fnv(name)) + np.arange(count, dtype=np.uint32) * np.uint32(0x9E3779B9)
        state ^= state >> np.uint32(16)
        state *= np.uint32(0x85EBCA6B)
        state ^= state >> np.uint32(13)
        state *= np.uint32(0xC2B2AE35)
        state ^= state >> np.uint32(16)
    u = (state >> np.uint32(8)).astype(np.float64) / 2**23 - 1
    vector = len(shape) == 1
    centre = norm_centre if vector and name.endswith("weight") else 0.0
    return (centre + (0.17 if vector else 0.7) * u).astype(np.float32).reshape(shape)


def token(index: int) -> int:
    """Token `index` of the text: a walk through the vocabulary of 64, without the first four."""
    return 4 + (5 * index * index + 3 * index) % 60
