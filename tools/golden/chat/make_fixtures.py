"""Small models' chat templates, written for these tests, with the texts and tokens that transformers makes of conversations.

    python tools/golden/chat/make_fixtures.py

Needs transformers (made with 5.24) and tokenizers. Each folder gets a tokenizer.json, a tokenizer_config.json with the templates
that are not in chat_template.jinja, and golden.json.
"""

import json
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import AutoTokenizer

from render import CONVERSATIONS, render

FIXTURES = Path(__file__).resolve().parents[3] / "packages/models/test/fixtures/chat"

MARKS = ["<s>", "</s>", "<|start|>", "<|end|>", "<|final|>"]


def texts():
    return [message["content"] for one in CONVERSATIONS for message in one["messages"]] * 2


def byte_level():
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=300, special_tokens=MARKS, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(texts(), trainer)
    return tokenizer


def byte_fallback():
    tokenizer = Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>", fuse_unk=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    special = ["<unk>", "<s>", "</s>", "[ASK]", "[/ASK]"]
    trainer = trainers.BpeTrainer(
        vocab_size=330, special_tokens=special + [f"<0x{byte:02X}>" for byte in range(256)], show_progress=False
    )
    tokenizer.train_from_iterator(texts(), trainer)
    content = json.loads(tokenizer.to_str())
    # the byte tokens are plain entries in real files, not added tokens
    content["added_tokens"] = content["added_tokens"][: len(special)]
    tokenizer = Tokenizer.from_str(json.dumps(content))
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    return tokenizer


def template_of(folder):
    """What tokenizer_config.json says; nothing where there is a chat_template.jinja."""
    if (folder / "chat_template.jinja").exists():
        return {}
    default = (folder / "template.jinja").read_text(encoding="utf-8")
    tool_use = folder / "tool_use.jinja"
    if not tool_use.exists():
        return {"chat_template": default}
    named = {"default": default, "tool_use": tool_use.read_text(encoding="utf-8")}
    return {"chat_template": [{"name": name, "template": template} for name, template in named.items()]}


def golden(tokenizer, conversation):
    found = {**conversation, "whole": render(tokenizer, conversation, False), "asked": render(tokenizer, conversation, True)}
    if "text" not in found["whole"]:
        return found
    tags = "generation" in str(tokenizer.chat_template)
    made = tokenizer.apply_chat_template(
        conversation["messages"], tools=conversation.get("tools"), return_dict=True, return_assistant_tokens_mask=tags
    )
    found["ids"] = made["input_ids"]
    if tags:
        found["answers"] = made["assistant_masks"]
    return found


if __name__ == "__main__":
    for name, tokenizer in {"marked": byte_level(), "alternating": byte_fallback(), "dated": byte_level()}.items():
        folder = FIXTURES / name
        tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
        config = {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "bos_token": "<s>",
            "eos_token": {"__type": "AddedToken", "content": "</s>", "special": True},
            **template_of(folder),
        }
        (folder / "tokenizer_config.json").write_text(json.dumps(config, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
        loaded = AutoTokenizer.from_pretrained(folder)
        lines = [json.dumps(golden(loaded, one), ensure_ascii=False) for one in CONVERSATIONS]
        (folder / "golden.json").write_text("[\n" + ",\n".join(lines) + "\n]\n", encoding="utf-8")
