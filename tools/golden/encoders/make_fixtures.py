"""Random tiny encoders and their states by transformers, as fixtures of packages/models.

    python tools/golden/encoders/make_fixtures.py

Needs torch, transformers and onnx (made with torch 2.15.0, transformers 5.24.0, onnx 1.23.2). Weights are random and rounded to the stored dtype
first; states are then computed in float32 with eager attention. golden.json has of one text:

tokens  of the text, with its ends
rows    tokens whose states are in it
states  of these rows after the last block
grams   E[x x'] over all tokens of what linear layers of a block read, packed by rows, as hooks of torch see it
padded  the last states of a shorter text that is filled up in a batch with the first one

The first model is also there as torch exports it to ONNX, in fixtures/onnx.
"""

import json
from pathlib import Path

import torch
from transformers import BertConfig, BertModel, XLMRobertaConfig, XLMRobertaModel

ROOT = Path(__file__).resolve().parents[3] / "packages/models/test/fixtures"
FIXTURES = ROOT / "encoders"

WORDS = ["the", "and", "of", "der", "und", "la", "de", "на", "और"]
LETTERS = [*"abcdefghijklmnopqrstuvwxyz", *"абвгдежзиклмнопрстуя", *"कखगतनपमरलसहाि", "▁", ".", ","]
SPECIAL = ["<s>", "<pad>", "</s>", "<unk>"]
SMALL = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4, "max_position_embeddings": 320}

XLM_ROBERTA = (XLMRobertaConfig, XLMRobertaModel)
BERT = (BertConfig, BertModel)

CASES = {
    "bert-f32": {
        "seed": 3,
        "classes": BERT,
        # as in multilingual E5: ids of BERT's class, which are not the tokenizer's
        "config": {**SMALL, "bos_token_id": None, "eos_token_id": None, "pad_token_id": 0},
        "length": 24,
        "block": 1,
        "pooling": "pooling_mode_mean_tokens",
    },
    "xlm-roberta-f32": {
        "seed": 1,
        "config": {**SMALL, "type_vocab_size": 1, "layer_norm_eps": 1e-5},
        # more than one chunk of queries
        "length": 300,
        "block": 1,
        "pooling": "pooling_mode_mean_tokens",
    },
    "xlm-roberta-types-bf16": {
        "seed": 2,
        "config": {**SMALL, "type_vocab_size": 2, "layer_norm_eps": 1e-3, "hidden_act": "relu"},
        "length": 24,
        "block": 0,
        "dtype": torch.bfloat16,
        "pooling": "pooling_mode_cls_token",
    },
}


def tokenizer_json() -> dict:
    """Of XLM-R's kind: pieces of SentencePiece with scores, and a text's ends around it."""
    pieces = [[token, 0.0] for token in SPECIAL]
    pieces += [[f"▁{word}", -2.0 - 0.1 * at] for at, word in enumerate(WORDS)]
    pieces += [[letter, -5.0 - 0.01 * at] for at, letter in enumerate(LETTERS)]
    pieces.append(["<mask>", 0.0])
    special = [*enumerate(SPECIAL), (len(pieces) - 1, "<mask>")]
    added = [
        {"id": index, "content": text, "single_word": False, "lstrip": text == "<mask>", "rstrip": False, "normalized": False, "special": True}
        for index, text in special
    ]
    ends = [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "</s>", "type_id": 0}}]
    pair = [*ends, {"SpecialToken": {"id": "</s>", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 0}}, {"SpecialToken": {"id": "</s>", "type_id": 0}}]
    metaspace = {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": added,
        "normalizer": None,
        "pre_tokenizer": metaspace,
        "post_processor": {
            "type": "TemplateProcessing",
            "single": ends,
            "pair": pair,
            "special_tokens": {text: {"id": text, "ids": [at], "tokens": [text]} for at, text in enumerate(SPECIAL) if text in ("<s>", "</s>")},
        },
        "decoder": metaspace,
        "model": {"type": "Unigram", "unk_id": 3, "vocab": pieces, "byte_fallback": False},
    }


