"""Plain NumPy forms of the methods, written from the papers: one column after another, in float64 where it does not matter.

GPTQ arXiv:2210.17323 algorithm 1, QuantEase arXiv:2309.01885, QEP arXiv:2504.09629, GPTAQ arXiv:2504.02692, AWQ
arXiv:2306.00978, SparseGPT arXiv:2301.00774 algorithm 1, Wanda arXiv:2306.11695 section 3, ALPS arXiv:2406.07831 section 3, OWL
arXiv:2310.05175 section 3. `m_wanda` and `correlation_importance` follow what the abstract of
M-Wanda (arXiv:2505.21171) says, in the form that docs/measured/multilingual-pruning.md states.

Weights W are [rows, columns]; `moment` is E[x xᵀ] a token, [columns, columns]; masks are True where a weight is kept.
"""

import itertools

import numpy as np

F = np.float32


def factor(moment, order, damping=0.01, dead_diagonal=1.0):
    """Upper Cholesky factor U of the inverse of the ordered, damped moment, H⁻¹ = UᵀU, in float64."""
    H = moment.astype(np.float64)[np.ix_(order, order)]
    dead = np.diag(H) == 0
    H[dead, dead] = dead_diagonal
    H[np.diag_indices_from(H)] += damping * np.mean(np.diag(H))
    # with P the reversal of order: PHP = LLᵀ, so U = P·L⁻¹·P
    lower = np.linalg.cholesky(H[::-1, ::-1])
    return np.linalg.inv(lower)[::-1, ::-1]


def group_aware(diagonal, size):
    """Groups by their largest diagonal, columns of a group by their own; a short last group stays last."""
    groups = [np.arange(start, min(start + size, len(diagonal))) for start in range(0, len(diagonal), size)]
    last = [groups.pop()] if len(groups[-1]) < size else []
    groups.sort(key=lambda group: -diagonal[group].max())
    return np.concatenate([group[np.argsort(-diagonal[group], kind="stable")] for group in groups + last])


def quantise(values, scale, zero, bits):
    """Codes of values [rows, …] on grids [rows]; half to even."""
    shape = (-1,) + (1,) * (values.ndim - 1)
    codes = np.rint(values.astype(F) / scale.reshape(shape)) + zero.reshape(shape)
    return np.clip(codes, 0, 2**bits - 1)


def dequantise(codes, scale, zero):
    shape = (-1,) + (1,) * (codes.ndim - 1)
    return ((codes - zero.reshape(shape)).astype(F) * scale.reshape(shape)).astype(F)


def fit_grid(weights, bits, symmetric, mse=False, importances=None):
    """Scale and zero of each row: of all its range; with `mse` of the one of least |error|^2.4 among 80 shrunken ones, with
    `importances` [columns] of the one of least squared error weighted by them."""
    weights = weights.astype(F)
    least = np.minimum(weights.min(1), 0)
    most = np.maximum(weights.max(1), 0)
    if symmetric:
        most = np.maximum(-least, most)
        least = -most
    empty = least == most
    least[empty], most[empty] = -1, 1
    maximum = F(2**bits - 1)

    def grid(share):
        scale = (F(share) * most - F(share) * least) / maximum
        zero = np.full_like(scale, 2 ** (bits - 1)) if symmetric else np.rint(-F(share) * least / scale)
        return scale, zero

    scale, zero = grid(1)
    if mse or importances is not None:
        best = np.full(len(weights), np.inf)
        for step in range(80):
            tried = grid(1 - step / 100)
            change = np.abs(dequantise(quantise(weights, *tried, bits), *tried) - weights).astype(np.float64)
            error = np.sum(change**2.4 if importances is None else change**2 * importances, 1)
            better = error < best
            best[better], scale[better], zero[better] = error[better], tried[0][better], tried[1][better]
    return scale, zero


def clear_dead(weights, moment):
    weights = weights.astype(F).copy()
    weights[:, np.diag(moment) == 0] = 0
    return weights


def asymmetry(cross, order, U, alpha):
    """P of GPTAQ. `cross` is E[(x̃ - x) xᵀ] in the units of the moment that U is of.

    Row j is α·cross[j, F]·H_F⁻¹ with F the columns after j: what they have to add for w[j]·(x̃ - x)[j].
    """
    ordered = cross.astype(np.float64)[np.ix_(order, order)]
    P = np.zeros_like(ordered)
    for column in range(len(order) - 1):
        later = slice(column + 1, None)
        # the inverse of the moment of the later columns alone
        P[column, later] = alpha * ordered[column, later] @ U[later, later].T @ U[later, later]
    return P


