"""Loads what write-folders.ts wrote by the programs that it is for, and compares logits.

    TORCH_COMPILE_DISABLE=1 python tools/format-loads/load_folders.py FOLDER RESULTS.json FORMAT,... [TYPE or TYPE/CASE ...]

Needs what README.md lists. Every reader loads in float32 on a CPU. Its logits are compared to those that we compute of the
dense folder of the same layers: the largest difference, as a share of their standard deviation. RESULTS.json keeps the
results of what is not named. gptqmodel changes transformers for the whole process, so that experts load otherwise: its
formats, gptq and gptq-v2, are loaded in a process of their own.
"""

import gc
import importlib.metadata
import json
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import onnxruntime
import torch
import transformers
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForImageTextToText, AutoModelForSeq2SeqLM, CompressedTensorsConfig, GPTQConfig

warnings.filterwarnings("ignore")
transformers.logging.set_verbosity_error()
transformers.utils.logging.disable_progress_bar()

LIBRARIES = ("torch", "transformers", "compressed-tensors", "gptqmodel", "onnxruntime")


def logits_of(model, tokens: list[int]) -> np.ndarray:
    ids = torch.tensor([tokens])
    inputs = {"input_ids": ids, "decoder_input_ids": ids} if model.config.is_encoder_decoder else {"input_ids": ids}
    with torch.no_grad():
        return model.eval()(**inputs).logits[0].float().numpy()


def auto_class(folder: Path):
    config = AutoConfig.from_pretrained(folder)
    if hasattr(config, "text_config"):
        return AutoModelForImageTextToText
    return AutoModelForSeq2SeqLM if config.is_encoder_decoder else AutoModelForCausalLM


def by_transformers(folder: Path, tokens: list[int], **options) -> np.ndarray:
    return logits_of(auto_class(folder).from_pretrained(folder, dtype=torch.float32, **options), tokens)


def by_transformers_dense(folder: Path, tokens: list[int]) -> np.ndarray:
    config = CompressedTensorsConfig(dequantize=True)
    return by_transformers(folder, tokens, quantization_config=config)


def unpacked(model) -> torch.nn.Module:
    """The model in float32 with the weights as gptqmodel's kernel dequantises them: the kernel itself takes no float32."""
    for name, module in list(model.named_modules()):
        if hasattr(module, "qweight"):
            weight = module.dequantize_weight().T.float().contiguous()
            linear = torch.nn.Linear(weight.shape[1], weight.shape[0], bias=module.bias is not None)
            linear.weight = torch.nn.Parameter(weight)
            if module.bias is not None:
                linear.bias = torch.nn.Parameter(module.bias.float())
            model.set_submodule(name, linear)
    # transformers forbids model.float() to a quantised model, which it no longer is.
    return torch.nn.Module.float(model)


def by_transformers_gptq(folder: Path, tokens: list[int]) -> np.ndarray:
    from gptqmodel import BACKEND

    # The kernel that needs no compiler; it does not support float32. Everything else comes from the folder.
    bits = json.loads((folder / "quantize_config.json").read_text())["bits"]
    config = GPTQConfig(bits=bits, backend=BACKEND.GPTQ_TORCH)
    model = auto_class(folder).from_pretrained(folder, dtype=torch.float16, quantization_config=config)
    return logits_of(unpacked(model), tokens)


def by_gptqmodel(folder: Path, tokens: list[int]) -> np.ndarray:
    from gptqmodel import BACKEND, GPTQModel

    loaded = GPTQModel.load(str(folder), device="cpu", backend=BACKEND.GPTQ_TORCH, dtype=torch.float16)
    return logits_of(unpacked(loaded.model), tokens)


TYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(int64)": np.int64, "tensor(bool)": np.bool_}


def by_onnxruntime(folder: Path, tokens: list[int]) -> np.ndarray:
    [graph] = (folder / "onnx").glob("*.onnx")
    session = onnxruntime.InferenceSession(str(graph), providers=["CPUExecutionProvider"])
    count = len(tokens)
    given = {
        "input_ids": np.array([tokens]),
        "attention_mask": np.ones((1, count)),
        "position_ids": np.arange(count)[None],
    }
    feeds = {}
    for entry in session.get_inputs():
        # An empty cache: [batch, heads, past, width], of a convolution [batch, channels, tokens] with zeros.
        empty = [side if isinstance(side, int) else 1 if axis == 0 else 0 for axis, side in enumerate(entry.shape)]
        feeds[entry.name] = (given[entry.name] if entry.name in given else np.zeros(empty)).astype(TYPES[entry.type])
    return session.run(["logits"], feeds)[0][0]


