"""Random tiny models and their logits by transformers, as fixtures of packages/models.

    python tools/golden/forward/make_fixtures.py              # all tiny models
    python tools/golden/forward/make_fixtures.py CASE …       # some of them, or all of a type
    python tools/golden/forward/make_fixtures.py MODEL        # logits of a model folder, to MODEL's golden file

Needs torch and transformers (made with torch 2.15.0, transformers 5.24.0). Weights are random and rounded to the stored
dtype first; logits are then computed in float32 with eager attention.
"""

import hashlib
import json
import math
import sys
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from transformers.integrations.mxfp4 import convert_moe_packed_tensors
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForImageTextToText, AutoModelForSeq2SeqLM, BloomConfig, BloomForCausalLM

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tools/golden"))

from model_types import is_wrapped, models, seed_of  # noqa: E402

FAMILY_CASES = models("FORWARD")
FIXTURES = ROOT / "packages/models/test/fixtures/forward"

VOCABULARY = 64
LONG = 300  # more than one chunk of queries

CASES = {
    # name: (heads, hidden, layers, dtype, prefix, shard size, tokens, further configuration)
    "plain-f32": (4, 16, 2, torch.float32, True, None, LONG, {}),
    "three-heads-f16": (3, 24, 2, torch.float16, False, None, 12, {}),
    "six-heads-sharded-bf16": (6, 24, 3, torch.bfloat16, True, "12KB", 40, {}),
    "twelve-heads-f16": (12, 48, 1, torch.float16, True, None, 12, {}),
    "residual-after-norm-untied": (
        2,
        16,
        2,
        torch.float32,
        True,
        None,
        12,
        {"apply_residual_connection_post_layernorm": True, "tie_word_embeddings": False, "layer_norm_epsilon": 1e-3},
    ),
}


SENTINELS = 8
LANGUAGES = {"__{}__": ("en", "mr", "te", "zh"), "{}_XX": ("en", "mr", "te", "zh"), "{}": ("eng_Latn", "mar_Deva", "tel_Telu", "zho_Hans")}


def special_tokens(case: dict) -> dict[int, str]:
    """Those that an encoder-decoder puts around its texts; sentinels, or tokens of languages, have the last ids."""
    if "languages" in case:
        names = [case["languages"].format(language) for language in LANGUAGES[case["languages"]]]
        return {0: "<s>", 1: "<pad>", 2: "</s>", 3: "<unk>", **{VOCABULARY - len(names) + at: name for at, name in enumerate(names)}}
    if "source" in case:
        return {0: "<pad>", 1: "</s>", 2: "<unk>", **{VOCABULARY - 1 - at: f"<extra_id_{at}>" for at in range(SENTINELS)}}
    return {}


def tokenizer_json(special: dict[int, str] = {}) -> dict:
    characters = [chr(code) for code in range(33, 33 + VOCABULARY)]
    for index, token in special.items():
        characters[index] = token
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {"id": index, "content": special[index], "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
            for index in sorted(special)
        ],
        "normalizer": None,
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False},
        "post_processor": None,
        "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": False},
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": False,
            "vocab": {character: index for index, character in enumerate(characters)},
            "merges": [],
        },
    }


def logits_of(model, tokens: torch.Tensor, source: torch.Tensor | None = None) -> tuple[torch.Tensor, list[float]]:
    model = model.float().eval()
    inputs = {"input_ids": tokens[None]} if source is None else {"input_ids": source[None], "decoder_input_ids": tokens[None]}
    with torch.no_grad():
        logits = model(**inputs).logits[0].float()
    losses = torch.nn.functional.cross_entropy(logits[:-1].double(), tokens[1:], reduction="none")
    return logits, losses.tolist()


