"""Writes rows and prompts of tasks of the installed lm-evaluation-harness, one task a line: read by compare.ts.

usage: run_tasks.py NAMES.txt OUTPUT.jsonl
"""

import json
import pathlib
import sys
from functools import partial

import harness
from lm_eval.tasks._yaml_loader import load_yaml
from made_up_rows import make_rows

few_shots = [0, 3]


def made(entry, manager):
    settings = load_yaml(entry.yaml_path)
    process = settings.get("process_docs")
    category = next(iter(process.keywords.values())) if isinstance(process, partial) else "x"
    keys = ["training_split", "validation_split", "test_split", "fewshot_split"]
    splits = sorted({settings[key] for key in keys if settings.get(key)})
    rows = make_rows(settings["dataset_path"], settings.get("dataset_name"), category, splits, entry.name)
    harness.set_rows(rows)
    documents = {}
    task = manager.load(entry.name)["tasks"][entry.name]
    own = task.config.num_fewshot
    for few_shot in few_shots:
        try:
            documents[few_shot] = harness.documents(task, few_shot, own)
        except Exception as error:
            documents[few_shot] = f"{type(error).__name__}: {error}"
    return {"task": entry.name, "rows": rows, "documents": documents}


def main():
    names, target = map(pathlib.Path, sys.argv[1:])
    manager = harness.manager()
    with target.open("w", encoding="utf-8") as file:
        for name in names.read_text().split():
            try:
                line = made(manager.task_index[name], manager)
            except Exception as error:
                # A file that needs a Python package that is not there.
                line = {"task": name, "failure": f"{type(error).__name__}: {error}"}
            print(json.dumps(line, ensure_ascii=False), file=file)


main()
