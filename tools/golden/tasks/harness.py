"""Runs the real tasks of lm-evaluation-harness on made-up rows, and tells what they ask of a model."""

import logging

import datasets

rows_by_split = {}


def load_made_up(path, name=None, **options):
    """In the place of datasets.load_dataset: every dataset has the rows that are set now."""
    return {split: datasets.Dataset.from_list(rows) for split, rows in rows_by_split.items()}


datasets.load_dataset = load_made_up
datasets.disable_progress_bars()
# Thousands of filtered datasets need no names for a cache on disk.
datasets.disable_caching()
logging.disable(logging.ERROR)

from lm_eval.api.instance import Instance  # noqa: E402
from lm_eval.tasks import TaskManager  # noqa: E402

answers = ["A", " a. ", "The best answer is: B", "#### 42", "no", "Yes!", "Ответ: Б", "x The best answer is A.\nFinal answer: C"]


def set_rows(rows):
    rows_by_split.clear()
    rows_by_split.update(rows)


def right_choices(task, doc, count):
    """The choices that make `acc` 1 when their log-likelihood is the largest."""
    doubled = 2 if "acc_mutual_info" in task._metric_fn_list else 1
    right = []
    for winner in range(count):
        results = [(-1.0 if index == winner else -1000.0, False) for index in range(count)]
        results = results + [(-1000.0, False)] * (count * (doubled - 1))
        if task.process_results(doc, results)["acc"] == 1.0:
            right.append(winner)
    return right


def judged(task, doc, instance):
    """The score of each of `answers`, and of the answer that is the target."""
    target = task.doc_to_target(doc)
    scores = {}
    for answer in [*answers, str(target)]:
        one = Instance("generate_until", doc, instance.arguments, 0, metadata=("", 0, 1), resps=[answer])
        task._filters[0].apply([one])
        results = [one.filtered_resps[task._filters[0].name]]
        scores[answer] = float(task.process_results(doc, results)["exact_match"])
    return scores


def documents(task, few_shot, own, limit=None):
    """Requests of a task, document by document, as simple_evaluate makes them; `own` is the num_fewshot of the task's file."""
    task.set_config("num_fewshot", 0 if own == 0 else few_shot if few_shot is not None else (own or 0))
    task.set_fewshot_seed(1234)
    task.build_all_requests(limit=limit)
    found = {}
    for instance in task.instances:
        found.setdefault(instance.doc_id, []).append(instance)
    made = []
    for number, instances in found.items():
        doc = instances[0].doc
        if task.OUTPUT_TYPE == "multiple_choice":
            requests = [list(instance.args) for instance in instances]
            count = len(requests) // (2 if "acc_mutual_info" in task._metric_fn_list else 1)
            lengths = [[len(choice), len(choice.encode())] for choice in task.doc_to_choice(doc)]
            made.append({"requests": requests, "gold": right_choices(task, doc, count), "lengths": lengths})
        else:
            context, options = instances[0].args
            limits = {"until": options.get("until"), "maximum": options.get("max_gen_toks", 256)}
            made.append({"context": context, **limits, "scores": judged(task, doc, instances[0])})
    return made


def manager(path=None):
    return TaskManager(include_path=path, include_defaults=path is None)
