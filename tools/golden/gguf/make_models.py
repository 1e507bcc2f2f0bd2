"""Tiny models of every architecture that packages/models reads from GGUF files, and their logits by transformers; of an encoder,
which has none, its last states.

    python tools/golden/gguf/make_models.py LLAMA_CPP [TYPE …]     # writes packages/models/test/fixtures/gguf/models/

Needs torch, transformers, gguf and sentencepiece (made with torch 2.15.0, transformers 5.24.0, gguf 0.19.0), and llama.cpp's source, whose
converter writes the files (made with the one in the sdist of llama-cpp-python 0.3.36). Weights are random; they are rounded to
the stored type first, and logits are then computed in float32 with eager attention.
"""

import io
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import sentencepiece
import torch
from gguf import GGMLQuantizationType
from gguf.quants import dequantize, quantize
from transformers import AutoConfig, AutoModel, AutoModelForCausalLM, AutoModelForSeq2SeqLM

HERE = Path(__file__).resolve().parent
OUTPUT = HERE.parents[2] / "packages/models/test/fixtures/gguf/models"
VOCABULARY = 32
sys.path.insert(0, str(HERE.parent))

from model_types import models  # noqa: E402

CASES = models("GGUF")

def rounded(values: torch.Tensor, kind: str) -> torch.Tensor:
    """What a file of this type gives back; vectors are kept in float32."""
    if values.ndim < 2 or kind == "f32":
        return values
    if kind == "q8_0":
        return torch.from_numpy(dequantize(quantize(values.numpy(), GGMLQuantizationType.Q8_0), GGMLQuantizationType.Q8_0)).view_as(values)
    return values.to({"f16": torch.float16, "bf16": torch.bfloat16}[kind]).float()


def make(kind: str, given: dict, file_type: str, encoder: bool):
    common = {"vocab_size": VOCABULARY, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}
    config = AutoConfig.for_model(kind, **{**common, **given})
    config._attn_implementation = "eager"
    source_target = kind == "t5"
    torch.manual_seed(15)
    auto = AutoModel if encoder else AutoModelForSeq2SeqLM if source_target else AutoModelForCausalLM
    model = auto.from_config(config).float().eval()
    if source_target and given.get("tie_word_embeddings") is False:
        model.lm_head.weight = torch.nn.Parameter(torch.empty_like(model.lm_head.weight))
        model.all_tied_weights_keys.pop("lm_head.weight")
    with torch.no_grad():
        for name, weight in model.named_parameters():
            noise = torch.randn_like(weight)
            plus_one = kind.startswith(("gemma2", "gemma3", "qwen3_5")) and name.endswith("norm.weight") and "linear_attn" not in name
            is_norm = weight.ndim == 1 and ("norm" in name.lower() or "ln_" in name) and name.endswith("weight")
            scale = 0.3 if weight.ndim < 2 else 1.0 if "embed" in name or "wte" in name or "shared" in name else 1.7 / weight.shape[-1] ** 0.5
            values = noise * scale + (1.0 if is_norm and not plus_one else 0.0)
            weight.copy_(rounded(values, file_type))
            if name.endswith("router.scale"):  # of Gemma 4: shares that differ, as those of a trained router do
                weight.copy_(4.0 + noise)
            if name.endswith("per_expert_scale"):
                weight.copy_(1.0 + noise * 0.3)
        for name, buffer in model.named_buffers():
            if name.endswith("layer_scalar"):  # of Gemma 4
                buffer.copy_(1.0 + torch.randn_like(buffer) * 0.2)
    return model, config, source_target


def tokenizer_json() -> dict:
    return {
        "version": "1.0",
        "added_tokens": [],
        "model": {"type": "BPE", "vocab": {chr(33 + index): index for index in range(VOCABULARY)}, "merges": []},
    }


TEXTS = ["the folder of the files", "der Ordner der Dateien", "la carpeta de los archivos", "ﬁles of the folder", "mbwkzjuxgt quvy"]
SPECIAL = ["<s>", "<pad>", "</s>", "<unk>"]