def descend(W, H, codes, grids, group_at, bits, sweeps, block_size=128):
    """Coordinate descent on tr((Q - W)·H·(Q - W)ᵀ), block by block: the best scales of each group with codes frozen, one group
    after another, then the codes one by one.

    `codes` and `grids` (group → scale, zero) are overwritten. A group that reaches beyond a block keeps its scales.
    """
    def value(column):
        return dequantise(codes[:, column], *grids[group_at[column]]).astype(np.float64)

    values = np.stack([value(column) for column in range(W.shape[1])], 1)
    positions = np.arange(len(group_at))
    for _, start in itertools.product(range(sweeps), range(0, len(group_at), block_size)):
        block = positions[start : start + block_size]
        for group in dict.fromkeys(group_at[block]):
            inside = group_at == group
            if np.any(inside & ((positions < start) | (positions >= start + block_size))):
                continue
            own = values[:, inside]
            slope = np.sum((values - W) @ H[:, inside] * own, 1)
            curvature = np.sum(own @ H[np.ix_(inside, inside)] * own, 1)
            scale, zero = grids[group]
            wanted = (scale * (1 - slope / np.where(curvature > 0, curvature, 1))).astype(F)
            grids[group] = np.where((wanted > 0) & (curvature > 0), wanted, scale), zero
            for column in np.flatnonzero(inside):
                values[:, column] = value(column)
        for column in block:
            best = values[:, column] - (values - W) @ H[:, column] / H[column, column]
            codes[:, column] = quantise(best, *grids[group_at[column]], bits)
            values[:, column] = value(column)
    return values.astype(F)


def gptq(weights, moment, order, bits, group_size=0, symmetric=True, mse=False, static_groups=False, updated=False,
         by_column=False, block_size=128, U=None, P=None, hessian_search=False, sweeps=0):
    """Codes and values, natural column order.

    A group is `group_size` columns next to each other in the order of processing (in the weight with `by_column` or
    `static_groups`). Its grid is fitted when it is reached: on the weights as they were when the block began, or with
    `updated` on the block's own updates too; with `static_groups` on the weights before anything was updated.

    With `hessian_search` a column's error weighs 1 / U[j, j]² in the search of ranges; `sweeps` of coordinate descent follow.

    With P it is GPTAQ: inside a block a weight moves on as it was when it was rounded, after the block as it was settled.
    """
    columns = weights.shape[1]
    U = factor(moment, order) if U is None else U
    W = clear_dead(weights, moment)[:, order]
    size = group_size or columns
    group_at = (order if by_column or static_groups else np.arange(columns)) // size
    grids = {}
    if not group_size:
        grids[0] = fit_grid((W if updated else weights[:, order]), bits, symmetric, mse)
    elif static_groups:
        for group in np.unique(group_at):
            grids[group] = fit_grid(W[:, group_at == group], bits, symmetric, mse)
    codes = np.zeros_like(W)
    values = np.zeros_like(W)
    current = W.astype(np.float64)
    begun = current.copy()
    P = np.zeros_like(U) if P is None else P
    for column in range(columns):
        if column % block_size == 0:
            before = slice(column - block_size, column)
            if column:
                current[:, column:] += values[:, before].astype(np.float64) @ P[before, column:]
            begun = current.copy()
        block_end = min(column - column % block_size + block_size, columns)
        group = group_at[column]
        if group not in grids:
            inside = group_at == group
            seen = begun.copy()
            if updated:
                seen[:, column:block_end] = current[:, column:block_end]
            importances = 1 / np.diag(U)[inside] ** 2 if hessian_search else None
            grids[group] = fit_grid(seen[:, inside], bits, symmetric, mse, importances)
        codes[:, column] = quantise(current[:, column], *grids[group], bits)
        values[:, column] = dequantise(codes[:, column], *grids[group])
        error = (current[:, column] - values[:, column]) / U[column, column]
        own = current[:, column].copy()
        current[:, column + 1 :] -= np.outer(error, U[column, column + 1 :])
        current[:, column + 1 : block_end] += np.outer(own, P[column, column + 1 : block_end])
    if sweeps:
        inverse = np.linalg.inv(U.T @ U)
        values = descend(W.astype(np.float64), inverse, codes, grids, group_at, bits, sweeps)
    back = np.argsort(order)
    return codes[:, back].astype(np.uint8), values[:, back]


def clip_grid(weights, moment, bits, symmetric):
    """Scale and zero of each row of a group, its range cut to a share of the largest weight: the one of ten with the least δHδᵀ."""
    largest = np.abs(weights).max(1, keepdims=True)
    best = np.full(len(weights), np.inf)
    scale, zero = fit_grid(weights, bits, symmetric)
    for step in range(10):
        limit = largest * F(1 - step / 20)
        tried = fit_grid(np.clip(weights, -limit, limit), bits, symmetric)
        change = dequantise(quantise(weights, *tried, bits), *tried).astype(np.float64) - weights
        error = np.sum((change @ moment) * change, 1)
        better = error < best
        best[better], scale[better], zero[better] = error[better], tried[0][better], tried[1][better]
    return scale, zero