def randomise(model) -> None:
    """Norms near 1, small biases, matrices that neither fade nor drown the states; what stands for padding too."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            is_norm = parameter.ndim == 1 and name.endswith("LayerNorm.weight")
            parameter.copy_(torch.randn_like(parameter) * (0.4 if parameter.ndim > 1 else 0.1) + (1.0 if is_norm else 0.0))


def rounded(values: torch.Tensor) -> list:
    return [float(f"{value:.8g}") for value in values.tolist()]


def grams_of(model, tokens: torch.Tensor, block: int) -> dict:
    layer = model.encoder.layer[block]
    seen: dict[str, torch.Tensor] = {}
    sites = {
        "attention-qkv": layer.attention.self.query,
        "attention-output": layer.attention.output.dense,
        "mlp-up": layer.intermediate.dense,
        "mlp-down": layer.output.dense,
    }
    hooks = [
        module.register_forward_pre_hook(lambda _, inputs, name=name: seen.__setitem__(name, inputs[0].reshape(-1, inputs[0].shape[-1])))
        for name, module in sites.items()
    ]
    with torch.no_grad():
        model(input_ids=tokens[None])
    for hook in hooks:
        hook.remove()
    grams = {}
    for name, rows in seen.items():
        gram = (rows.double().T @ rows.double()) / len(tokens)
        first, second = torch.triu_indices(*gram.shape)
        grams[name] = rounded(gram[first, second])
    return {"block": block, "sites": grams}


def make_case(name: str, case: dict) -> None:
    torch.manual_seed(case["seed"])
    tokenizer = tokenizer_json()
    vocabulary = len(tokenizer["model"]["vocab"])
    config_class, model_class = case.get("classes", XLM_ROBERTA)
    config = config_class(vocab_size=vocabulary, **{"bos_token_id": 0, "pad_token_id": 1, "eos_token_id": 2, **case["config"]})
    model = model_class(config)
    randomise(model)
    folder = FIXTURES / name
    model.to(case.get("dtype", torch.float32)).save_pretrained(folder)
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer, ensure_ascii=False) + "\n", encoding="utf-8")
    named = {"tokenizer_class": "XLMRobertaTokenizer", "bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(named, indent=2) + "\n")
    (folder / "1_Pooling").mkdir(exist_ok=True)
    modes = ("pooling_mode_cls_token", "pooling_mode_mean_tokens", "pooling_mode_max_tokens")
    pooling = {"word_embedding_dimension": config.hidden_size, **{mode: mode == case["pooling"] for mode in modes}}
    (folder / "1_Pooling/config.json").write_text(json.dumps(pooling, indent=2) + "\n")
    length = case["length"]
    text = torch.randint(4, vocabulary - 1, (length - 2,))
    tokens = torch.cat([torch.tensor([0]), text, torch.tensor([2])])
    model = model_class.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
    shorter = torch.cat([tokens[: length - 5], torch.tensor([2]), torch.tensor([1] * 4)])
    with torch.no_grad():
        states = model(input_ids=tokens[None]).last_hidden_state[0]
        batch = torch.stack([tokens, shorter])
        padded = model(input_ids=batch, attention_mask=(batch != 1).long()).last_hidden_state[1, : length - 4]
    rows = [0, 1, length // 2, length - 1]
    content = {
        "tokens": tokens.tolist(),
        "rows": rows,
        "states": [rounded(states[row]) for row in rows],
        "capture": grams_of(model, tokens, case["block"]),
        "padded": {"tokens": shorter[: length - 4].tolist(), "last": rounded(padded[-1])},
    }
    (folder / "golden.json").write_text(json.dumps(content) + "\n")


class LastStates(torch.nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, input_ids, attention_mask):
        return self.model(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state


def export(name: str) -> None:
    model = XLMRobertaModel.from_pretrained(FIXTURES / name, attn_implementation="eager", add_pooling_layer=False).eval()
    tokens = torch.tensor([[0, 5, 6, 7, 2], [0, 8, 9, 2, 1]])
    names = ["input_ids", "attention_mask"]
    file = ROOT / "onnx" / name / "model.onnx"
    file.parent.mkdir(parents=True, exist_ok=True)
    torch.onnx.export(
        LastStates(model),
        (tokens, (tokens != 1).long()),
        file,
        input_names=names,
        output_names=["last_hidden_state"],
        dynamic_axes={value: {0: "batch", 1: "sequence"} for value in (*names, "last_hidden_state")},
        opset_version=17,
        dynamo=False,
    )


if __name__ == "__main__":
    for name, case in CASES.items():
        make_case(name, case)
    export("xlm-roberta-f32")
