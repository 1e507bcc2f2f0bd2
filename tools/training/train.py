"""Train the controlled model; kill it at any time and start it again to resume.

    python train.py --state state --steps 5140
    python train.py --state state --run state/llama --architecture llama --steps 5140
    python train.py --state state --run state/small --width 128 --steps 3000

The learning rate warms up, stays, and falls linearly to zero over the last
`--decay` of the steps, or of `--seconds` of training time where that ends
earlier. Because the rate stays constant before the fall, both may be changed on
a resume as long as it has not begun.
"""

import argparse
import json
import time
from dataclasses import asdict
from pathlib import Path

import torch
from tokenizers import Tokenizer
from torch.nn import functional as F

from networks import NETWORKS
from stream import Mixture, encode_corpus

SIZES = ("width", "layers", "heads")
SEED = 1
BATCH = 16
PEAK = 2e-3
WARMUP = 150
WEIGHT_DECAY = 0.05
CHECKPOINT_SECONDS = 240


def rate(step: int, progress: float, decay: float) -> float:
    """The learning rate of a step when `progress` (0 to 1) of the training is done."""
    return PEAK * max(0.0, min(1.0, (step + 1) / WARMUP, (1 - progress) / decay))


def make_optimizer(model: torch.nn.Module) -> torch.optim.Optimizer:
    """AdamW; only matrices decay."""
    matrices = [p for p in model.parameters() if p.dim() > 1]
    vectors = [p for p in model.parameters() if p.dim() <= 1]
    groups = [
        {"params": matrices, "weight_decay": WEIGHT_DECAY},
        {"params": vectors, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=PEAK, betas=(0.9, 0.98), eps=1e-8, fused=True)


def save(path: Path, **content) -> None:
    """Write a checkpoint so that a kill never leaves half a file."""
    temporary = path.with_suffix(".tmp")
    torch.save(content, temporary)
    temporary.replace(path)


def main():
    """Command line entry."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--run", type=Path, help="folder of checkpoint and log; default: the state")
    parser.add_argument("--architecture", choices=NETWORKS, default="bloom")
    for size in SIZES:
        parser.add_argument(f"--{size}", type=int, help="default: the architecture's")
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--decay", type=float, default=0.35)
    parser.add_argument("--seconds", type=float, default=float("inf"))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--bf16", action="store_true", help="products in bf16, weights and sums in f32")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.set_flush_denormal(True)
    torch.manual_seed(SEED)
    tokenizer = Tokenizer.from_file(str(arguments.state / "tokenizer/tokenizer.json"))
    network = NETWORKS[arguments.architecture]
    sizes = {size: value for size in SIZES if (value := getattr(arguments, size)) is not None}
    shape = network.shape(vocabulary=tokenizer.get_vocab_size(), **sizes)
    corpus = encode_corpus(arguments.state / "train", tokenizer, tokenizer.token_to_id("</s>"))
    mixture = Mixture(corpus, shape.context)
    model = network.build(shape)
    optimizer = make_optimizer(model)
    run = arguments.run or arguments.state
    run.mkdir(parents=True, exist_ok=True)
    path, step, seconds = run / "checkpoint.pt", 0, 0.0
    if path.exists():
        saved = torch.load(path, weights_only=True)
        model.load_state_dict(saved["model"])
        optimizer.load_state_dict(saved["optimizer"])
        torch.set_rng_state(saved["rng"])
        step, seconds = saved["step"], saved["seconds"]
        mixture.skip(step, BATCH)
    print(f"{sum(p.numel() for p in model.parameters())} parameters, from step {step}", flush=True)
    log = open(run / "log.jsonl", "a", encoding="utf-8")
    started = last_saved = time.monotonic()

    def elapsed():
        return seconds + time.monotonic() - started

    def progress():
        return max(step / arguments.steps, elapsed() / arguments.seconds)

    def checkpoint():
        save(
            path,
            shape=asdict(shape),
            model=model.state_dict(),
            optimizer=optimizer.state_dict(),
            rng=torch.get_rng_state(),
            step=step,
            seconds=elapsed(),
            counts=dict(mixture.counts),
            epochs={code: stream.epoch for code, stream in mixture.streams.items()},
            progress=progress(),
        )

    losses = []
    while progress() < 1:
        for group in optimizer.param_groups:
            group["lr"] = rate(step, progress(), arguments.decay)
        tokens = torch.from_numpy(mixture.batch(BATCH))
        with torch.autocast("cpu", torch.bfloat16, enabled=arguments.bf16):
            logits = model(tokens[:, :-1])
        loss = F.cross_entropy(logits.float().flatten(0, 1), tokens[:, 1:].flatten())
        optimizer.zero_grad(set_to_none=True)
        (loss + model.auxiliary_loss()).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        step += 1
        losses.append(loss.item())
        if step % 50 == 0:
            record = {
                "step": step,
                "loss": round(sum(losses) / len(losses), 4),
                "rate": optimizer.param_groups[0]["lr"],
                "seconds": round(elapsed()),
            }
            log.write(json.dumps(record) + "\n")
            log.flush()
            losses.clear()
        if time.monotonic() - last_saved > CHECKPOINT_SECONDS:
            checkpoint()
            last_saved = time.monotonic()
    checkpoint()


if __name__ == "__main__":
    main()
