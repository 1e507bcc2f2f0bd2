"""What transformers makes of tiny checkpoints whose config.json is edited, into a fixture of packages/models.

    python tools/config-sweep/make_golden.py [BASE or TYPE …]      # renews these bases, or all of a type; without names all

Needs torch, transformers 5.24 and safetensors. See bases.py for the checkpoints, weights.py for their weights and edits.py
for the edits. An entry of `cases` is an edit (keys to set; or the name of a key to leave out) and its result:

- a number: it loads, with this perplexity of the text that weights.py gives (of the target, for an encoder-decoder), in
  float32 with eager attention; of an encoder, which has no head, the one that the embedding as a head gives each token from
  its own state
- "raises": transformers refuses it while it loads or runs, or the tensors have other shapes
- "random": it loads with weights at random, because the checkpoint lacks them
- "nan": it loads, and the perplexity is not a number
"""

import dataclasses
import hashlib
import json
import logging
import math
import sys
import tempfile
import warnings
from multiprocessing import Pool
from pathlib import Path

import torch
import transformers
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModel, AutoModelForCausalLM, AutoModelForImageTextToText, AutoModelForSeq2SeqLM

from bases import BASES, is_wrapped
from edits import edits_of
from weights import token, weight

GOLDEN = Path(__file__).resolve().parents[2] / "packages/models/test/fixtures/config-sweep.json"
# More parameters than any of the tiny models has: a default size has come in, and the tensors cannot fit.
LARGEST = 5_000_000


def auto(base: dict):
    if is_wrapped(base):
        return AutoModelForImageTextToText
    if "encoder" in base:
        return AutoModel
    return AutoModelForSeq2SeqLM if "source" in base else AutoModelForCausalLM


def parts(base: dict) -> dict:
    """What a model is made with: an encoder without the layer behind its states, which embeddings of texts do not read."""
    return {"add_pooling_layer": False} if "encoder" in base else {}


def written(base: dict) -> dict:
    return {"model_type": base["type"], **base["config"]}


def write_config(folder: Path, config: dict) -> None:
    (folder / "config.json").write_text(json.dumps(config))


def write_checkpoint(folder: Path, base: dict) -> str:
    """The base's tensors under the names that a checkpoint has; returns a hash of names and shapes, of a language model alone."""
    write_config(folder, written(base))
    model = auto(base).from_config(AutoConfig.from_pretrained(folder), **parts(base))
    if base.get("fused") or is_wrapped(base):
        tied = model.all_tied_weights_keys if model.config.tie_word_embeddings else {}
        shapes = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items() if name not in tied}
    else:
        with tempfile.TemporaryDirectory() as saved:
            model.save_pretrained(saved)
            shapes = {name: tuple(tensor.shape) for name, tensor in load_file(Path(saved) / "model.safetensors").items()}
    if base.get("head"):
        shapes["lm_head.weight"] = (base["config"]["vocab_size"], model.config.hidden_size)
    centre = 0.0 if base["type"].startswith(("gemma2", "gemma3")) else 1.0
    tensors = {name: torch.from_numpy(weight(name, shape, centre)) for name, shape in shapes.items()}
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    lines = "".join(f"{name} {'x'.join(map(str, shapes[name]))}\n" for name in sorted(shapes) if is_of_language(base, name))
    return hashlib.sha256(lines.encode()).hexdigest()


def is_of_language(base: dict, name: str) -> bool:
    return not is_wrapped(base) or name.startswith(("model.language_model.", "lm_head."))


def perplexity(model, base: dict) -> float:
    length = base.get("length", 24)
    tokens = torch.tensor([[token(index) for index in range(length)]])
    with torch.no_grad():
        if "source" in base:
            source = torch.tensor([[token(index + length) for index in range(base["source"])]])
            logits, targets = model(input_ids=source, labels=tokens), tokens[0]
            logits = logits[1] if isinstance(logits, tuple) else logits.logits
            logits = logits[0]
        elif "encoder" in base:
            states = model(input_ids=tokens)
            states = states[0] if isinstance(states, tuple) else states.last_hidden_state
            logits, targets = states[0].double() @ model.get_input_embeddings().weight.double().T, tokens[0]
        else:
            logits = model(input_ids=tokens)
            logits = logits[0] if isinstance(logits, tuple) else logits.logits
            logits, targets = logits[0, :-1], tokens[0, 1:]
    return math.exp(torch.nn.functional.cross_entropy(logits.double(), targets).item())


