"""The tiny models whose configurations are edited: SWEEP in tools/golden/model_types."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "golden"))

from model_types import TYPES, is_wrapped, models  # noqa: E402, F401

BASES = models("SWEEP")


def edits_for(kind: str) -> list[dict | str]:
    """Edits that only this type has."""
    return getattr(TYPES[kind], "EDITS", [])