READERS = {
    "dense": {"transformers": by_transformers},
    "gptq": {"gptqmodel": by_gptqmodel, "transformers": by_transformers_gptq},
    "gptq-v2": {"gptqmodel": by_gptqmodel, "transformers": by_transformers_gptq},
    "compressed-tensors": {"transformers": by_transformers, "transformers, dequantize=True": by_transformers_dense},
    "onnx": {"onnxruntime": by_onnxruntime},
}


# gptqmodel takes seconds to load a folder: all cases of one type, the telling ones of the others.
THOROUGH = ("llama",)
# What gptqmodel cannot load, or not right, is for transformers in version 2 too.
BEYOND_GPTQMODEL = ("gpt_neox", "mixtral", "phi3", "xglm")
TELLING = ("symmetric-4", "asymmetric-3", "mixed-bits-symmetric", "partial-symmetric", "mixed-experts", "partial-experts", "no-experts")


def readers_of(name: str, model_type: str, case: str) -> dict:
    readers = READERS[name]
    if not name.startswith("gptq") or model_type in THOROUGH:
        return readers
    if case not in TELLING:
        return {}
    return readers if name == "gptq" or model_type in BEYOND_GPTQMODEL else {"gptqmodel": by_gptqmodel}


def reason(error: Exception, root: Path) -> str:
    lines = [line.strip() for line in str(error).replace(f"{root}/", "").splitlines() if line.strip()]
    return f"{type(error).__name__}: {(lines or [''])[0]}"[:200]


def load_case(folder: Path, names: list[str]) -> dict:
    root = folder.parents[2]
    case = json.loads((folder / "case.json").read_text().replace(f"{root}/", ""))
    expected = np.array(case["logits"], dtype=np.float64).reshape(len(case["tokens"]), -1)
    formats = {}
    for name in names:
        if name in case["refused"]:
            formats[name] = {"refused": case["refused"][name]}
            continue
        loads = {} if name not in case["own"] else {"mbs": case["own"][name]}
        if isinstance(loads.get("mbs"), float):
            loads["mbs"] = float(f"{loads['mbs'] / expected.std():.1e}")
        for reader, load in readers_of(name, folder.parent.name, folder.name).items():
            try:
                found = load(folder / name, case["tokens"])
                difference = np.abs(found - expected).max() / expected.std()
                loads[reader] = float(f"{difference:.1e}") if np.isfinite(difference) else "logits that are not numbers"
            except Exception as error:  # whatever a library throws is its answer
                loads[reader] = reason(error, root)
            gc.collect()
        formats[name] = loads
    return {"kind": case["kind"], "formats": formats}


def as_text(libraries: dict, results: dict) -> str:
    """JSON with a line for each case."""
    types = []
    for name, cases in sorted(results.items()):
        lines = [f"{json.dumps(case)}: {json.dumps(cases[case])}" for case in sorted(cases)]
        types.append(f"{json.dumps(name)}: {{\n" + ",\n".join(lines) + "\n}")
    return f'{{"libraries": {json.dumps(libraries)},\n"types": {{\n' + ",\n".join(types) + "\n}}\n"


def main() -> None:
    torch.set_num_threads(1)
    root, target, formats, *wanted = sys.argv[1:]
    names = formats.split(",")
    if any(name.startswith("gptq") for name in names) and not all(name.startswith("gptq") for name in names):
        sys.exit("load gptq and gptq-v2 in a process of their own: gptqmodel changes transformers")
    results = json.loads(Path(target).read_text())["types"] if Path(target).exists() else {}
    libraries = {name: importlib.metadata.version(name) for name in LIBRARIES}
    for folder in sorted((Path(root) / "folders").glob("*/*")):
        model_type, case = folder.parent.name, folder.name
        if wanted and model_type not in wanted and f"{model_type}/{case}" not in wanted:
            continue
        loaded = load_case(folder, names)
        known = results.setdefault(model_type, {}).get(case, {"formats": {}})
        results[model_type][case] = {"kind": loaded["kind"], "formats": {**known["formats"], **loaded["formats"]}}
        Path(target).write_text(as_text(libraries, results))
        print(f"loaded {model_type} {case} in {time.process_time():.0f} s", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
