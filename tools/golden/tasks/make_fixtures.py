"""Writes packages/tasks/test/fixtures/prompts.json: what lm-evaluation-harness makes of the tasks that stand beside it."""

import json
import pathlib

import harness
from made_up_rows import Texts

fixtures = pathlib.Path(__file__).parents[3] / "packages/tasks/test/fixtures"
# None is the number of the task's own file; each with the most documents that are kept.
few_shots = {None: 3, 2: 10, 7: 1}


def row(path, t):
    if path == "example/quiz":
        options = [t.text(2) + str(index) for index in range(3)]
        return {"question": t.text(), "options": options, "answer": t.pick(*options)}
    if path == "example/pairs":
        return {"good": t.text(), "bad": t.text()}
    if path == "example/gap":
        return {"sentence": t.text() + "_ " + t.text(), "first": t.text(1), "second": t.text(1), "right": t.pick(0, 1)}
    if path == "example/literals":
        records = [{"name": t.text(1)}, {"name": "b"}]
        items = ["a", t.text(1), "B", "a"]
        made = {"word": t.pick("one", "two", "ǆungla", "it's"), "number": t.pick(1, 2, 7), "ratio": t.pick(0.5, 1e-7, 2.5e20, 0.1), "flag": t.pick(True, False)}
        return {**made, "nothing": None, "label": t.pick(0, 1), "items": items, "records": records}
    answers = t.pick(["A", "b"], ["42"], ["no", "Yes", "the end"])
    return {"question": t.text(), "answers": answers, "number": t.pick(7, 42)}


def make_rows(path):
    t = Texts(path)
    rows = {split: [row(path, t) for _ in range(9 if split == "test" else 24 if path == "example/quiz" else 10)] for split in ["train", "test"]}
    # The first row once more, so that it is drawn beside itself.
    rows["test"].append(rows["test"][0])
    return rows


def main():
    rows = {path: make_rows(path) for path in ["example/quiz", "example/pairs", "example/gap", "example/literals", "example/answers"]}

    def load(path, name=None, **options):
        return {split: harness.datasets.Dataset.from_list(items) for split, items in rows[path].items()}

    harness.datasets.load_dataset = load
    manager = harness.manager(str(fixtures / "tasks"))
    names = ["quiz", "quiz_all", "gap_contexts", "mutual_information", "literals", "template_filters", "answers", "numbers", "choice_answers"]
    documents = []
    for name in names:
        for few_shot, limit in few_shots.items():
            loaded = manager.load(name)
            for task in loaded["tasks"].values():
                own = task.config.num_fewshot
                try:
                    made = harness.documents(task, few_shot, own, limit=limit)
                except Exception as error:
                    made = f"{type(error).__name__}: {error}"
                    print(name, task.task_name, few_shot, made)
                documents.append({"asked": name, "task": task.task_name, "fewShot": few_shot, "documents": made})
    text = json.dumps({"rows": rows, "documents": documents}, ensure_ascii=False)
    (fixtures / "prompts.json").write_text(text + "\n", encoding="utf-8")


main()
