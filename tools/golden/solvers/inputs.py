"""Inputs that any language can make again bit by bit: whole numbers from a xorshift, exact in float32.

packages/solvers/test/golden-inputs.ts is the same in TypeScript.
"""

import numpy as np


def xorshift(seed, count):
    state = (seed * 2654435761 + 1) & 0xFFFFFFFF
    out = np.empty(count, np.int64)
    for index in range(count):
        state ^= (state << 13) & 0xFFFFFFFF
        state ^= state >> 17
        state ^= (state << 5) & 0xFFFFFFFF
        out[index] = state
    return out


def make_inputs(seed, rows, columns, tokens, dead, signs=False, languages=1):
    """W [rows, columns] with heavy tails, X [tokens, columns], correlated, of unequal size; dead columns are zero.

    With `signs` X has one size a column and only its sign varies, so that E|x| is √E[x²]. Tokens are split between the
    languages; with more than one, language l has every columns l, l + languages, … four times as large.
    """
    numbers = xorshift(seed, rows * columns + tokens * columns + columns)
    raw = numbers[: rows * columns].reshape(rows, columns)
    # 24 bits of sign and mantissa, 3 bits of exponent
    weights = ((raw >> 8) - 2**23) * np.exp2(-23.0 - (raw & 7))
    noise = (numbers[rows * columns : rows * columns + tokens * columns] >> 24).reshape(tokens, columns) - 128
    factors = 1 << (numbers[-columns:] >> 30)
    inputs = noise * factors
    mixed = inputs.copy()
    for shift in (1, 5):
        mixed[:, shift:] += inputs[:, :-shift] // 2
    if signs:
        mixed = np.where(mixed < 0, -factors, factors)
    mixed[:, dead] = 0
    if languages > 1:
        for language, block in enumerate(split_languages(mixed, languages)):
            block[:, language::languages] *= 4
    return weights.astype(np.float32), mixed.astype(np.float32)


def split_languages(inputs, languages):
    """The tokens of each language, as views."""
    return np.split(inputs, languages)


def make_shift(seed, rows, columns, tokens, dead):
    """X̃ - X [tokens, columns]: what compression of earlier layers changed; noise, and an eighth of the third next column."""
    _, inputs = make_inputs(seed, rows, columns, tokens, dead)
    drawn = rows * columns + tokens * columns + columns
    noise = (xorshift(seed, drawn + tokens * columns)[drawn:] >> 28).reshape(tokens, columns) - 8
    return (noise + np.roll(inputs.astype(np.int64), -3, 1) // 8).astype(np.float32)