def awq(weights, moment, sizes, bits, group_size=0, symmetric=True, clip=True, scalable=True):
    """Scales (or None), codes and values of W·diag(s). `sizes` of the channels: E|x| in the program, √E[x²] in ours."""
    columns = weights.shape[1]
    size = group_size or columns

    def rounded(W, moment=None):
        codes, values = np.zeros_like(W), np.zeros_like(W)
        for start in range(0, columns, size):
            part = slice(start, start + size)
            own = W[:, part]
            clipped = moment is not None
            grid = clip_grid(own, moment[part, part], bits, symmetric) if clipped else fit_grid(own, bits, symmetric)
            codes[:, part] = quantise(own, *grid, bits)
            values[:, part] = dequantise(codes[:, part], *grid)
        return codes.astype(np.uint8), values

    scales, best = None, np.inf
    for step in range(20 if scalable else 0):
        s = np.maximum(sizes.astype(np.float64) ** (step / 20), 1e-4)
        s = (s / np.sqrt(s.max() * s.min())).astype(F)
        _, values = rounded(weights * s)
        change = values.astype(np.float64) / s - weights
        error = np.sum((change @ moment) * change)
        if error < best:
            scales, best = s, error
    s = np.ones(columns, F) if scales is None else scales
    return scales, *rounded(weights * s, moment / np.outer(s, s).astype(np.float64) if clip else None)


def drop_smallest(scores, count):
    """Keeps all but the `count` smallest of each row, the first of equal ones going first."""
    kept = np.ones(scores.shape, bool)
    np.put_along_axis(kept, np.argsort(scores, axis=1, kind="stable")[:, :count], False, 1)
    return kept


def drop_up_to_share(scores, share):
    """One threshold for all scores: the one at place floor(share · size), ties included."""
    return scores > np.sort(scores, axis=None)[int(scores.size * share)]


def sparsegpt(weights, moment, sparsity=0.5, pattern=None, bits=None, symmetric=True, mse=False, block_size=128, U=None):
    """Mask, codes (or None) and values. `pattern` is (kept, of)."""
    columns = weights.shape[1]
    U = factor(moment, np.arange(columns)) if U is None else U
    grid = fit_grid(weights, bits, symmetric, mse) if bits else None
    current = clear_dead(weights, moment).astype(np.float64)
    pivots = np.diag(U)
    mask = np.ones(weights.shape, bool)
    codes = np.zeros_like(current)
    values = np.zeros(weights.shape, F)
    span = pattern[1] if pattern else block_size
    for column in range(columns):
        if column % span == 0:
            part = slice(column, min(column + span, columns))
            scores = (current[:, part] ** 2 / pivots[part] ** 2).astype(F)
            if pattern:
                dropped = (pattern[1] - pattern[0]) * scores.shape[1] // pattern[1]
                mask[:, part] = drop_smallest(scores, dropped)
            else:
                mask[:, part] = drop_up_to_share(scores, sparsity)
        value = np.where(mask[:, column], current[:, column], 0)
        if grid:
            codes[:, column] = quantise(value, *grid, bits)
            value = dequantise(codes[:, column], *grid)
        values[:, column] = value
        error = (current[:, column] - value) / pivots[column]
        current[:, column + 1 :] -= np.outer(error, U[column, column + 1 :])
    return mask, codes.astype(np.uint8) if bits else None, values


