"""The tiny models of every model type, one file a type, named after its `model_type`. A file has, each by the names of models:

FORWARD  models whose logits transformers computes, one for each branch that a configuration can take; made by
         tools/golden/forward/make_fixtures.py. `config`: keys of the configuration. Further: `dtype` of the file (default
         float32), `shard`: the size of a file where there are several, `length`: tokens of the text, `source`: those of an
         encoder's, `pad`, `eos`: ids, `untied`: a head of its own though the class ties it, `base`: saved without the head,
         `languages`: the form of tokens of languages, which the tokenizer then has in the place of sentinels, `inputs`: what
         the linear layers read is kept too.
SWEEP    models whose configurations are edited, with all keys written out and none with its default; the first has the name of
         the type. tools/config-sweep/make_golden.py. `config`, `length`, `source`; `head`: a head in the file although it is
         tied, `fused`: experts in one tensor, `encoder`: it predicts no tokens.
EDITS    edits of these configurations that the sweep does not make by itself.
ARCHITECTURE  what llama.cpp calls the type, where it is not the name of the file.
GGUF     models that llama.cpp's converter writes; tools/golden/gguf/make_models.py. `config`: nothing that a GGUF file cannot
         say, such as another scale of Gemma's queries. `file`: the type of its matrices. `encoder`: how an encoder pools
         states, by the key of sentence-transformers.
LOADS    the one model of which every format is loaded; tools/format-loads/make_models.py. `config`: sizes are multiples of 32,
         which GPTQ's files ask for. LOADS_EXPERTS: another one, where a type has models with experts and without; its name
         ends in "-experts". Encoders, which no program loads in these formats, have none, and no FORWARD: tools/golden/encoders
         makes their states.

A type that wraps a language model has that one's keys in `text_config` of its `config`, with the size of the vocabulary. Ids of
tokens that stand for images are below those that texts have here. FORWARD: `own_names`: saved with the names that the modules
have in transformers, where it saves others; `further`: shapes of tensors that
transformers does not read, by their names; `mxfp4`: with random experts in the MXFP4 of gpt-oss; `grams`: also what layers of a
block and of one of its experts read.

Weights follow from a seed: that of the name, unless `seed` says another.
"""

import importlib
import zlib
from pathlib import Path

NAMES = sorted(path.stem for path in Path(__file__).parent.glob("*.py") if path.stem not in ("__init__", "common"))
TYPES = {name: importlib.import_module(f"{__name__}.{name}") for name in NAMES}


def models(part: str) -> dict[str, dict]:
    """The models of all types by their names, each with its type."""
    return {name: {"type": kind, **model} for kind, own in TYPES.items() for name, model in getattr(own, part, {}).items()}


def seed_of(name: str, model: dict) -> int:
    return model.get("seed", zlib.crc32(name.encode()))


def is_wrapped(model: dict) -> bool:
    """Whether a language model is one of several parts: transformers has another Auto class for these."""
    return "text_config" in model["config"]
