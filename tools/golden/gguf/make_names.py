"""Golden tensor names: what llama.cpp's converter calls the tensors of small checkpoints.

    pip install gguf==0.19.0 safetensors==0.8.0 numpy
    python tools/golden/gguf/make_names.py packages/models/test/fixtures

The maps are those of the gguf package; experts are put together as convert_hf_to_gguf.py does it.
"""

import json
import re
import sys
from pathlib import Path

from gguf import MODEL_ARCH, get_tensor_name_map
from safetensors import safe_open

ARCHITECTURES = {
    "bloom": MODEL_ARCH.BLOOM,
    "gemma2": MODEL_ARCH.GEMMA2,
    "gemma3_text": MODEL_ARCH.GEMMA3,
    "gpt2": MODEL_ARCH.GPT2,
    "gpt_neox": MODEL_ARCH.GPTNEOX,
    "granite": MODEL_ARCH.GRANITE,
    "llama": MODEL_ARCH.LLAMA,
    "mistral": MODEL_ARCH.LLAMA,
    "mixtral": MODEL_ARCH.LLAMA,
    "mt5": MODEL_ARCH.T5,
    "phi3": MODEL_ARCH.PHI3,
    "qwen2": MODEL_ARCH.QWEN2,
    "qwen2_moe": MODEL_ARCH.QWEN2MOE,
    "qwen3": MODEL_ARCH.QWEN3,
    "t5": MODEL_ARCH.T5,
}


def merged(name: str) -> str:
    """The name under which the converter maps the matrices of all experts."""
    name = re.sub(r"^model\.(layers\.\d+)\.block_sparse_moe\.experts\.\d+\.", r"\1.feed_forward.experts.", name)
    return re.sub(r"\.experts\.\d+\.", ".experts.", name)


def main(fixtures: Path) -> None:
    golden: dict[str, dict[str, str]] = {}
    for folder in sorted((fixtures / "forward").iterdir()):
        config = folder / "config.json"
        if not config.exists():
            continue
        model_type = json.loads(config.read_text())["model_type"]
        if model_type not in ARCHITECTURES:
            continue
        names = get_tensor_name_map(ARCHITECTURES[model_type], 8)
        own = golden.setdefault(model_type, {})
        for file in sorted(folder.glob("*.safetensors")):
            with safe_open(file, "np") as tensors:
                for name in sorted(tensors.keys()):
                    found = names.get_name(merged(name), try_suffixes=(".weight", ".bias"))
                    if found is not None:
                        own[name] = found
    (fixtures / "gguf-names.golden.json").write_text(json.dumps(golden, indent=1, sort_keys=True) + "\n")


main(Path(sys.argv[1]))
