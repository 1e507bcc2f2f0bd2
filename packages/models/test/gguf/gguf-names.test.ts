import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { loadArchitecture, supportedTypes } from "../../src/architectures/architectures.ts";
import { headDim } from "../../src/architectures/families/gated.gguf.ts";
import { findGgufForm, ggufTensorName, llamaCppTypes } from "../../src/index.ts";

const fixture = fileURLToPath(new URL("../fixtures/gguf-names.golden.json", import.meta.url));

/** Model type → tensor → what llama.cpp's converter calls it. */
const golden = JSON.parse(await readFile(fixture, "utf8")) as Readonly<Record<string, Readonly<Record<string, string>>>>;

const prefixes = ["model.", "transformer.", "gpt_neox.", "model.language_model.", "language_model.model.", "language_model."];

async function namesOf(type: string): Promise<ReadonlyMap<string, string>> {
  const gguf = await findGgufForm(type);
  if (gguf === undefined) throw new Error(`no names of ${type}`);
  return gguf.form.tensors;
}

test("tensors have the names of llama.cpp's converter", async () => {
  assert.equal(llamaCppTypes, Object.keys(golden));
  for (const [type, tensors] of Object.entries(golden)) {
    const names = await namesOf(type);
    const made = Object.keys(tensors).map((tensor) => [tensor, ggufTensorName(names, tensor, prefixes)?.name]);
    assert.equal(Object.fromEntries(made), tensors, type);
  }
});

test("the size of a head is read from files of each type whose class has one of its own", async () => {
  const own: string[] = [];
  for (const type of llamaCppTypes.filter((name) => supportedTypes.includes(name))) {
    const { keys } = await loadArchitecture(type, "config.json");
    if (typeof keys["head_dim"]?.fallback !== "number") continue;
    own.push(type);
    const gguf = await findGgufForm(type);
    // Gemma 4's heads are of two sizes, which it reads itself
    if (type !== "gemma4_text") assert.ok(gguf?.form.fields.includes(headDim), type);
  }
  assert.ok(own.length > 5, own.join());
});

test("all types have names, but for umT5, those that llama.cpp does not have, and those that wrap a language model", () => {
  assert.equal(
    supportedTypes.filter((type) => !llamaCppTypes.includes(type)),
    ["gemma3", "gemma4", "m2m_100", "mbart", "mistral3", "qwen3_5", "qwen3_5_moe", "qwen3_vl", "umt5", "xglm"],
  );
});

test("an expert's matrix has its number, other tensors have none", async () => {
  const names = await namesOf("qwen2_moe");
  assert.equal(ggufTensorName(names, "model.layers.12.mlp.experts.59.down_proj.weight", ["model."]), {
    name: "blk.12.ffn_down_exps.weight",
    expert: 59,
    place: 59,
  });
  assert.equal(ggufTensorName(names, "layers.0.mlp.shared_expert.up_proj.weight", []), {
    name: "blk.0.ffn_up_shexp.weight",
    place: 0,
  });
  assert.is(ggufTensorName(names, "layers.0.self_attn.rotary_emb.inv_freq", []), undefined);
  assert.is(ggufTensorName(names, "other.layers.0.mlp.gate.weight", ["model."]), undefined);
});

test.run();