def write_xlm_roberta_tokenizer(folder: Path) -> int:
    """Unigram of SentencePiece, in both files that XLM-R has; returns how many pieces it has.

    There is no <mask>: the converter names the row that it leaves to it by another number than the row's.
    """
    with tempfile.NamedTemporaryFile("w", suffix=".tsv") as table:
        table.write("FB01\t66 69\n")
        table.flush()
        model = io.BytesIO()
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(TEXTS), model_writer=model, minloglevel=2, vocab_size=40, hard_vocab_limit=False,
            model_type="unigram", normalization_rule_tsv=table.name)
    (folder / "sentencepiece.bpe.model").write_bytes(model.getvalue())
    processor = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
    pieces = [*SPECIAL, *(processor.id_to_piece(id) for id in range(3, processor.get_piece_size()))]
    around = [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "</s>", "type_id": 0}}]
    # of this file the converter reads what is put around a text alone
    tokenizer = {"added_tokens": [{"id": id, "content": token} for id, token in enumerate(SPECIAL)], "post_processor": {"type": "TemplateProcessing", "single": around, "pair": [*around, around[2], {"Sequence": {"id": "B", "type_id": 0}}, around[2]]}}
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    named = {f"{kind}_token": token for kind, token in zip(("bos", "pad", "eos", "unk"), SPECIAL)}
    (folder / "tokenizer_config.json").write_text(json.dumps(named))
    return len(pieces)


def write_pooling(folder: Path, mode: str) -> None:
    """As sentence-transformers does."""
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling/config.json").write_text(json.dumps({mode: True}))
    (folder / "modules.json").write_text(json.dumps([{"path": "1_Pooling", "type": "sentence_transformers.models.Pooling"}]))


def main(llama_cpp: str, *types: str) -> None:
    OUTPUT.mkdir(parents=True, exist_ok=True)
    file = OUTPUT / "golden.json"
    golden = json.loads(file.read_text()) if file.exists() else {}
    cases = {name: case for name, case in CASES.items() if not types or case["type"] in types}
    with tempfile.TemporaryDirectory() as scratch:
        for name, case in cases.items():
            kind, given, file_type = case["type"], case["config"], case["file"]
            encoder = case.get("encoder")
            folder = Path(scratch) / name
            folder.mkdir()
            own_tokenizer = kind == "xlm-roberta"
            vocabulary = write_xlm_roberta_tokenizer(folder) if own_tokenizer else VOCABULARY
            model, config, source_target = make(kind, {**given, "vocab_size": vocabulary}, file_type, encoder is not None)
            model.save_pretrained(folder)
            if encoder is not None:
                write_pooling(folder, encoder)
            if source_target and given.get("tie_word_embeddings") is False:
                # as in the configurations that Google wrote, which transformers reads and does not write
                written = json.loads((folder / "config.json").read_text())
                written.pop("scale_decoder_outputs", None)
                (folder / "config.json").write_text(json.dumps({**written, "tie_word_embeddings": False}))
                model = AutoModelForSeq2SeqLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
            if not own_tokenizer:
                (folder / "tokenizer.json").write_text(json.dumps(tokenizer_json()))
            random = np.random.default_rng(15)
            tokens = random.integers(4 if own_tokenizer else 3, vocabulary, 40).tolist()
            source = random.integers(3, VOCABULARY, 20).tolist() if source_target else None
            given_tokens = {"decoder_input_ids": torch.tensor([tokens]), "input_ids": torch.tensor([source])} if source else {"input_ids": torch.tensor([tokens])}
            with torch.no_grad():
                found = model(**given_tokens)
                values = found.last_hidden_state[0] if encoder is not None else found.logits[0]
            rows = [len(tokens) - 1]
            golden[name] = {
                # XLM-R is read as the BERT that it is without the positions of padding
                "architecture": "bert" if encoder is not None else config.model_type,
                **({"source": source} if source else {}),
                "tokens": tokens,
                "rows": rows,
                "states" if encoder is not None else "logits": [[float(f"{value:.7g}") for value in values[row].tolist()] for row in rows],
            }
        arguments = [f"{scratch}/{name}:{file_type}" for name, file_type in ((name, case["file"]) for name, case in cases.items())]
        subprocess.run([sys.executable, HERE / "convert.py", llama_cpp, OUTPUT, *arguments], check=True)
    text = json.dumps(golden)
    file.write_text(text.replace('}, "', '},\n"') + "\n")


main(*sys.argv[1:])
