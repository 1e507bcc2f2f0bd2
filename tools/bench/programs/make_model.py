"""A model of a stated shape with random bfloat16 weights, and the tokenizer of the controlled model.

usage: make_model.py SHAPE CONTROLLED_MODEL OUTPUT
  SHAPE  smollm2-135m: a llama of 30 blocks, width 576, 9 heads, 3 key heads, MLP 1536, vocabulary 49,152
         llama-1024: a llama of 4 blocks, width 1024, 16 heads, MLP 4096, vocabulary 16,384
         llama-8b-block: one block and the head of Llama 3 8B: width 4096, 32 heads, 8 key heads, MLP 14,336, vocabulary 128,256
         bloom-7b1-block: one block and the head of BLOOM-7b1: width 4096, 32 heads, vocabulary 250,880
"""
import shutil
import sys
from pathlib import Path

import torch
from transformers import BloomConfig, BloomForCausalLM, LlamaConfig, LlamaForCausalLM

SHAPES = {
    "smollm2-135m": dict(
        num_hidden_layers=30,
        hidden_size=576,
        num_attention_heads=9,
        num_key_value_heads=3,
        intermediate_size=1536,
        vocab_size=49152,
        tie_word_embeddings=True,
    ),
    "llama-1024": dict(
        num_hidden_layers=4,
        hidden_size=1024,
        num_attention_heads=16,
        num_key_value_heads=16,
        intermediate_size=4096,
        vocab_size=16384,
        tie_word_embeddings=True,
    ),
    "llama-8b-block": dict(
        num_hidden_layers=1,
        hidden_size=4096,
        num_attention_heads=32,
        num_key_value_heads=8,
        intermediate_size=14336,
        vocab_size=128256,
        tie_word_embeddings=False,
    ),
}
shape, controlled, output = sys.argv[1:]
torch.manual_seed(0)
if shape == "bloom-7b1-block":
    config = BloomConfig(n_layer=1, hidden_size=4096, n_head=32, vocab_size=250880)
    model = BloomForCausalLM(config).to(torch.bfloat16)
else:
    model = LlamaForCausalLM(LlamaConfig(max_position_embeddings=2048, **SHAPES[shape])).to(torch.bfloat16)
model.save_pretrained(output, max_shard_size="1GB")
for name in ("tokenizer.json", "tokenizer_config.json", "distribution.json"):
    shutil.copy(Path(controlled) / name, output)
