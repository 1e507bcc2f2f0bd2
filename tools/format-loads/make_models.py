"""Writes a small random model of every model type, or of some: python tools/format-loads/make_models.py FOLDER [TYPE …]

Needs torch and transformers (see README.md). Weights come from a seed, in float32.
"""

import json
import sys
from pathlib import Path

import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForImageTextToText, AutoModelForSeq2SeqLM

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
sys.path[:0] = [str(GOLDEN), str(GOLDEN / "forward")]

from make_fixtures import VOCABULARY, special_tokens, tokenizer_json  # noqa: E402
from model_types import TYPES, is_wrapped, seed_of  # noqa: E402

CONFIGS = {name: {"type": name, **own.LOADS} for name, own in TYPES.items() if hasattr(own, "LOADS")}
CONFIGS |= {f"{name}-experts": {"type": name, **own.LOADS_EXPERTS} for name, own in TYPES.items() if hasattr(own, "LOADS_EXPERTS")}


def randomise(model) -> None:
    """Norms near 1 (Gemma 2 and 3 and Qwen 3.5 store them less 1), small biases, matrices that keep the size of what they multiply."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            less_one = model.config.model_type.startswith(("gemma2", "gemma3", "qwen3_5"))
            centre = 0.0 if less_one and not any(part in name for part in ("vision_tower", "visual", "linear_attn.norm")) else 1.0
            is_norm = parameter.ndim == 1 and name.endswith("weight")
            scale = 0.1 if parameter.ndim == 1 else 0.15
            # In half precision too, in which gptqmodel keeps what is not quantised.
            parameter.copy_((torch.randn_like(parameter) * scale + (centre if is_norm else 0.0)).half())
        for name, buffer in model.named_buffers():
            if name.endswith("layer_scalar"):  # of Gemma 4
                buffer.copy_((1.0 + torch.randn_like(buffer) * 0.2).half())


def make_model(case: dict, seed: int, folder: Path) -> None:
    torch.manual_seed(seed)
    model_type = case["type"]
    pair = "source" in case
    special = {"bos_token_id": 1, "eos_token_id": 1 if pair else 2, "pad_token_id": 1 if model_type == "xglm" else 3}
    own = case["config"] if is_wrapped(case) else {"vocab_size": VOCABULARY, **special, **case["config"]}
    config = AutoConfig.for_model(model_type, **own)
    auto = AutoModelForSeq2SeqLM if pair else AutoModelForImageTextToText if is_wrapped(case) else AutoModelForCausalLM
    model = auto.from_config(config, attn_implementation="eager")
    randomise(model)
    model.save_pretrained(folder)
    (folder / "generation_config.json").unlink(missing_ok=True)
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer_json(special_tokens(case)), ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    folder, *wanted = sys.argv[1:]
    unknown = [name for name in wanted if name not in CONFIGS]
    if unknown:
        raise SystemExit(f"no type {', '.join(unknown)}; types are {', '.join(CONFIGS)}")
    for name, model in CONFIGS.items():
        if not wanted or name in wanted or model["type"] in wanted:
            make_model(model, seed_of(name, model), Path(folder) / name)
