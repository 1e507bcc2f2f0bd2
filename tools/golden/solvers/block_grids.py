"""GPTQ on the grids of GGUF's quantisation types in plain NumPy, as docs/measured/quantisers.md states it: one column after another.

Feedback and sweeps are float64. The search of a scale is float32, sums in the order of the columns: its ranges are so nearly as
good as each other that float64 would prefer another one here and there. W is [rows, columns].
"""

import numpy as np

from methods import F, clear_dead, factor

IQ4 = np.array([-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113])

# those of E2M1, doubled
E2M1 = np.array([-12, -8, -6, -4, -3, -2, -1, 0, 0, 1, 2, 3, 4, 6, 8, 12])

# columns of a block and of a sub-block, code of 0, largest code, whole numbers of scales, and largest one of offsets; "significant"
# bits of scales that are no half-precision numbers
RULES = {
    "Q5_0": {"columns": 32, "sub": 32, "zero": 16, "maximum": 31},
    "Q4_1": {"columns": 32, "sub": 32, "zero": 0, "maximum": 15, "offsets": "half"},
    "IQ4_NL": {"columns": 32, "sub": 32, "zero": 0, "maximum": 15, "levels": IQ4},
    "MXFP4": {"columns": 32, "sub": 32, "zero": 0, "maximum": 15, "levels": E2M1, "significant": 1},
    "NVFP4": {"columns": 16, "sub": 16, "zero": 0, "maximum": 15, "levels": E2M1, "significant": 4},
    "Q3_K": {"columns": 256, "sub": 16, "zero": 4, "maximum": 7, "numbers": (-32, 31)},
    "Q4_K": {"columns": 256, "sub": 32, "zero": 0, "maximum": 15, "numbers": (1, 63), "offsets": 63},
}


def half(values):
    return np.clip(values, -65504, 65504).astype(np.float16).astype(F)


def short_near(values, bits, place):
    """The number of so many significant bits that is the largest up to |value|, moved by some places."""
    mantissas, exponents = np.frexp(np.clip(np.abs(values.astype(np.float64)), 2.0**-120, 2.0**120))
    for _ in range(place):
        # the next one above
        mantissas = (np.floor(mantissas * 2**bits) + 1) / 2**bits
        mantissas, exponents = np.where(mantissas == 1, 0.5, mantissas), np.where(mantissas == 1, exponents + 1, exponents)
    mantissas = np.floor(mantissas * 2**bits) / 2**bits
    for _ in range(-place):
        mantissas, exponents = np.where(mantissas == 0.5, 1, mantissas), np.where(mantissas == 0.5, exponents - 1, exponents)
        mantissas = mantissas - 1 / 2**bits
    return np.ldexp(mantissas, exponents).astype(F)


def short_nearest(values, bits):
    """The nearest number of so many significant bits, of two as near the larger one; 0 for what is not above zero."""
    mantissas, exponents = np.frexp(np.maximum(values, 0))
    return np.ldexp(np.floor(mantissas * 2**bits + 0.5) / 2**bits, exponents).astype(F)


def total(terms):
    """Sums of rows, one column after another."""
    return np.add.accumulate(terms, 1)[:, -1]


def codes_of(values, scale, offset, rule):
    """Nearest codes of values [rows, …]; of two levels as near the upper one, otherwise half to even."""
    if "levels" in rule:
        levels = rule["levels"]
        return np.searchsorted((levels[1:] + levels[:-1]) / 2, (values / scale).astype(F), "right")
    return np.clip(np.rint((values.astype(F) + offset) / scale) + rule["zero"], 0, rule["maximum"])


def units_of(codes, rule):
    """What codes stand for, in units of the scale."""
    return (rule["levels"][codes.astype(int)] if "levels" in rule else codes - rule["zero"]).astype(F)


def shares(steps):
    return np.array([1, steps / (steps - 1)] + [1.05 - 0.03 * step for step in range(19)], F)


def fit_affine(values, importances, rule):
    """Scale and offset of each row with the least Σ importance · error² of those that the tried ranges lead to."""
    maximum, from_zero = F(rule["maximum"]), rule["offsets"] != "half"
    low, high = values.min(1), values.max(1)
    low = np.minimum(low, 0) if from_zero else low
    span = high - low
    middle = (low + high) * F(0.5)
    scale, offset, most = span / maximum, -low, np.full(len(values), -np.inf, F)
    w, x = total(np.broadcast_to(importances, values.shape)), total(importances * values)
    for share in shares(rule["maximum"]):
        width = span * share
        start = np.where(width >= span, low, middle - width * F(0.5))
        codes = np.rint(np.clip((values - start[:, None]) * (maximum / width)[:, None], 0, maximum))
        weighted = importances * codes
        l, ll, xl = total(weighted), total(weighted * codes), total(weighted * values)
        determinant = w * ll - l * l
        found, least = (w * xl - x * l) / determinant, (ll * x - l * xl) / determinant
        if from_zero:
            found, least = np.where(least > 0, xl / ll, found), np.minimum(least, 0)
        gain = found * xl + least * x
        better = (span > 0) & (determinant > 0) & (gain > most) & (found > 0)
        scale, offset, most = np.where(better, found, scale), np.where(better, -least, offset), np.where(better, gain, most)
    return scale, offset