def is_too_large(folder: Path, base: dict) -> bool:
    # the type of numbers is given below too, whatever the file says
    config = AutoConfig.from_pretrained(folder, dtype=torch.float32)
    with torch.device("meta"):
        expected = auto(base).from_config(config, **parts(base)).state_dict()
    return sum(tensor.numel() for tensor in expected.values()) > LARGEST


def verdict(folder: Path, base: dict, config: dict, absent: bool = False) -> float | str:
    write_config(folder, config)
    try:
        # a section that is null has the sizes of its class too: those of a Mistral Small take 90 GB
        if is_too_large(folder, base):
            return "raises"
        given = {"dtype": torch.float32, "attn_implementation": "eager", **parts(base)}
        model, info = auto(base).from_pretrained(folder, output_loading_info=True, **given)
        if info["missing_keys"]:
            return "random"
        value = perplexity(model.eval(), base)
    except Exception as error:
        if verdict.explain:
            print(f"{type(error).__name__}: {error}"[:300], file=sys.stderr)
        return "raises"
    return float(f"{value:.7g}") if math.isfinite(value) else "nan"


verdict.explain = False


def edited(config: dict, edit: dict | str) -> dict:
    if isinstance(edit, str):
        return {key: value for key, value in config.items() if key != edit}
    return {**config, **edit}


def make_base(name: str) -> tuple[str, dict]:
    torch.set_num_threads(1)
    base = BASES[name]
    thorough = name == base["type"]
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        tensors = write_checkpoint(folder, base)
        found = verdict(folder, base, written(base))
        if isinstance(found, str):
            verdict.explain = True
            verdict(folder, base, written(base))
            raise SystemExit(f"{name} {found}")
        cases = [
            [edit, verdict(folder, base, edited(written(base), edit), isinstance(edit, str))] for edit in edits_of(base, thorough)
        ]
    print(name, len(cases), flush=True)
    more = {key: base[key] for key in ("length", "source", "head", "fused", "encoder") if key in base}
    return name, {"config": written(base), **more, "tensors": tensors, "perplexity": found, "cases": cases}


def class_defaults(bases: dict) -> dict:
    """Type → key → default of its class, of the types that were swept."""
    types = sorted({BASES[name]["type"] for name in bases if name in BASES})
    return {kind: {field.name: field.default for field in dataclasses.fields(type(AutoConfig.for_model(kind)))} for kind in types}


def save(bases: dict) -> None:
    """One case a line."""
    defaults = ",\n".join(
        f"{json.dumps(kind)}:{json.dumps(keys, separators=(',', ':'))}" for kind, keys in class_defaults(bases).items()
    )
    lines = [f'{{"transformers":"{transformers.__version__}","defaults":{{\n{defaults}}},\n"bases":{{']
    for at, name in enumerate(name for name in bases if name in BASES):
        base = bases[name]
        head = json.dumps({key: value for key, value in base.items() if key != "cases"}, separators=(",", ":"))
        cases = ",\n".join(json.dumps(case, separators=(",", ":")) for case in base["cases"])
        lines.append(f'{"," if at else ""}{json.dumps(name)}:{head[:-1]},"cases":[\n{cases}]}}')
    GOLDEN.write_text("\n".join([*lines, "}}"]) + "\n")


def main(names: list[str]) -> None:
    if not transformers.__version__.startswith("5.24."):
        raise SystemExit(f"transformers {transformers.__version__}: the golden numbers are those of 5.24")
    unknown = [name for name in names if name not in BASES and all(base["type"] != name for base in BASES.values())]
    if unknown:
        raise SystemExit(f"no base or type {', '.join(unknown)}; bases are {', '.join(BASES)}")
    wanted = [name for name, base in BASES.items() if not names or name in names or base["type"] in names]
    bases = json.loads(GOLDEN.read_text())["bases"] if GOLDEN.exists() else {}
    with Pool(2, maxtasksperchild=1) as pool:
        for name, made in pool.imap(make_base, wanted, chunksize=1):
            bases[name] = made
            save(bases)


if __name__ == "__main__":
    transformers.logging.set_verbosity(logging.CRITICAL)
    transformers.logging.disable_progress_bar()
    logging.disable(logging.CRITICAL)
    warnings.filterwarnings("ignore")
    main(sys.argv[1:])
