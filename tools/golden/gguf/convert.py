"""GGUF files of tiny models by llama.cpp's own converter.

    python tools/golden/gguf/convert.py LLAMA_CPP OUTPUT MODEL[:TYPE] …

LLAMA_CPP is llama.cpp's source, MODEL a folder of Hugging Face or a name in packages/models/test/fixtures/forward, TYPE one of
f32, f16, bf16, q8_0 (default: that of its weights). Needs torch, transformers and gguf. The converter knows tokenizers by what they make of a text and refuses those of the tiny models, so their
tokens are written here in its place, but where MODEL has a sentencepiece.bpe.model; everything else is its own work.
"""

import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
CASES = ROOT / "packages/models/test/fixtures/forward"

llama_cpp, output, *names = sys.argv[1:]
sys.path[:0] = [llama_cpp, f"{llama_cpp}/gguf-py"]

import gguf  # noqa: E402
import torch  # noqa: E402
from conversion import get_model_class  # noqa: E402
from conversion.base import ModelBase, ModelType  # noqa: E402

TYPES = {
    "f32": gguf.LlamaFileType.ALL_F32,
    "f16": gguf.LlamaFileType.MOSTLY_F16,
    "bf16": gguf.LlamaFileType.MOSTLY_BF16,
    "q8_0": gguf.LlamaFileType.MOSTLY_Q8_0,
}
OWN = {"float32": "f32", "float16": "f16", "bfloat16": "bf16"}
CONTROL, NORMAL = 3, 1


def set_vocab(model) -> None:
    """The tokens of tokenizer.json, byte-level BPE; the last ordinary one is made of two others, since it must have a merge."""
    tokenizer = json.loads((model.dir_model / "tokenizer.json").read_text())
    vocab = {**tokenizer["model"]["vocab"], **{token["content"]: token["id"] for token in tokenizer["added_tokens"]}}
    special = {token["id"] for token in tokenizer["added_tokens"] if token["special"]}
    size = model.hparams.get("vocab_size", len(vocab))
    names = {index: token for token, index in vocab.items()}
    tokens = [names.get(index, f"[PAD{index}]") for index in range(size)]
    ordinary = [index for index in range(size) if index not in special]
    first, second, last = tokens[ordinary[0]], tokens[ordinary[1]], ordinary[-1]
    tokens[last] = first + second
    writer = model.gguf_writer
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_types([CONTROL if index in special else NORMAL for index in range(size)])
    writer.add_token_merges([f"{first} {second}"])
    if "type_vocab_size" in model.hparams:
        writer.add_token_type_count(model.hparams["type_vocab_size"])
    for kind in ("bos", "eos", "pad"):
        token = model.hparams.get(f"{kind}_token_id")
        if isinstance(token, int) and 0 <= token < size:
            getattr(writer, f"add_{kind}_token_id")(token)


def convert(name: str) -> None:
    case, _, kind = name.partition(":")
    folder = CASES / case  # a whole path stays as it is
    config = ModelBase.load_hparams(folder, False)
    kind = kind or OWN[config.get("dtype", config.get("torch_dtype", "float32"))]
    # the converter asks for keys that transformers 5 does not save any more
    config.setdefault("n_ctx", config.get("n_positions"))
    config.setdefault("rotary_pct", config.get("rope_parameters", {}).get("partial_rotary_factor", 0.25))
    architecture = config["architectures"][0].replace("GPT2Model", "GPT2LMHeadModel")
    cls = get_model_class(architecture)
    # a class around the one that writes
    cls = getattr(cls, "Ministral3Model", cls)
    own = {} if (folder / "sentencepiece.bpe.model").exists() else {"set_vocab": set_vocab}
    made = type("Tiny", (cls,), {**own, "model_arch": cls.model_arch, "no_mtp": True})
    path = Path(output) / f"{folder.name}.gguf"
    with torch.inference_mode():
        made(folder, TYPES[kind], path, hparams=config).write()
    print(path, path.stat().st_size)


failed = False
for name in names:
    try:
        convert(name)
    except Exception as error:
        failed = True
        print(f"{name}: {type(error).__name__}: {error}")
sys.exit(failed)