def pattern_mask(scores, pattern):
    kept, of = pattern
    parts = [scores[:, start : start + of] for start in range(0, scores.shape[1], of)]
    return np.concatenate([drop_smallest(part, (of - kept) * part.shape[1] // of) for part in parts], 1)


def wanda(weights, diagonal, sparsity=0.5, pattern=None, variant=False):
    scores = np.abs(weights) * np.sqrt(diagonal.astype(F))
    if pattern:
        return pattern_mask(scores, pattern)
    if not variant:
        return drop_smallest(scores, int(scores.shape[1] * sparsity))
    ordered = np.sort(scores, 1)
    sums = np.cumsum(ordered.astype(np.float64), 1)
    low, high, share = 0.0, 0.8, 0.4
    while True:
        count = np.sum(sums <= sums[:, -1:] * share, 1)
        limit = np.where(count > 0, np.take_along_axis(ordered, np.maximum(count - 1, 0)[:, None], 1)[:, 0], -1)
        kept = scores > limit[:, None]
        reached = 1 - kept.mean()
        if abs(reached - sparsity) <= 0.001 or high - low < 0.001:
            return kept
        if reached > sparsity:
            high = share
        else:
            low = share
        share = (low + high) / 2


def propagate_error(weights, moment, cross, alpha):
    """W + α·W·C·H⁻¹: the weights of QEP. `cross` is E[(x̃ - x) xᵀ] in the units of the moment."""
    U = factor(moment, np.arange(weights.shape[1]))
    return weights + alpha * weights.astype(np.float64) @ cross @ (U.T @ U)


def mean_of_living(moment):
    diagonal = np.diag(moment)
    return diagonal[diagonal > 0].mean()


def alps(weights, moment, sparsity=0.5, pattern=None, schedule="paper", damping=0.01):
    """Mask and values: ADMM on weights of unit input, then conjugate gradients on the mask, all by eigenvectors in float64."""
    H = moment.astype(np.float64)
    living = np.diag(H) > 0
    mean = mean_of_living(moment)
    H[~living, ~living] = mean
    H[np.diag_indices_from(H)] += damping * mean
    sizes = np.sqrt(np.diag(H))
    H = H / np.outer(sizes, sizes)
    W = weights * sizes * living
    G = W @ H
    roots, vectors = np.linalg.eigh(H)

    def kept(values):
        if pattern:
            return pattern_mask(np.abs(values), pattern)
        dropped = values.size - round((1 - sparsity) * values.size)
        return drop_smallest(np.abs(values).reshape(1, -1), dropped).reshape(values.shape)

    first = kept(W)

    def iterate(D, V, rho, relaxation=1.0):
        B = (G - V + rho * D) @ (vectors / (roots + rho)) @ vectors.T
        Z = D + relaxation * (B - D) + V / rho
        mask = kept(Z)
        return B, np.where(mask, Z, 0), rho * np.where(mask, 0, Z), mask

    D, V = np.where(first, W, 0), np.zeros_like(W)
    if schedule == "short":
        for rho in (0.2, 0.45, 1):
            for _ in range(3):
                B, D, V, _ = iterate(D, V, rho, 1.6)
    else:
        rho, started, before, total = 0.1, False, first, first.sum()
        for iteration in range(300):
            B, D, V, mask = iterate(D, V, rho)
            if iteration % 3 != 2:
                continue
            changed, before = np.sum(mask != before), mask
            if started and changed == 0:
                break
            started = started or changed > 0.005 * total
            if started:
                rho *= 1.3 if changed > 0.1 * total else 1.2 if changed > 0.005 * total else 1.1
            else:
                rho /= 5
                if changed:
                    D, V = np.where(first, W, 0), np.zeros_like(W)
            if iteration >= 30 and changed < 0.0003 * total:
                break
    mask = kept(B)
    X = np.where(mask, B, 0)
    R = np.where(mask, G - X @ H, 0)
    P = R
    for _ in range(5 if schedule == "short" else 10):
        product = P @ H
        curvature, square = np.sum(P * product, 1, keepdims=True), np.sum(R * R, 1, keepdims=True)
        step = np.divide(square, curvature, out=np.zeros_like(square), where=curvature > 0)
        X = X + step * P
        R = R - step * np.where(mask, product, 0)
        P = R + np.divide(np.sum(R * R, 1, keepdims=True), square, out=np.zeros_like(square), where=square > 0) * P
    return mask, (X / sizes).astype(F)


def magnitude(weights, sparsity=0.5, pattern=None):
    scores = np.abs(weights)
    return pattern_mask(scores, pattern) if pattern else drop_up_to_share(scores, sparsity)


def language_norms(inputs):
    """√E[x²] of each language, [languages, columns], from a list of their inputs."""
    return np.sqrt(np.stack([np.mean(x.astype(np.float64) ** 2, 0) for x in inputs]))


def m_wanda(weights, inputs, sparsity=0.5, pattern=None, variance=1.0):
    """Wanda on E[x²] + variance·Var of the languages' norms; `inputs` is a list, one of each language, of equal length."""
    norms = language_norms(inputs)
    return wanda(weights, np.mean(norms**2, 0) + variance * np.var(norms, 0), sparsity, pattern)


def outlier_ratio(layer, multiple):
    """Share of a layer's scores above `multiple` times their mean; `layer` is a list of (weights, diagonal)."""
    scores = np.concatenate([(np.abs(w) * np.sqrt(d)).ravel() for w, d in layer]).astype(np.float64)
    return np.mean(scores > multiple * np.mean(scores))


def correlation_importance(layer):
    """Mean Pearson correlation of the languages' norms over pairs and sites; `layer` is a list of [languages, columns]."""
    pairs = np.triu_indices(len(layer[0]), 1)
    return np.mean([np.mean(np.corrcoef(norms)[pairs]) for norms in layer])


def spread(importance, sizes, sparsity, reach):
    """Sparsity of each layer: linear in importance, 2·reach between the extremes, mean over all weights as asked."""
    importance = np.asarray(importance, np.float64)
    density = (importance - importance.min()) / (importance.max() - importance.min()) * 2 * reach
    return sparsity - (density - np.average(density, weights=sizes))
