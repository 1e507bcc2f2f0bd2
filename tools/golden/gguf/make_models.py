"""Tiny models of every architecture that packages/models reads from GGUF files, and their logits by transformers.

    python tools/golden/gguf/make_models.py LLAMA_CPP          # writes packages/models/test/fixtures/gguf/models/

Needs torch, transformers and gguf (made with torch 2.15.0, transformers 5.24.0, gguf 0.19.0), and llama.cpp's source, whose
converter writes the files (made with the one in the sdist of llama-cpp-python 0.3.36). Weights are random; they are rounded to
the stored type first, and logits are then computed in float32 with eager attention.

Configurations say nothing that a GGUF file cannot: another scale of Gemma's queries, for example, would be lost.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from gguf import GGMLQuantizationType
from gguf.quants import dequantize, quantize
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSeq2SeqLM

HERE = Path(__file__).resolve().parent
OUTPUT = HERE.parents[2] / "packages/models/test/fixtures/gguf/models"
VOCABULARY = 32

SMALL = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 1, "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 512}
WIDE = {**SMALL, "hidden_size": 32, "intermediate_size": 32, "num_key_value_heads": 4}
T5 = {"d_model": 8, "d_kv": 6, "d_ff": 16, "num_layers": 1, "num_heads": 4, "pad_token_id": 0, "decoder_start_token_id": 0}
GEMMA = {**SMALL, "head_dim": 8, "query_pre_attn_scalar": 8, "sliding_window": 5}


def rope(kind: str = "default", theta: float = 10000.0, **more) -> dict:
    return {"rope_type": kind, "rope_theta": theta, **more}


LLAMA3 = rope("llama3", 500000.0, factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=8192)
ODD = rope("llama3", 100.0, factor=4.0, low_freq_factor=1.0, high_freq_factor=2.0, original_max_position_embeddings=32)

CASES = {
    # name: (model type, configuration, type of the file)
    "bloom": ("bloom", {"hidden_size": 12, "n_layer": 1, "n_head": 3}, "f16"),
    "gemma2": ("gemma2", {**GEMMA, "num_hidden_layers": 2, "hidden_size": 8, "intermediate_size": 12, "attn_logit_softcapping": 2.0, "final_logit_softcapping": 5.0}, "f16"),
    "gemma3": ("gemma3_text", {**GEMMA, "num_hidden_layers": 7, "hidden_size": 8, "intermediate_size": 8, "num_attention_heads": 2, "num_key_value_heads": 1}, "f16"),
    "gpt2": ("gpt2", {"n_embd": 8, "n_layer": 2, "n_head": 2, "n_positions": 64}, "f32"),
    "gptneox": ("gpt_neox", {**SMALL, "num_attention_heads": 2, "rope_parameters": rope(partial_rotary_factor=0.5)}, "f16"),
    "granite": ("granite", {**SMALL, "embedding_multiplier": 3.0, "attention_multiplier": 0.3, "residual_multiplier": 0.25, "logits_scaling": 2.5}, "f16"),
    "llama": ("llama", {**SMALL, "attention_bias": True, "rope_parameters": LLAMA3, "head_dim": 8}, "f16"),
    "llama-odd-factors": ("llama", {**SMALL, "tie_word_embeddings": True, "rope_parameters": ODD}, "bf16"),
    "llama-q8": ("llama", WIDE, "q8_0"),
    "mixtral": ("mixtral", {**SMALL, "num_local_experts": 3, "num_experts_per_tok": 2, "sliding_window": None}, "f16"),
    "phi3": ("phi3", {**SMALL, "num_attention_heads": 2, "num_key_value_heads": 1, "rope_parameters": rope(partial_rotary_factor=0.5, original_max_position_embeddings=512)}, "f16"),
    "qwen2": ("qwen2", {**SMALL, "tie_word_embeddings": True, "rope_parameters": rope("yarn", 1000.0, factor=4.0, original_max_position_embeddings=128)}, "f16"),
    "qwen2moe": ("qwen2_moe", {**SMALL, "num_experts": 3, "num_experts_per_tok": 2, "moe_intermediate_size": 8, "shared_expert_intermediate_size": 16}, "f16"),
    "qwen3": ("qwen3", {**SMALL, "head_dim": 6}, "f16"),
    "t5": ("t5", T5, "f16"),
    "t5-gated": ("t5", {**T5, "feed_forward_proj": "gated-gelu", "tie_word_embeddings": False}, "f16"),
}


def rounded(values: torch.Tensor, kind: str) -> torch.Tensor:
    """What a file of this type gives back; vectors are kept in float32."""
    if values.ndim < 2 or kind == "f32":
        return values
    if kind == "q8_0":
        return torch.from_numpy(dequantize(quantize(values.numpy(), GGMLQuantizationType.Q8_0), GGMLQuantizationType.Q8_0)).view_as(values)
    return values.to({"f16": torch.float16, "bf16": torch.bfloat16}[kind]).float()


def make(kind: str, given: dict, file_type: str):
    common = {"vocab_size": VOCABULARY, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}
    config = AutoConfig.for_model(kind, **{**common, **given})
    config._attn_implementation = "eager"
    source_target = kind == "t5"
    torch.manual_seed(15)
    model = (AutoModelForSeq2SeqLM if source_target else AutoModelForCausalLM).from_config(config).float().eval()
    if source_target and given.get("tie_word_embeddings") is False:
        model.lm_head.weight = torch.nn.Parameter(torch.empty_like(model.lm_head.weight))
        model.all_tied_weights_keys.pop("lm_head.weight")
    with torch.no_grad():
        for name, weight in model.named_parameters():
            noise = torch.randn_like(weight)
            plus_one = kind.startswith("gemma") and name.endswith("norm.weight")
            is_norm = weight.ndim == 1 and ("norm" in name or "ln_" in name) and name.endswith("weight")
            scale = 0.3 if weight.ndim < 2 else 1.0 if "embed" in name or "wte" in name or "shared" in name else 1.7 / weight.shape[-1] ** 0.5
            values = noise * scale + (1.0 if is_norm and not plus_one else 0.0)
            weight.copy_(rounded(values, file_type))
    return model, config, source_target


def tokenizer_json() -> dict:
    return {
        "version": "1.0",
        "added_tokens": [],
        "model": {"type": "BPE", "vocab": {chr(33 + index): index for index in range(VOCABULARY)}, "merges": []},
    }


def main(llama_cpp: str) -> None:
    OUTPUT.mkdir(parents=True, exist_ok=True)
    golden = {}
    with tempfile.TemporaryDirectory() as scratch:
        for name, (kind, given, file_type) in CASES.items():
            model, config, source_target = make(kind, given, file_type)
            folder = Path(scratch) / name
            model.save_pretrained(folder)
            if source_target and given.get("tie_word_embeddings") is False:
                # as in the configurations that Google wrote, which transformers reads and does not write
                written = json.loads((folder / "config.json").read_text())
                written.pop("scale_decoder_outputs", None)
                (folder / "config.json").write_text(json.dumps({**written, "tie_word_embeddings": False}))
                model = AutoModelForSeq2SeqLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
            (folder / "tokenizer.json").write_text(json.dumps(tokenizer_json()))
            random = np.random.default_rng(15)
            tokens = random.integers(3, VOCABULARY, 40).tolist()
            source = random.integers(3, VOCABULARY, 20).tolist() if source_target else None
            given_tokens = {"decoder_input_ids": torch.tensor([tokens]), "input_ids": torch.tensor([source])} if source else {"input_ids": torch.tensor([tokens])}
            with torch.no_grad():
                logits = model(**given_tokens).logits[0]
            rows = [len(tokens) - 1]
            golden[name] = {
                "architecture": config.model_type,
                **({"source": source} if source else {}),
                "tokens": tokens,
                "rows": rows,
                "logits": [[float(f"{value:.7g}") for value in logits[row].tolist()] for row in rows],
            }
        arguments = [f"{scratch}/{name}:{file_type}" for name, (_, _, file_type) in CASES.items()]
        subprocess.run([sys.executable, HERE / "convert.py", llama_cpp, OUTPUT, *arguments], check=True)
    text = json.dumps(golden)
    (OUTPUT / "golden.json").write_text(text.replace('}, "', '},\n"') + "\n")


main(sys.argv[1])
