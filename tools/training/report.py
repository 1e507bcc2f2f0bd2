"""Print the table of the model card: network against n-gram model on the heldout texts.

    python report.py --state state
"""

import argparse
import json
from pathlib import Path

from languages import LANGUAGES


def load(path: Path) -> dict:
    """The languages of a result file, nothing where there is none."""
    return json.loads(path.read_text(encoding="utf-8"))["languages"] if path.exists() else {}


def main():
    """Command line entry."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--group", default="all")
    arguments = parser.parse_args()
    network = load(arguments.state / "network.json")
    full = load(arguments.state / "ngram.json")
    read = load(arguments.state / "ngram-read.json")
    print(
        "| Language | network ppl | n-gram ppl | n-gram, text read "
        "| network bits/byte | n-gram bits/byte | n-gram, text read |"
    )
    print("|---|---|---|---|---|---|---|")
    for code in (language.code for language in LANGUAGES):
        if arguments.group not in network[code]:
            continue
        rows = [r[code][arguments.group] for r in (network, full, read if code in read else full)]
        perplexities = [f"{row['perplexity']:.2f}" for row in rows]
        bits = [f"{row['bits_per_byte']:.3f}" for row in rows]
        print("| " + " | ".join([code, *perplexities, *bits]) + " |")


if __name__ == "__main__":
    main()