def expert_grams(model, tokens: torch.Tensor, block: int, expert: int) -> dict:
    """E[x x'] over all tokens of what linear layers of a gpt-oss or a Gemma 4 read, packed by rows, as hooks of torch see it.

    A token that was not sent to the expert counts as zero.
    """
    layer = model.model.layers[block]
    seen: dict[str, torch.Tensor] = {}

    def keep(name: str):
        return lambda _, inputs: seen.__setitem__(name, inputs[0].reshape(-1, inputs[0].shape[-1]))

    def route(experts, inputs) -> None:
        states, chosen = inputs[0], inputs[1]
        own = states[(chosen == expert).any(dim=-1)]
        seen[f"expert-{expert}-up"] = own
        weight = experts.gate_up_proj[expert]
        seen[f"expert-{expert}-down"] = experts._apply_gate(own @ weight.T if beside else own @ weight + experts.gate_up_proj_bias[expert])

    beside = hasattr(layer, "experts")  # an MLP, in Gemma 4
    hooks = [
        layer.self_attn.q_proj.register_forward_pre_hook(keep("attention-qkv")),
        layer.self_attn.o_proj.register_forward_pre_hook(keep("attention-output")),
        (layer.experts if beside else layer.mlp.experts).register_forward_pre_hook(route),
    ]
    if beside:
        hooks.append(layer.mlp.up_proj.register_forward_pre_hook(keep("mlp-up")))
        hooks.append(layer.mlp.down_proj.register_forward_pre_hook(keep("mlp-down")))
    with torch.no_grad():
        model(input_ids=tokens[None])
    for hook in hooks:
        hook.remove()
    grams = {}
    for name, rows in seen.items():
        gram = (rows.double().T @ rows.double()) / len(tokens)
        first, second = torch.triu_indices(*gram.shape)
        grams[name] = {"rows": len(rows), "gram": [float(f"{value:.8g}") for value in gram[first, second].tolist()]}
    return {"block": block, "sites": grams}


def inputs_of(model, tokens: torch.Tensor, source: torch.Tensor | None) -> dict[str, dict]:
    """What every linear layer of the blocks reads, by hooks: its rows, and the values of the last one."""
    inputs = {}
    hooks = [
        layer.register_forward_pre_hook(lambda _, given, name=name: inputs.update({f"{name}.weight": given[0][0].float()}))
        for name, layer in model.named_modules()
        if isinstance(layer, torch.nn.Linear) and name != "lm_head"
    ]
    logits_of(model, tokens, source)
    for hook in hooks:
        hook.remove()
    return {name: {"rows": len(rows), "last": [float(f"{value:.8g}") for value in rows[-1].tolist()]} for name, rows in inputs.items()}


def golden(logits: torch.Tensor, losses: list[float], tokens: torch.Tensor, rows: list[int]) -> dict:
    return {
        "tokens": tokens.tolist(),
        "rows": rows,
        "logits": [[float(f"{value:.8g}") for value in logits[row].tolist()] for row in rows],
        "losses": [float(f"{value:.8g}") for value in losses],
    }