def fit_signed(values, importances, rule):
    """The same without an offset; scales of both signs."""
    maximum, zero = rule["maximum"], rule["zero"]
    reach = -rule["levels"][0] if "levels" in rule else zero
    tried = shares(zero or (maximum + 1) / 2)
    scale, most = np.zeros(len(values), F), np.full(len(values), -np.inf, F)
    for share in [*tried, *-tried]:
        inverse = F(reach / share) / np.abs(values).max(1)
        placed = values * inverse[:, None]
        units = units_of(codes_of(placed, F(1), F(0), rule), rule)
        weighted = importances * units
        ll, xl = total(weighted * units), total(weighted * values)
        found = xl / ll
        better = np.isfinite(inverse) & (ll > 0) & (found * xl > most)
        scale, most = np.where(better, found, scale), np.where(better, found * xl, most)
    return scale, np.zeros_like(scale)


class Block:
    """Scales of one block a row: d and dmin [rows], whole numbers of each sub-block [sub-blocks, rows]."""

    def __init__(self, values, importances, rule):
        self.rule = rule
        importances = (importances.astype(F) / importances.astype(F).max()).astype(F)
        subs = rule["columns"] // rule["sub"]
        parts = [slice(sub * rule["sub"], (sub + 1) * rule["sub"]) for sub in range(subs)]
        fit = fit_affine if "offsets" in rule else fit_signed
        with np.errstate(divide="ignore", invalid="ignore"):
            wanted = [fit(values[:, part], importances[part], rule) for part in parts]
        scales, offsets = (np.stack(column) for column in zip(*wanted))
        self.numbers, self.offset_numbers = np.ones((2, subs, len(values)), F)
        rows = np.arange(len(values))
        if "significant" in rule:
            self.unit, self.offset_unit = self.fit_short(values, importances), np.zeros_like(scales[0])
        elif "numbers" not in rule:
            self.unit, self.offset_unit = half(scales[0]), half(offsets[0])
        else:
            least, most = rule["numbers"]
            furthest = scales[np.abs(scales).argmax(0), rows]
            self.unit = half(furthest / F(least if least < 0 else most))
            self.offset_unit = half(offsets.max(0).clip(0) / F(rule["offsets"])) if "offsets" in rule else np.zeros_like(self.unit)
        if "levels" not in rule:
            self.unit[self.unit == 0] = F(2.0**-24)
        if "numbers" in rule:
            for sub, part in enumerate(parts):
                self.choose(sub, values[:, part], importances[part], scales[sub], offsets[sub])

    def fit_short(self, values, importances):
        """Of the scales with few significant bits, a doubling down and one up from the one at which the largest value has the largest
        level, that with the least error."""
        bits, lowest, found = self.rule["significant"], np.full(len(values), np.inf, F), np.zeros(len(values), F)
        wanted = np.abs(values).max(1) / F(self.rule["levels"][-1])
        for place in range(1 - 2 ** (bits - 1), 2 ** (bits - 1) + 1):
            tried = short_near(wanted, bits, place)
            error = units_of(codes_of(values, tried[:, None], F(0), self.rule), self.rule) * tried[:, None] - values
            loss = total(importances * (error * error))
            found, lowest = np.where(loss < lowest, tried, found), np.minimum(loss, lowest)
        return found

    def choose(self, sub, values, importances, scale, offset):
        """Of the whole numbers next to the wanted ones, those with the least error."""
        least, most = self.rule["numbers"]
        with np.errstate(divide="ignore", invalid="ignore"):
            near = np.where(self.unit == 0, 0, np.clip(np.rint(scale / self.unit), least, most))
            last = np.where(self.offset_unit == 0, 0, self.rule.get("offsets", 0))
            near_offset = np.where(self.offset_unit == 0, 0, np.clip(np.rint(offset / self.offset_unit), 0, last))
        lowest = np.full(len(values), np.inf, F)
        for step in (-1, 0, 1):
            for offset_step in (-1, 0, 1):
                s, o = (near + step).astype(F), (near_offset + offset_step).astype(F)
                allowed = (s >= least) & (s <= most) & (o >= 0) & (o <= last) & ((s != 0) | ("levels" in self.rule))
                own, moved = (self.unit * s)[:, None], (self.offset_unit * o)[:, None]
                with np.errstate(divide="ignore", invalid="ignore"):
                    error = units_of(codes_of(values, own, moved, self.rule), self.rule) * own - moved - values
                loss = total(importances * (error * error))
                better = allowed & (loss < lowest)
                lowest[better] = loss[better]
                self.numbers[sub, better], self.offset_numbers[sub, better] = s[better], o[better]

    def grid(self, sub):
        return self.unit * self.numbers[sub], self.offset_unit * self.offset_numbers[sub]

    def refit(self, sub, codes, gradient, H):
        """Gives a sub-block the scale and offset that are best for its codes [rows, n], by the gradient (Q - W)·H [rows, n] and H
        [n, n]: of whole numbers the best of the four around the minimum, of half-precision ones, or those of few significant bits, the
        nearest unless it is worse."""
        rule = self.rule
        q = units_of(codes, rule).astype(np.float64)
        slope, offset_slope = np.sum(q * gradient, 1), np.sum(gradient, 1)
        curvature, cross, both = np.sum(q @ H * q, 1), np.sum(q @ H, 1), H.sum()
        scale, offset = (part.astype(np.float64) for part in self.grid(sub))
        determinant = curvature * both - cross * cross
        together = (determinant > 1e-4 * curvature * both) & ("offsets" in rule) & (("numbers" not in rule) | (self.offset_unit != 0))
        with np.errstate(divide="ignore", invalid="ignore"):
            alone = np.where(curvature > 0, -slope / curvature, 0)
            wanted = scale + np.where(together, (cross * offset_slope - slope * both) / determinant, alone)
            wanted_offset = offset + np.where(together, (curvature * offset_slope - slope * cross) / determinant, 0)

        def change(tried, tried_offset):
            ds, do = tried - scale, tried_offset - offset
            return 2 * (ds * slope - do * offset_slope) + ds**2 * curvature - 2 * ds * do * cross + do**2 * both

        if "numbers" not in rule:
            tried = short_nearest(wanted, rule["significant"]) if "significant" in rule else half(wanted)
            tried_offset = half(wanted_offset) if "offsets" in rule else self.offset_unit
            may_be_zero = "levels" in rule and "significant" not in rule
            better = (change(tried, tried_offset) < 0) & ((tried != 0) | may_be_zero)
            self.unit, self.offset_unit = np.where(better, tried, self.unit), np.where(better, tried_offset, self.offset_unit)
            return
        least, most = rule["numbers"]
        last = np.where(self.offset_unit == 0, 0, rule.get("offsets", 0))
        with np.errstate(divide="ignore", invalid="ignore"):
            low = np.clip(np.floor(wanted / self.unit), least, most)
            low_offset = np.where(self.offset_unit == 0, 0, np.clip(np.floor(wanted_offset / self.offset_unit), 0, last))
        lowest = np.zeros(len(q))
        for step in (0, 1):
            for offset_step in (0, 1):
                s, o = np.minimum(low + step, most).astype(F), np.minimum(low_offset + offset_step, last).astype(F)
                loss = change(self.unit * s, self.offset_unit * o)
                better = (self.unit != 0) & ((s != 0) | ("levels" in rule)) & (loss < lowest)
                lowest[better] = loss[better]
                self.numbers[sub, better], self.offset_numbers[sub, better] = s[better], o[better]


