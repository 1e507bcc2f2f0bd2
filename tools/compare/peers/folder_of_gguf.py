"""Writes a GGUF model as a Hugging Face folder, for programs that read no GGUF.

usage: folder_of_gguf.py MODEL.gguf OUTPUT
"""
import sys
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

source, output = Path(sys.argv[1]).resolve(), sys.argv[2]
given = {"gguf_file": source.name, "dtype": torch.bfloat16}
config = GgufConfig(gguf_file=source.name, dequantize=True)
model = AutoModelForCausalLM.from_pretrained(source.parent, quantization_config=config, **given).to(torch.bfloat16)
# whether the configuration keeps it depends on the file
model.config.__dict__.pop("quantization_config", None)
model.hf_quantizer, model.is_quantized = None, False
model.save_pretrained(output)
AutoTokenizer.from_pretrained(source.parent, gguf_file=source.name).save_pretrained(output)
