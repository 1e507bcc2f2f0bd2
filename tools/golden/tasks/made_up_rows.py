"""Rows with the columns that published datasets have, and made-up texts that are hard to print: quotes, braces, line ends, other scripts."""

import random

pieces = [
    "The cat's \"hat\"",
    "it's  two spaces",
    "{{ braces }}",
    "{% if x %}",
    "back\\slash \\n",
    "line\nend",
    "tab\there",
    "don't [title] go [note] .",
    "नमस्ते दुनिया",
    "你好，世界",
    "สวัสดี",
    "Привет ,  мир",
    "مرحبا بالعالم",
    "İstanbul'da",
    "ǆungla Straße",
    "𝔘𝔫𝔦 😀",
    "e\u0301 \u200b zero",
    "nbsp\u00a0here",
    "'''three'''",
    '"""six"""',
    "# no comment",
    "100%",
    "None",
    "7",
    "Ὀδυσσεύς",
    "ქართული",
]
ends = ["", "", "", " ", ".", "?", "\n", " .", ";", "\u3000", "\t"]


class Texts:
    def __init__(self, seed):
        self.random = random.Random(seed)

    def text(self, most=4):
        words = [self.random.choice(pieces) for _ in range(self.random.randint(1, most))]
        return self.random.choice(["", "", "", " "]) + " ".join(words) + self.random.choice(ends)

    def pick(self, *values):
        return self.random.choice(values)


def lettered(t, key, question):
    numbers = t.pick(True, False)
    count = t.pick(3, 4, 5)
    labels = [str(index + 1) if numbers else "ABCDE"[index] for index in range(count)]
    padding = t.pick("", " ") if question == "question_stem" else ""
    return {"id": "x", question: t.text(), "choices": {"text": [t.text(2) for _ in labels], "label": labels}, key: padding + t.pick(*labels)}


def winograd(t):
    return {"sentence": t.text() + "_" + t.text(), "option1": t.text(1), "option2": t.text(1), "answer": t.pick("1", "2")}


def copa(t):
    return {"premise": t.text(), "choice1": t.text(2), "choice2": t.text(2), "question": t.pick("cause", "effect"), "label": t.pick(0, 1)}


def options(t):
    return {f"option_{letter}": t.text(2) for letter in "abcd"}


def row(path, name, t, category):
    """A row of a dataset; `category` is that of the task, which every second row has."""
    path = path.lower()
    if path.endswith("super_glue"):
        sentences = {"premise": t.text(), "hypothesis": t.text(), "label": t.pick(0, 1)}
        wic = {"word": "x", "sentence1": t.text(), "sentence2": t.text(), "start1": t.pick(0, 2), "end1": t.pick(3, 6), "label": t.pick(0, 1)}
        multirc = {"paragraph": t.text(), "question": t.text(), "answer": t.text(1).replace("'", ""), "idx": {"paragraph": 1, "question": t.pick(2, 3)}, "label": t.pick(0, 1)}
        return {"boolq": {"passage": t.text(), "question": t.text(), "label": t.pick(0, 1)}, "copa": copa(t), "wic": wic, "multirc": multirc}.get(name, sentences)
    if path.endswith("glue"):
        return {"sentence1": t.text(), "sentence2": t.text(), "label": t.pick(0, 1)}
    if "hellaswag" in path:
        return {"activity_label": t.text(1), "ctx_a": t.text(), "ctx_b": t.text(2), "endings": [t.text() for _ in range(4)], "label": t.pick("0", "1", "2", "3")}
    if "winogra" in path:
        return winograd(t)
    if path.endswith("_arc"):
        return lettered(t, "answerKey", "question")
    if "openbookqa" in path:
        return lettered(t, "answerKey", "question_stem")
    if "story_cloze" in path:
        sentences = {f"input_sentence_{index}": t.text(2) for index in range(1, 5)}
        return {**sentences, "sentence_quiz1": t.text(), "sentence_quiz2": t.text(), "answer_right_ending": t.pick(1, 2)}
    if "paws" in path:
        return {"sentence1": t.pick(t.text(), t.text(), t.text(), ""), "sentence2": t.pick("W" + t.text(), "É" + t.text(), None), "label": t.pick(0, 1)}
    if "xnli" in path:
        return {"premise": t.text(), "hypothesis": t.text(), "label": t.pick(0, 1, 2)}
    if "xcopa" in path:
        return copa(t)
    if "belebele" in path:
        answers = {f"mc_answer{index}": t.text(2) for index in range(1, 5)}
        return {"flores_passage": t.text(6), "question": t.text(), **answers, "correct_answer_num": t.pick("1", "2", "3", "4")}
    if "global-mmlu" in path:
        key = "subject_category" if "lite" in path else "subject"
        return {"question": t.text(), **options(t), "answer": t.pick("A", "B", "C", "D"), key: t.pick(category, "other one")}
    if "include" in path:
        return {"question": t.text(), **options(t), "answer": t.pick(0, 1, 2, 3), "domain": t.pick(category, "other one")}
    if "multiblimp" in path:
        return {"sen": t.text(), "wrong_sen": t.text()}
    if "global-piqa" in path:
        return {"prompt": t.text(), **{f"solution{index}": t.text(2) for index in range(4)}, "label": t.pick(0, 1)}
    raise ValueError(f"no columns are known of {path}")


def make_rows(path, name, category, splits, seed, count=14):
    """Rows of all splits of a task; the last of each repeats an earlier one."""
    t = Texts(f"{seed} {path} {name} {category}")
    made = {}
    for split in splits:
        rows = [row(path, name, t, category) for _ in range(count)]
        made[split] = [*rows, rows[3]]
    return made