def gptq(weights, moment, order, rule, sweeps=0, block_size=128):
    """Codes, values, and scale and offset of each sub-block [rows, sub-blocks], natural column order.

    Scales of a block are chosen when the first of its columns is reached, on the weights as they were when the block of
    `block_size` columns that is being processed began.
    """
    columns, sub = weights.shape[1], rule["sub"]
    U = factor(moment, order)
    W = clear_dead(weights, moment)[:, order]
    positions = np.argsort(order)
    blocks = {}
    codes, values = np.zeros_like(W), np.zeros_like(W, np.float64)

    def settle(at, column, wanted):
        """Code and value of a column of the weight, kept at a place."""
        scale, offset = blocks[column // rule["columns"]].grid(column % rule["columns"] // sub)
        codes[:, at] = codes_of(wanted, scale, offset, rule)
        values[:, at] = units_of(codes[:, at], rule) * scale - offset

    current = W.astype(np.float64)
    for position, column in enumerate(order):
        if position % block_size == 0:
            begun = current.copy()
        block = column // rule["columns"]
        if block not in blocks:
            own = positions[block * rule["columns"] : (block + 1) * rule["columns"]]
            blocks[block] = Block(begun[:, own].astype(F), 1 / np.diag(U)[own] ** 2, rule)
        settle(position, column, current[:, position])
        error = (current[:, position] - values[:, position]) / U[position, position]
        current[:, position + 1 :] -= np.outer(error, U[position, position + 1 :])

    W, codes, values = (array[:, positions] for array in (W, codes, values))
    H = np.linalg.inv(U.T @ U)[np.ix_(positions, positions)]
    for _ in range(sweeps):
        for start in range(0, columns, sub):
            part = slice(start, start + sub)
            block, index = blocks[start // rule["columns"]], start % rule["columns"] // sub
            block.refit(index, codes[:, part], (values - W) @ H[:, part], H[part, part])
            scale, offset = block.grid(index)
            values[:, part] = units_of(codes[:, part], rule) * scale[:, None] - offset[:, None]
            for column in range(start, start + sub):
                settle(column, column, values[:, column] - (values - W) @ H[:, column] / H[column, column])
    grids = [blocks[block].grid(index) for block in range(columns // rule["columns"]) for index in range(rule["columns"] // sub)]
    scales, offsets = (np.stack(column, 1) for column in zip(*grids))
    return codes.astype(np.uint8), values.astype(F), scales, offsets
