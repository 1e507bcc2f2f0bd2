"""Golden tensor names: what llama.cpp's converter calls the tensors of small checkpoints.

    pip install gguf==0.19.0 safetensors==0.8.0 numpy torch==2.15.0
    python tools/golden/gguf/make_names.py packages/models/test/fixtures

The maps are those of the gguf package; experts are put together as convert_hf_to_gguf.py does it.
"""

import json
import re
import sys
from pathlib import Path

from gguf import MODEL_ARCH_NAMES, get_tensor_name_map
from safetensors import safe_open

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from model_types import TYPES  # noqa: E402

ARCHITECTURES = {name: architecture for architecture, name in MODEL_ARCH_NAMES.items()}


def merged(name: str) -> str:
    """The name under which the converter maps the matrices of all experts."""
    name = re.sub(r"^model\.(layers\.\d+)\.block_sparse_moe\.experts\.\d+\.", r"\1.feed_forward.experts.", name)
    return re.sub(r"\.experts\.\d+\.", ".experts.", name)


def parts(name: str, shape: list[int]) -> list[tuple[str, str]]:
    """What is read of a tensor, and its name as the converter maps it: the tensors of each expert, and sinks as weights.

    Of Gemma 4 gate and up of the experts stay one tensor.
    """
    if name.endswith(".sinks"):
        return [(name, f"{name}.weight")]
    found = re.fullmatch(r"(.*\.experts\.)(gate_up_proj|down_proj)(_bias)?", name)
    if found is None:
        return [(name, name)]
    start, layer, bias = found.groups()
    layers = ["gate_proj", "up_proj"] if layer == "gate_up_proj" else [layer]
    names = [f"{start}{expert}.{own}.{'bias' if bias else 'weight'}" for expert in range(shape[0]) for own in layers]
    return [(own, own if ".mlp." in start else f"{name}.weight") for own in names]


def scale_of_router(name: str) -> str | None:
    """The converter names these two of Gemma 4 itself."""
    block = re.search(r"layers\.(\d+)\.router\.(scale|per_expert_scale)$", name)
    return block and f"blk.{block[1]}.{'ffn_gate_inp' if block[2] == 'scale' else 'ffn_down_exps'}.scale"


def main(fixtures: Path) -> None:
    golden: dict[str, dict[str, str]] = {}
    for folder in sorted([*(fixtures / "forward").iterdir(), *(fixtures / "encoders").iterdir()], key=lambda folder: folder.name):
        config = folder / "config.json"
        if not config.exists():
            continue
        outer = json.loads(config.read_text())
        model_type = outer.get("text_config", outer)["model_type"]
        # a type that llama.cpp does not have is left out
        architecture = ARCHITECTURES.get(getattr(TYPES.get(model_type, TYPES[outer["model_type"]]), "ARCHITECTURE", model_type))
        if architecture is None:
            continue
        names = get_tensor_name_map(architecture, 8)
        own = golden.setdefault(model_type, {})
        for file in sorted(folder.glob("*.safetensors")):
            with safe_open(file, "np") as tensors:
                for name in sorted(tensors.keys()):
                    # like the converter, which writes what stands beside the language model into a file of its own
                    if "text_config" in outer and "language_model." not in name and name != "lm_head.weight":
                        continue
                    for read, mapped in parts(name, tensors.get_slice(name).get_shape()):
                        found = names.get_name(merged(mapped.replace("language_model.", "").replace(".dt_bias", ".dt_proj.bias") + (".weight" if mapped.endswith(".layer_scalar") else "")), try_suffixes=(".weight", ".bias"))
                        if found is None:
                            found = scale_of_router(mapped)
                        if found is not None:
                            own[read] = found
    (fixtures / "gguf-names.golden.json").write_text(json.dumps(golden, indent=1, sort_keys=True) + "\n")


main(Path(sys.argv[1]))
