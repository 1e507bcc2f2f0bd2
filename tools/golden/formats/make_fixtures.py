"""Loads our GPTQ and compressed-tensors folders with the libraries themselves, as fixtures of packages/assembly.

    node --conditions=mbs-source --import tsx tools/golden/formats/write-folders.ts FOLDER
    TORCH_COMPILE_DISABLE=1 python tools/golden/formats/make_fixtures.py FOLDER

Needs torch, transformers, accelerate, optimum, compressed-tensors and gptqmodel (made with torch 2.15.0, transformers 5.24.0,
optimum 2.3.0, compressed-tensors 0.20.0, gptqmodel 7.7.0, all on a CPU). For each folder, the library's own code loads and dequantises:
the logits of the dequantised weights in float32, the largest difference of the logits that the library computes in the
model's dtype to those of the same weights as a dense model, the largest difference of the dequantised weights to those that
we write in the dense format, and a hash of the file that it read.
"""

import hashlib
import importlib.metadata
import json
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file
from transformers import AutoConfig, AutoModelForCausalLM, CompressedTensorsConfig, GPTQConfig

ROOT = Path(__file__).resolve().parents[3]
FIXTURE = ROOT / "packages/assembly/test/fixtures/formats-golden.json"
TOKENS = [4 + ((index * 37 + 65) % 256) for index in range(24)]
ROWS = [0, 11, 23]


def logits(model) -> torch.Tensor:
    with torch.no_grad():
        return model(torch.tensor([TOKENS])).logits[0].float()


def dense_copy(folder: Path, state: dict) -> torch.nn.Module:
    """A dense model with the weights of a quantised one, in float32."""
    config = AutoConfig.from_pretrained(folder)
    del config.quantization_config
    dense = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    known = {name: value.float() for name, value in state.items() if name in dense.state_dict()}
    missing, unexpected = dense.load_state_dict(known, strict=False)
    assert set(missing) <= {"lm_head.weight"} and not unexpected, (missing, unexpected)
    dense.tie_weights()
    return dense.eval()


def load_compressed(folder: Path):
    """Logits with the weights packed until the first forward pass, which leaves them dequantised in the model.

    transformers 5.24 with compressed-tensors 0.20 loads asymmetric grids, the library's own too, only dequantised.
    """
    groups = json.loads((folder / "config.json").read_text())["quantization_config"].get("config_groups", {})
    symmetric = all(group["weights"]["symmetric"] for group in groups.values())
    options = {} if symmetric else {"quantization_config": CompressedTensorsConfig(dequantize=True)}
    model = AutoModelForCausalLM.from_pretrained(folder, dtype="auto", **options)
    return logits(model), model.dtype, dense_copy(folder, model.state_dict())


def load_gptq(folder: Path):
    """Logits of gptqmodel's torch kernel, and a dense model with the weights as that kernel dequantises them.

    Asymmetric grids of version 1 are loaded by transformers and optimum, which run the same kernel: gptqmodel itself takes
    them only from itself.
    """
    from gptqmodel import BACKEND, GPTQModel

    # On a CPU it would take bfloat16 whatever config.json says.
    dtype = AutoConfig.from_pretrained(folder).dtype
    config = json.loads((folder / "quantize_config.json").read_text())
    if config["checkpoint_format"] == "gptq" and not config["sym"]:
        chosen = GPTQConfig(bits=config["bits"], backend=BACKEND.GPTQ_TORCH)
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype, quantization_config=chosen).eval()
    else:
        model = GPTQModel.load(str(folder), device="cpu", backend=BACKEND.GPTQ_TORCH, dtype=dtype).model
    native = logits(model)
    state = model.state_dict()
    for name, module in model.named_modules():
        if hasattr(module, "qweight"):
            state[f"{name}.weight"] = module.dequantize_weight().T
    return native, model.dtype, dense_copy(folder, state)


def main() -> None:
    cases = {}
    for folder in sorted(Path(sys.argv[1]).iterdir()):
        packed = folder / "packed"
        method = json.loads((packed / "config.json").read_text())["quantization_config"]["quant_method"]
        native, dtype, dense = (load_gptq if method == "gptq" else load_compressed)(packed)
        # In the dtype that the library computes in, and in float32 as we do.
        same = logits(dense.to(dtype))
        exact = logits(dense.float())
        weights = {name.removeprefix("transformer."): value for name, value in dense.state_dict().items()}
        written = load_file(folder / "dense" / "model.safetensors")
        difference = max((weights[name.removeprefix("transformer.")] - value.float()).abs().max().item() for name, value in written.items())
        cases[folder.name] = {
            "sha256": hashlib.sha256((packed / "model.safetensors").read_bytes()).hexdigest(),
            "rows": ROWS,
            "logits": [[round(value, 5) for value in exact[row].tolist()] for row in ROWS],
            "nativeDifference": round((native - same).abs().max().item(), 5),
            "weightDifference": difference,
            "nativeDtype": str(dtype).removeprefix("torch."),
            "standardDeviation": round(exact.std().item(), 5),
        }
        print(folder.name, dtype, cases[folder.name]["nativeDifference"], difference, cases[folder.name]["standardDeviation"])
    libraries = {name: importlib.metadata.version(name) for name in ("torch", "transformers", "compressed-tensors", "gptqmodel", "optimum")}
    FIXTURE.write_text(json.dumps({"libraries": libraries, "tokens": TOKENS, "cases": cases}, separators=(",", ":")) + "\n")


main()