def make_case(name: str, seed: int) -> None:
    heads, hidden, layers, dtype, prefix, shard, length, further = CASES[name]
    torch.manual_seed(seed)
    config = BloomConfig(
        vocab_size=VOCABULARY, hidden_size=hidden, n_layer=layers, n_head=heads, bos_token_id=1, eos_token_id=2, pad_token_id=3, **further
    )
    model = BloomForCausalLM(config)
    with torch.no_grad():
        for parameter_name, parameter in model.named_parameters():
            noise = torch.randn_like(parameter) * (0.4 if parameter.ndim > 1 else 0.1)
            parameter.copy_(noise + (1.0 if parameter.ndim == 1 and "layernorm.weight" in parameter_name else 0.0))
    model = model.to(dtype)
    folder = FIXTURES / name
    saved = model if prefix else model.transformer
    saved.save_pretrained(folder, **({"max_shard_size": shard} if shard else {}))
    (folder / "generation_config.json").unlink(missing_ok=True)
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer_json(), ensure_ascii=False) + "\n", encoding="utf-8")
    tokens = torch.randint(0, VOCABULARY, (length,))
    logits, losses = logits_of(AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager"), tokens)
    rows = [0, 1, length // 2, length - 1] if length <= 256 else [0, 1, 255, 256, 257, length - 1]
    (folder / "golden.json").write_text(json.dumps(golden(logits, losses, tokens, rows)) + "\n")


def randomise(model) -> None:
    """Norms near 1 (Gemma 2 and 3 and Qwen 3.5 store them less 1), small biases, matrices that neither fade nor drown the states.

    Scores of sinks are as large as those of keys; biases of routers move tokens, but leave each expert some.
    """
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            less_one = model.config.model_type.startswith(("gemma2", "gemma3", "qwen3_5"))
            centre = 0.0 if less_one and not any(part in name for part in ("vision_tower", "visual", "linear_attn.norm")) else 1.0
            scale = 1.0 if name.endswith("sinks") else 0.3 if name.endswith("router.bias") else 0.4 if parameter.ndim > 1 else 0.1
            noise = torch.randn_like(parameter) * scale
            is_norm = parameter.ndim == 1 and name.endswith("weight")
            parameter.copy_(noise + (centre if is_norm else 0.0))
            if name.endswith("router.scale"):  # of Gemma 4: shares that differ, as those of a trained router do
                parameter.copy_(4.0 + torch.randn_like(parameter))
            if name.endswith("per_expert_scale"):
                parameter.copy_(1.0 + torch.randn_like(parameter) * 0.3)
            if name.endswith(("A_log", "dt_bias")):  # heads of Qwen 3.5 that remember two tokens, and some that remember hundreds
                parameter.copy_(torch.randn_like(parameter) * 1.5 - (3.0 if name.endswith("dt_bias") else 0.0))
        for name, buffer in model.named_buffers():
            if name.endswith("layer_scalar"):  # of Gemma 4
                buffer.copy_(1.0 + torch.randn_like(buffer) * 0.2)


def set_shared_gates(model, gates: tuple[float, ...]) -> None:
    """Gates of the shared experts near these numbers, one a layer, before the sigmoid; outputs of these experts as much larger.

    Channel 0 of the states is large, the same in every row, and layers add next to nothing to it: after a norm it is near the
    root of the width. These gates alone read it, and read nothing else.
    """
    with torch.no_grad():
        model.model.embed_tokens.weight[:, 0] = 8.0
        model.model.norm.weight[0] = 0.0
        for layer, gate in zip(model.model.layers, gates, strict=True):
            shared = layer.mlp.shared_expert
            shared.down_proj.weight *= math.exp(-gate)
            for written in (layer.self_attn.o_proj.weight, shared.down_proj.weight, *layer.mlp.experts.down_proj):
                written[0] *= 1e-3  # no row of zeros: no format has a scale for one
            layer.input_layernorm.weight[0] = 0.0
            layer.post_attention_layernorm.weight[0] = 1.0
            for read in (shared.gate_proj.weight, shared.up_proj.weight, layer.mlp.gate.weight, *layer.mlp.experts.gate_up_proj):
                read[:, 0] = 0.0
            layer.mlp.shared_expert_gate.weight.zero_()[0, 0] = gate / math.sqrt(model.config.hidden_size)


def quantise_experts(folder: Path) -> dict[str, list]:
    """Random experts in the MXFP4 of gpt-oss in place of those that were saved; of some, what transformers reads in them.

    Of the second expert of each tensor the first rows of [in, out].
    """
    values = {}
    file = folder / "model.safetensors"
    with safe_open(file, "pt") as stored:
        tensors = {name: stored.get_tensor(name) for name in stored.keys()}
    for name in [name for name in tensors if name.endswith(("experts.gate_up_proj", "experts.down_proj"))]:
        experts, columns, rows = tensors.pop(name).shape
        tensors[f"{name}_blocks"] = torch.randint(0, 256, (experts, rows, columns // 32, 16), dtype=torch.uint8)
        tensors[f"{name}_scales"] = torch.randint(121, 126, (experts, rows, columns // 32), dtype=torch.uint8)
        dequantised = convert_moe_packed_tensors(tensors[f"{name}_blocks"], tensors[f"{name}_scales"])
        values[name] = dequantised[1, :3].float().tolist()
    save_file(tensors, file, metadata={"format": "pt"})
    config = json.loads((folder / "config.json").read_text())
    quantisation = {"modules_to_not_convert": ["model.layers.*.self_attn", "model.layers.*.mlp.router", "model.embed_tokens", "lm_head"], "quant_method": "mxfp4"}
    (folder / "config.json").write_text(json.dumps({**config, "quantization_config": quantisation}, indent=2) + "\n")
    return values


def make_family_case(name: str, seed: int) -> None:
    case = FAMILY_CASES[name]
    torch.manual_seed(seed)
    special = {"bos_token_id": 1, "eos_token_id": case.get("eos", 2), "pad_token_id": case.get("pad", 3)}
    own = case["config"] if is_wrapped(case) else {"vocab_size": VOCABULARY, **special, **case["config"]}
    config = AutoConfig.for_model(case["type"], **own)
    auto = AutoModelForSeq2SeqLM if "source" in case else AutoModelForImageTextToText if is_wrapped(case) else AutoModelForCausalLM
    model = auto.from_config(config, attn_implementation="eager")
    if case.get("untied"):
        model.lm_head.weight = torch.nn.Parameter(torch.empty_like(model.lm_head.weight))
        model.all_tied_weights_keys.pop("lm_head.weight")
    randomise(model)
    if "shared_gates" in case:
        set_shared_gates(model, case["shared_gates"])
    model = model.to(case.get("dtype", torch.float32))
    folder = FIXTURES / name
    saved = model.base_model if case.get("base") else model
    saved.save_pretrained(folder, **({"max_shard_size": case["shard"]} if "shard" in case else {}))
    (folder / "generation_config.json").unlink(missing_ok=True)
    dequantised = {"dequantised": quantise_experts(folder)} if case.get("mxfp4") else {}
    if "further" in case:
        with safe_open(folder / "model.safetensors", "pt") as stored:
            all_tensors = {name: stored.get_tensor(name) for name in stored.keys()}
        further = {name: torch.randn(shape).to(case.get("dtype", torch.float32)) for name, shape in case["further"].items()}
        save_file({**all_tensors, **further}, folder / "model.safetensors", metadata={"format": "pt"})
    if case.get("own_names"):
        named = {name: value for name, value in model.state_dict().items() if name not in model.all_tied_weights_keys}
        save_file(named, folder / "model.safetensors", metadata={"format": "pt"})
    if case.get("untied"):
        # as in the configurations that Google wrote, which transformers reads and does not write
        written = json.loads((folder / "config.json").read_text())
        written.pop("scale_decoder_outputs", None)
        (folder / "config.json").write_text(json.dumps({**written, "tie_word_embeddings": False}, indent=2) + "\n")
    tokenizer = json.dumps(tokenizer_json(special_tokens(case)), ensure_ascii=False)
    (folder / "tokenizer.json").write_text(tokenizer + "\n", encoding="utf-8")
    length = case.get("length", 24)
    tokens = torch.randint(4, VOCABULARY, (length,))
    source = torch.randint(4, VOCABULARY, (case["source"],)) if "source" in case else None
    # Read again: model.to(dtype) has rounded the rotary frequencies too, and float() does not bring them back.
    model = auto.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager")
    logits, losses = logits_of(model, tokens, source)
    rows = [0, 1, length // 2, length - 1] if length <= 256 else [0, 255, 256, length - 1]
    grams = {"capture": expert_grams(model, tokens, **case["grams"])} if "grams" in case else {}
    content = {**({} if source is None else {"source": source.tolist()}), **dequantised, **grams, **golden(logits, losses, tokens, rows)}
    if case.get("inputs"):
        content["inputs"] = inputs_of(model, tokens, source)
    (folder / "golden.json").write_text(json.dumps(content) + "\n")


def content_address(folder: Path) -> str:
    """The address that openModel gives, so that a test can tell numbers of other weights."""
    sha = hashlib.sha256()

    def part(label: str, data: bytes) -> None:
        sha.update((json.dumps([label, len(data)], separators=(",", ":"), ensure_ascii=False) + "\n").encode())
        sha.update(data)

    for file in ("config.json", "tokenizer.json"):
        part(file, (folder / file).read_bytes())
    tensors = {}
    for file in folder.glob("model*.safetensors"):
        raw = file.read_bytes()
        length = int.from_bytes(raw[:8], "little")
        header = json.loads(raw[8 : 8 + length])
        for name, info in header.items():
            if name != "__metadata__":
                begin, end = info["data_offsets"]
                tensors[name] = (info, raw[8 + length + begin : 8 + length + end])
    for name in sorted(tensors):
        info, data = tensors[name]
        part(f"{name} {info['dtype']} {'x'.join(map(str, info['shape']))}", data)
    return sha.hexdigest()


def make_for_folder(folder: Path) -> None:
    """Logits of a few positions of a fixed walk through the vocabulary, and the losses of all."""
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager")
    vocabulary = model.config.vocab_size
    tokens = torch.tensor([(7 + 37 * index * index) % vocabulary for index in range(256)])
    logits, losses = logits_of(model, tokens)
    content = {"model": content_address(folder), **golden(logits, losses, tokens, [0, 1, 100, 255])}
    target = FIXTURES.parent / f"{folder.resolve().name}.golden.json"
    target.write_text(json.dumps(content) + "\n")


if __name__ == "__main__":
    wanted = sys.argv[1:]
    if len(wanted) == 1 and Path(wanted[0]).is_dir():
        make_for_folder(Path(wanted[0]))
    else:
        for seed, case in enumerate(CASES):
            if not wanted or case in wanted:
                make_case(case, seed)
        for name, case in FAMILY_CASES.items():
            if not wanted or name in wanted or case["type"] in wanted:
                make_family_case(name, seed_of(name, case))
