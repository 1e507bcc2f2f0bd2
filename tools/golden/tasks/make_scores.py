"""Scores of the controlled llama on the controlled tasks by lm-evaluation-harness, as golden numbers of packages/evaluation.

    cd datasets/controlled-tasks && python ../../tools/golden/tasks/make_scores.py

Made with lm_eval 0.4.13, transformers 5.24.0, torch 2.15.0, datasets 5.2.0, on a CPU, float32, one document at a time. It must
be started in the tasks' folder, since their data_files are relative to where lm_eval runs. Writes controlled-tasks.json:

    model, versions
    runs: task, fewShot, documents (the first 12), each with
        prompt: first 16 hex digits of SHA-256 of the texts that are scored, context NUL continuation NUL for each choice
        logLikelihoods: nats, one a choice
        unconditional: the same without context, where acc_mutual_info is measured
        tokens: of context and continuation together, one a choice, before lm_eval cuts them on the left to 256
        acc, acc_norm, acc_bytes, acc_mutual_info: 0 or 1, those that the task measures
    means: of each metric over these documents
"""

import hashlib
import json
import tempfile
from pathlib import Path

import datasets
import lm_eval
import torch
import transformers
from lm_eval.models.huggingface import HFLM
from lm_eval.tasks import TaskManager

ROOT = Path(__file__).resolve().parents[3]
MODEL = ROOT / "datasets/controlled-llama"
TASKS = ROOT / "datasets/controlled-tasks"
OUT = ROOT / "packages/evaluation/test/fixtures/controlled-tasks.json"
DOCUMENTS = 12
FEW_SHOT = (0, 2)
METRICS = ("acc", "acc_norm", "acc_bytes", "acc_mutual_info")
# acc_mutual_info asks for every choice twice, so two languages have it in a task of their own, which tests write in the same way
MUTUAL_INFO = ("en", "zh-Hans")


def mutual_info_yaml(language: str) -> str:
    return (
        f"include: {TASKS}/controlled_continuation_{language}.yaml\n"
        f"task: controlled_mutual_info_{language}\n"
        "metric_list:\n  - metric: acc\n  - metric: acc_mutual_info\n"
    )


def document(sample: dict, lm: HFLM) -> dict:
    requests = [(context, continuation) for context, continuation in sample["arguments"]]
    scores = [float(response[0]) for response in sample["filtered_resps"]]
    measured = [name for name in METRICS if name in sample]
    count = len(scores) // 2 if "acc_mutual_info" in measured else len(scores)
    texts = "".join(f"{context}\0{continuation}\0" for context, continuation in requests[:count])
    # an empty context is one token, the beginning of a sequence
    pairs = [lm._encode_pair(context, text) if context else ([0], lm.tok_encode(text)) for context, text in requests[:count]]
    row = {
        "prompt": hashlib.sha256(texts.encode()).hexdigest()[:16],
        "logLikelihoods": [round(score, 6) for score in scores[:count]],
        "tokens": [len(context) + len(text) for context, text in pairs],
    }
    if count < len(scores):
        row["unconditional"] = [round(score, 6) for score in scores[count:]]
    return row | {name: sample[name] for name in measured}


def main() -> None:
    torch.set_num_threads(1)
    lm = HFLM(pretrained=str(MODEL), dtype="float32", device="cpu", batch_size=1)
    assert type(lm.model).__name__ == "LlamaForCausalLM" and lm.max_length == 256
    languages = [path.stem.removeprefix("controlled_pairs_") for path in sorted(TASKS.glob("controlled_pairs_*.yaml"))]
    continuations = [f"controlled_continuation_{language}" for language in languages]
    mutual = [f"controlled_mutual_info_{language}" for language in MUTUAL_INFO]
    pairs = [f"controlled_pairs_{language}" for language in languages]
    runs = []
    with tempfile.TemporaryDirectory() as folder:
        for language in MUTUAL_INFO:
            (Path(folder) / f"mutual_info_{language}.yaml").write_text(mutual_info_yaml(language))
        manager = TaskManager(include_path=[str(TASKS), folder], include_defaults=False)
        for few_shot in FEW_SHOT:
            # a task whose own number is 0 has no examples in lm_eval, whatever is asked for
            names = continuations + mutual + (pairs if few_shot == 0 else [])
            result = lm_eval.simple_evaluate(
                model=lm, tasks=names, num_fewshot=few_shot, limit=DOCUMENTS, task_manager=manager, bootstrap_iters=0
            )
            for name in names:
                samples = sorted(result["samples"][name], key=lambda sample: sample["doc_id"])
                documents = [document(sample, lm) for sample in samples]
                measured = [metric for metric in METRICS if metric in documents[0]]
                means = {metric: result["results"][name][f"{metric},none"] for metric in measured}
                runs.append({"task": name, "fewShot": few_shot, "means": means, "documents": documents})
    versions = {module.__name__: module.__version__ for module in (lm_eval, transformers, torch, datasets)}
    head = json.dumps({"model": MODEL.name, "versions": versions}, ensure_ascii=False)
    lines = ",\n".join(json.dumps(run) for run in runs)
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(f'{head[:-1]}, "runs": [\n{lines}\n]}}\n')


if __name__ == "__main__":
    main()
