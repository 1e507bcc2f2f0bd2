"""Writes a small random model of every model type, or of some: python tools/format-loads/make_models.py FOLDER [TYPE …]

Needs torch and transformers (see README.md). Weights come from a seed, in float32; sizes are multiples of 32, which GPTQ's
files ask for.
"""

import json
import sys
from pathlib import Path

import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSeq2SeqLM

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "golden/forward"))

from make_fixtures import VOCABULARY, tokenizer_json  # noqa: E402

PLAIN = {"hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 4, "max_position_embeddings": 128}
GROUPED = {**PLAIN, "num_key_value_heads": 2, "head_dim": 16}
GEMMA = {**GROUPED, "sliding_window": 8, "query_pre_attn_scalar": 16}
T5 = {"d_model": 64, "d_kv": 16, "d_ff": 96, "num_layers": 2, "num_heads": 4, "pad_token_id": 0, "decoder_start_token_id": 0}
QWEN_EXPERTS = {
    "num_experts": 4,
    "num_experts_per_tok": 2,
    "moe_intermediate_size": 32,
    "shared_expert_intermediate_size": 64,
}

CONFIGS = {
    "bloom": {"hidden_size": 64, "n_layer": 2, "n_head": 4},
    "gemma2": GEMMA,
    "gemma3_text": {**GEMMA, "layer_types": ["sliding_attention", "full_attention"]},
    "gpt2": {"n_embd": 64, "n_layer": 2, "n_head": 4, "n_inner": 96, "n_positions": 128},
    "gpt_neox": PLAIN,
    "llama": GROUPED,
    "mistral": GROUPED,
    "mixtral": {**GROUPED, "num_local_experts": 4, "num_experts_per_tok": 2},
    "mt5": T5,
    "phi3": {key: value for key, value in GROUPED.items() if key != "head_dim"},
    "qwen2": {key: value for key, value in GROUPED.items() if key != "head_dim"},
    "qwen2_moe": {**{key: value for key, value in GROUPED.items() if key != "head_dim"}, **QWEN_EXPERTS},
    "qwen3": GROUPED,
    "t5": T5,
    "xglm": {"d_model": 64, "num_layers": 2, "attention_heads": 4, "ffn_dim": 96, "max_position_embeddings": 128},
    # New types go to the end, since seeds follow from the order.
    "granite": {**GROUPED, "embedding_multiplier": 3.0, "attention_multiplier": 0.3, "residual_multiplier": 0.5, "logits_scaling": 2.0},
}


def randomise(model) -> None:
    """Norms near 1 (Gemma stores them less 1), small biases, matrices that keep the size of what they multiply."""
    centre = 0.0 if model.config.model_type.startswith("gemma") else 1.0
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            is_norm = parameter.ndim == 1 and name.endswith("weight")
            scale = 0.1 if parameter.ndim == 1 else 0.15
            # In half precision too, in which gptqmodel keeps what is not quantised.
            parameter.copy_((torch.randn_like(parameter) * scale + (centre if is_norm else 0.0)).half())


def make_model(model_type: str, seed: int, folder: Path) -> None:
    torch.manual_seed(seed)
    pair = model_type in ("mt5", "t5")
    special = {"bos_token_id": 1, "eos_token_id": 1 if pair else 2, "pad_token_id": 1 if model_type == "xglm" else 3}
    config = AutoConfig.for_model(model_type, vocab_size=VOCABULARY, **{**special, **CONFIGS[model_type]})
    model = (AutoModelForSeq2SeqLM if pair else AutoModelForCausalLM).from_config(config, attn_implementation="eager")
    randomise(model)
    model.save_pretrained(folder)
    (folder / "generation_config.json").unlink(missing_ok=True)
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer_json(pair), ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    folder, *wanted = sys.argv[1:]
    unknown = [name for name in wanted if name not in CONFIGS]
    if unknown:
        raise SystemExit(f"no type {', '.join(unknown)}; types are {', '.join(CONFIGS)}")
    for number, name in enumerate(CONFIGS):
        if wanted and name not in wanted:
            continue
        make_model(name, 200 + number, Path(folder) / name)
