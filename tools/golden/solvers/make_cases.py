"""Writes methods.json and correlation.json: cases of methods.py that no reference program at hand can make."""

import base64
import json
import pathlib

import numpy as np

import methods
from inputs import make_inputs, make_shift, split_languages

packages = pathlib.Path(__file__).parents[3] / "packages"
target = packages / "solvers/test/fixtures/methods.json"
correlation_target = packages / "compression/test/fixtures/correlation.json"
spec = {"seed": 4, "rows": 64, "columns": 200, "tokens": 512, "dead": [11]}


def gptq_case(name, order_name, options, **more):
    weights, inputs = make_inputs(**spec)
    exact = inputs.astype(np.float64)
    total = exact.T @ exact
    moment = 2 * total
    diagonal = np.diag(moment).copy()
    diagonal[diagonal == 0] = 1
    size = options["groupSize"]
    order = methods.group_aware(diagonal, size) if order_name.startswith("group-aware") else np.arange(len(diagonal))
    target = weights
    if "qep" in options:
        cross = 2 * make_shift(**spec).astype(np.float64).T @ exact
        target = methods.propagate_error(weights, moment, cross, options["qep"])
    own = {"hessian_search": options.get("search") == "hessian", "sweeps": options.get("sweeps", 0)}
    codes, values = methods.gptq(target, moment, order, options["bits"], size, options["symmetric"], **own, **more)
    change = values.astype(np.float64) - weights
    return {
        "name": name,
        "solver": "gptq",
        "input": spec,
        "options": options,
        "order": order_name,
        "codes": base64.b64encode(codes.tobytes()).decode(),
        "error": float(np.sum((change @ (total / len(inputs))) * change)),
    }


def awq_case(name, options, **more):
    weights, inputs = make_inputs(**spec)
    exact = inputs.astype(np.float64)
    moment = exact.T @ exact / len(inputs)
    scales, codes, values = methods.awq(weights, moment, np.sqrt(np.diag(moment)), options["bits"], options["groupSize"],
                                        options["symmetric"], options["clip"], **more)
    change = values.astype(np.float64) / (1 if scales is None else scales) - weights
    return {
        "name": name,
        "solver": "awq",
        "input": spec,
        "options": options,
        **({"scalable": False} if scales is None else {"inputScale": base64.b64encode(scales.tobytes()).decode()}),
        "codes": base64.b64encode(codes.tobytes()).decode(),
        "error": float(np.sum((change @ moment) * change)),
    }


def m_wanda_case(name, **options):
    own = {**spec, "tokens": 513, "languages": 3}
    weights, inputs = make_inputs(**own)
    exact = inputs.astype(np.float64)
    given = {**options, "pattern": tuple(map(int, options["pattern"].split(":")))} if "pattern" in options else options
    mask = methods.m_wanda(weights, split_languages(inputs, 3), **given)
    change = np.where(mask, 0, weights).astype(np.float64)
    return {
        "name": name,
        "solver": "m-wanda",
        "input": own,
        "options": options,
        "mask": base64.b64encode(np.packbits(mask, bitorder="little").tobytes()).decode(),
        "error": float(np.sum((change @ (exact.T @ exact / len(inputs))) * change)),
    }


def pruning_case(name, solver, options):
    """`sparsegpt` and `alps` with options of ours: the correction of QEP, the short schedule."""
    weights, inputs = make_inputs(**spec)
    exact = inputs.astype(np.float64)
    total = exact.T @ exact
    given = {key: value for key, value in options.items() if key != "qep"}
    if "pattern" in options:
        given["pattern"] = tuple(map(int, options["pattern"].split(":")))
    aimed = weights
    if "qep" in options:
        cross = make_shift(**spec).astype(np.float64).T @ exact
        # in the units of the factor that the tests use, the reference programs'
        aimed = methods.propagate_error(weights, 2 * total, 2 * cross, options["qep"])
    solved = getattr(methods, solver)(aimed, total, **given)
    mask, values = solved[0], solved[-1]
    change = values.astype(np.float64) - weights
    return {
        "name": name,
        "solver": solver,
        "input": spec,
        "options": options,
        "mask": base64.b64encode(np.packbits(mask, bitorder="little").tobytes()).decode(),
        "error": float(np.sum((change @ (total / len(inputs))) * change)),
    }


cases = [
    pruning_case("corrected by half", "sparsegpt", {"sparsity": 0.5, "qep": 0.5}),
    pruning_case("short schedule", "alps", {"sparsity": 0.6, "schedule": "short"}),
    pruning_case("short schedule, 2:4, corrected by half", "alps", {"pattern": "2:4", "schedule": "short", "qep": 0.5}),
    m_wanda_case("three languages", sparsity=0.5),
    m_wanda_case("three languages, heavy variance", sparsity=0.6, variance=8),
    m_wanda_case("three languages, n:m", pattern="2:4"),
    gptq_case("group-aware order", "group-aware:32", {"bits": 4, "groupSize": 32, "symmetric": True}, by_column=True),
    gptq_case("grids on updated weights", "natural", {"bits": 3, "groupSize": 48, "symmetric": False, "gridRule": "updated"}, updated=True),
    gptq_case("grids on updated weights, per channel", "natural", {"bits": 4, "groupSize": 0, "symmetric": True, "gridRule": "updated"}, updated=True),
    gptq_case("search by the Hessian", "group-aware:32", {"bits": 3, "groupSize": 32, "symmetric": False, "search": "hessian"}, by_column=True),
    gptq_case("sweeps", "natural", {"bits": 2, "groupSize": 64, "symmetric": False, "sweeps": 2}),
    gptq_case("error propagation", "natural", {"bits": 3, "groupSize": 64, "symmetric": False, "qep": 0.5}),
    gptq_case("the defaults", "group-aware:32", {"bits": 3, "groupSize": 32, "symmetric": False, "search": "hessian", "sweeps": 4, "qep": 0.5}, by_column=True),
    gptq_case("the defaults, symmetric", "group-aware:64", {"bits": 4, "groupSize": 64, "symmetric": True, "search": "hessian", "sweeps": 4, "qep": 0.5}, by_column=True),
    awq_case("scales and clipping, symmetric", {"bits": 3, "groupSize": 32, "symmetric": True, "clip": True}),
    awq_case("scales, per channel", {"bits": 4, "groupSize": 0, "symmetric": False, "clip": False}),
    awq_case("clipping alone, a short last group", {"bits": 3, "groupSize": 64, "symmetric": False, "clip": True}, scalable=False),
]
target.write_text(json.dumps({"program": "tools/golden/solvers/methods.py", "cases": cases}, indent=1) + "\n")


def correlation_step(seed, columns, languages):
    sites = [{**spec, "seed": seed + index, "rows": 8, "columns": width, "tokens": 120, "languages": languages} for index, width in enumerate(columns)]
    norms = [methods.language_norms(split_languages(make_inputs(**site)[1], languages)) for site in sites]
    parameters = sum(site["rows"] * site["columns"] for site in sites)
    return {"sites": sites, "parameters": parameters, "importance": float(methods.correlation_importance(norms))}


steps = [correlation_step(50, [24, 40], 2), correlation_step(60, [24, 40], 3), correlation_step(70, [40], 5)]
sparsities = methods.spread([step["importance"] for step in steps], [step["parameters"] for step in steps], 0.6, 0.1)
result = {"sparsity": 0.6, "spread": 0.1, "steps": [{**step, "sparsity": float(value)} for step, value in zip(steps, sparsities)]}
correlation_target.write_text(json.dumps({"program": "tools/golden/solvers/methods.py", **result}, indent=1) + "\n")
