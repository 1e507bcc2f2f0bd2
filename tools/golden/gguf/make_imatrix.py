"""Golden bytes: GGUF files by the gguf package, with metadata of every type and the tensors of an imatrix.

    pip install gguf==0.19.0 numpy
    python tools/golden/gguf/make_imatrix.py packages/gguf/test/fixtures
"""

import sys
from pathlib import Path

import numpy as np
from gguf import GGUFValueType, GGUFWriter


def imatrix(path: Path) -> None:
    """As llama-imatrix writes it: sums of squares and counts, of a plain weight and of two experts."""
    writer = GGUFWriter(path, "")
    # the constructor adds an architecture, which an imatrix does not have
    writer.kv_data[0].clear()
    writer.add_key_value("general.type", "imatrix", GGUFValueType.STRING)
    writer.add_key_value("imatrix.datasets", ["en=0.75", "hi=0.25"], GGUFValueType.ARRAY)
    writer.add_key_value("imatrix.chunk_count", 3, GGUFValueType.UINT32)
    writer.add_key_value("imatrix.chunk_size", 512, GGUFValueType.UINT32)
    writer.add_tensor("blk.0.attn_q.weight.in_sum2", np.arange(5, dtype=np.float32).reshape(1, 5) / 3)
    writer.add_tensor("blk.0.attn_q.weight.counts", np.array([[1536]], np.float32))
    writer.add_tensor("blk.0.ffn_up_exps.weight.in_sum2", np.arange(10, dtype=np.float32).reshape(2, 5) * 7)
    writer.add_tensor("blk.0.ffn_up_exps.weight.counts", np.array([[1536], [0]], np.float32))
    close(writer)


def types(path: Path) -> None:
    """A value of every type, and no tensor."""
    writer = GGUFWriter(path, "")
    writer.kv_data[0].clear()
    for name, value, kind in [
        ("u8", 255, GGUFValueType.UINT8),
        ("i8", -128, GGUFValueType.INT8),
        ("u16", 65535, GGUFValueType.UINT16),
        ("i16", -32768, GGUFValueType.INT16),
        ("u32", 4294967295, GGUFValueType.UINT32),
        ("i32", -2147483648, GGUFValueType.INT32),
        ("f32", 0.1, GGUFValueType.FLOAT32),
        ("f64", 0.1, GGUFValueType.FLOAT64),
        ("u64", 2**64 - 1, GGUFValueType.UINT64),
        ("i64", -(2**63), GGUFValueType.INT64),
        ("bool", True, GGUFValueType.BOOL),
        ("string", "naïve हिन्दी", GGUFValueType.STRING),
        ("strings", ["", "日本"], GGUFValueType.ARRAY),
        ("bools", [True, False], GGUFValueType.ARRAY),
        ("i32s", [-1, 2, 3], GGUFValueType.ARRAY),
        ("f32s", [0.5, -0.1], GGUFValueType.ARRAY),
    ]:
        writer.add_key_value(name, value, kind)
    close(writer)


def close(writer: GGUFWriter) -> None:
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


folder = Path(sys.argv[1])
folder.mkdir(exist_ok=True)
imatrix(folder / "imatrix.gguf")
types(folder / "types.gguf")
