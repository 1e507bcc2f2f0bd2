"""What transformers makes of conversations by the chat templates of a folder, a line of JSON each.

    python tools/golden/chat/render.py FOLDER > rendered.jsonl

Needs transformers (made with 5.24). FOLDER has NAME.jinja, such as those that llama.cpp tests with (models/templates). Then:

    node --conditions=mbs-source --import tsx tools/golden/chat/compare.ts FOLDER < rendered.jsonl
"""

import datetime
import json
import sys
from pathlib import Path

import transformers.utils.chat_template_utils as chat_template_utils
from transformers import PreTrainedTokenizerFast
from tokenizers import Tokenizer, models

CONVERSATIONS = json.loads((Path(__file__).parent / "conversations.json").read_text(encoding="utf-8"))


class TemplateDay(datetime.datetime):
    """The date of the templates' clock, which is the same every day."""

    @classmethod
    def now(cls, tz=None):
        return cls(2024, 7, 26)


chat_template_utils.datetime = TemplateDay


def render(tokenizer, conversation, prompt, **options):
    """A text, or the error in the place of it."""
    try:
        return {
            "text": tokenizer.apply_chat_template(
                conversation["messages"],
                tools=conversation.get("tools"),
                add_generation_prompt=prompt,
                tokenize=False,
                **options,
            )
        }
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"}


def lines(folder):
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.BPE()), bos_token="<s>", eos_token="</s>")
    for file in sorted(Path(folder).glob("*.jinja")):
        template = file.read_text(encoding="utf-8")
        for conversation in CONVERSATIONS:
            for prompt in (False, True):
                found = render(tokenizer, conversation, prompt, chat_template=template)
                yield {"template": file.name, "name": conversation["name"], "prompt": prompt, **found}


if __name__ == "__main__":
    for line in lines(sys.argv[1]):
        print(json.dumps(line, ensure_ascii=False))
