"""Exports of tiny models as optimum and torch write them, as fixtures of packages/models.

    python tools/golden/onnx/make_fixtures.py [CASE …]

Needs optimum-onnx and what it asks for (made with optimum-onnx 0.1.0, transformers 4.57.6, torch 2.15.0, onnx 1.23.2). The
models are those of packages/models/test/fixtures/forward, whose config.json and tokenizer.json the tests take, too.
"""

import shutil
import sys
import tempfile
from pathlib import Path

import onnx
import torch
from optimum.exporters.onnx import main_export
from transformers import AutoModelForCausalLM

ROOT = Path(__file__).resolve().parents[3]
FIXTURES = ROOT / "packages/models/test/fixtures"


def optimum(source: Path, task: str, dtype: str | None = None) -> onnx.ModelProto:
    with tempfile.TemporaryDirectory() as folder:
        main_export(source, folder, task=task, dtype=dtype, library_name="transformers", do_validation=False, no_post_process=True)
        return onnx.load(Path(folder) / "model.onnx")


class WithoutCache(torch.nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, input_ids, attention_mask):
        return self.model(input_ids=input_ids, attention_mask=attention_mask, use_cache=False).logits


def dynamo(source: Path) -> onnx.ModelProto:
    """torch's newer exporter, which names no node after its layer."""
    model = AutoModelForCausalLM.from_pretrained(source, dtype=torch.float32, attn_implementation="eager").eval()
    tokens = torch.ones(2, 7, dtype=torch.long)
    dims = {0: torch.export.Dim("batch"), 1: torch.export.Dim("sequence")}
    program = torch.onnx.export(
        WithoutCache(model),
        (tokens, tokens.clone()),  # one tensor twice would become one input
        dynamo=True,
        input_names=["input_ids", "attention_mask"],
        output_names=["logits"],
        dynamic_shapes={"input_ids": dims, "attention_mask": dims},
    )
    return program.model_proto


def strip(model: onnx.ModelProto) -> onnx.ModelProto:
    """Without what only people and debuggers read."""
    del model.metadata_props[:]
    del model.graph.metadata_props[:]
    del model.graph.value_info[:]
    for node in model.graph.node:
        node.doc_string = ""
        del node.metadata_props[:]
    return model


def with_initialisers_named(model: onnx.ModelProto, name: str) -> onnx.ModelProto:
    """Every tensor under a name that says nothing: what a program that optimises graphs may leave."""
    names = {tensor.name: f"{name}_{index}" for index, tensor in enumerate(model.graph.initializer)}
    for tensor in model.graph.initializer:
        tensor.name = names[tensor.name]
    for node in model.graph.node:
        node.name = ""
        node.input[:] = [names.get(value, value) for value in node.input]
    return model


def merged(model: onnx.ModelProto) -> onnx.ModelProto:
    """The decoder in two branches of one If, with past keys and values and without, as older optimum wrote it.

    Tensors stand around the node and are read by both branches. The branch without takes keys and values of length 0.
    """
    graph = model.graph
    branches = {}
    for branch in ("then", "else"):
        part = onnx.GraphProto(name=branch)
        own = {value for node in graph.node for value in node.output}
        if branch == "else":
            own |= {value.name for value in graph.input if value.name.startswith("past")}
        rename = {name: f"{branch}.{index}" for index, name in enumerate(sorted(own))}
        for value in graph.input:
            if value.name not in rename:
                continue
            batch, *rest = [dim.dim_value for dim in value.type.tensor_type.shape.dim]
            name = f"shape.{value.name}"
            part.node.append(onnx.helper.make_node("Shape", ["input_ids"], [f"{name}.ids"], start=0, end=1))
            sizes = onnx.helper.make_tensor(f"{name}.rest", onnx.TensorProto.INT64, [3], rest)
            part.initializer.append(sizes)
            part.node.append(onnx.helper.make_node("Concat", [f"{name}.ids", f"{name}.rest"], [name], axis=0))
            part.node.append(onnx.helper.make_node("ConstantOfShape", [name], [rename[value.name]]))
        for node in graph.node:
            copy = part.node.add()
            copy.CopyFrom(node)
            copy.input[:] = [rename.get(value, value) for value in node.input]
            copy.output[:] = [rename.get(value, value) for value in node.output]
            copy.name = node.name if node.op_type == "MatMul" else ""
        for value in graph.output:
            copy = part.output.add()
            copy.CopyFrom(value)
            copy.name = rename[value.name]
        branches[branch] = part
    del graph.node[:]
    names = [value.name for value in graph.output]
    node = onnx.helper.make_node("If", ["use_cache_branch"], names, then_branch=branches["then"], else_branch=branches["else"])
    graph.node.append(node)
    graph.input.append(onnx.helper.make_tensor_value_info("use_cache_branch", onnx.TensorProto.BOOL, [1]))
    onnx.checker.check_model(model)
    return model


def save(model: onnx.ModelProto, folder: str, path: str, external: bool = False) -> None:
    target = FIXTURES / "onnx" / folder / path
    shutil.rmtree(FIXTURES / "onnx" / folder, ignore_errors=True)
    target.parent.mkdir(parents=True)
    options = {"save_as_external_data": True, "location": f"{target.name}_data", "size_threshold": 256} if external else {}
    onnx.save(strip(model), target, **options)
    print(folder, sum(file.stat().st_size for file in target.parent.iterdir()))


CASES = {
    # folder: (model of fixtures/forward, what makes the graph, where it lies, whether tensors have a file of their own)
    "bloom-cache-external": ("plain-f32", lambda source: optimum(source, "text-generation-with-past"), "onnx/model.onnx", True),
    "qwen2-cache-f16": (
        "qwen2-tied-f16",
        lambda source: optimum(source, "text-generation-with-past", "fp16"),
        "onnx/model.onnx",
        False,
    ),
    "gpt2-no-cache": ("gpt2-f32", lambda source: optimum(source, "text-generation"), "decoder_model.onnx", False),
    "bloom-merged": (
        "twelve-heads-f16",
        lambda source: merged(optimum(source, "text-generation-with-past")),
        "onnx/decoder_model_merged.onnx",
        False,
    ),
    "llama-nameless-external": (
        "llama-grouped-f32",
        lambda source: with_initialisers_named(dynamo(source), "tensor"),
        "model.onnx",
        True,
    ),
}

for case in sys.argv[1:] or CASES:
    model, make, path, external = CASES[case]
    save(make(FIXTURES / "forward" / model), case, path, external)
