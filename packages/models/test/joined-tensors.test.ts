import { test } from "uvu";
import * as assert from "uvu/assert";
import { at } from "@mbs/contracts";
import type { TensorFile } from "../src/checkpoint/checkpoint.ts";
import { createCheckpoint } from "../src/checkpoint/checkpoint.ts";
import type { JsonObject } from "../src/folder/json-file.ts";
import { readBase, weightFile } from "./config-sweep/bases.ts";
import { perplexityOf, readCase } from "./config-sweep/sweep.ts";

async function refusal(file: TensorFile, config: JsonObject): Promise<string> {
  const read = await readCase(file, config);
  if (typeof read !== "string") throw new Error("the configuration was read");
  return read;
}

for (const name of ["mixtral-fused", "qwen2_moe-fused"]) {
  test(`${name}: experts stored in one tensor are read as separate tensors, and compute the same`, async () => {
    const base = await readBase(name);
    const file = await weightFile(base);
    const read = await readCase(file, base.config);
    if (typeof read === "string") throw new Error(read);
    const { checkpoint, layout } = read;
    const names = checkpoint.list().map((info) => info.name);
    assert.not(names.some((tensor) => tensor.includes("gate_up_proj")));
    assert.ok(layout.blocks[0]?.sites.some((site) => site.name === "expert-2-down"));
    // the parts one after the other are the whole, however they are read
    const whole = createCheckpoint([file], { allowNonfinite: false });
    const joined = await whole.readF32("model.layers.1.mlp.experts.gate_up_proj");
    const expert = layout.blocks[1]?.sites.find((site) => site.name === "expert-1-up")?.weights ?? [];
    const [first, second] = [at(expert, 0).tensor, at(expert, 1).tensor];
    const [gate, up] = [await checkpoint.readF32(first), await checkpoint.readF32(second)];
    const size = gate.length;
    assert.equal(gate, joined.slice(2 * size, 3 * size));
    assert.equal(up, joined.slice(3 * size, 4 * size));
    const columns = layout.hiddenSize;
    assert.equal(await checkpoint.readRowsF32(second, [1]), up.slice(columns, 2 * columns));

    // a file in the older form, of the same values, is the same model
    const tensors: { name: string; storedDtype: string; shape: readonly number[]; begin: number; end: number }[] = [];
    const contents: Uint8Array[] = [];
    let begin = 0;
    for (const info of checkpoint.list()) {
      const bytes = await checkpoint.readRaw(info.name);
      tensors.push({ name: info.name, storedDtype: "F32", shape: info.shape, begin, end: begin + bytes.length });
      contents.push(bytes);
      begin += bytes.length;
    }
    const data = Buffer.concat(contents);
    const older: TensorFile = {
      ...file,
      tensors,
      readInto: (entry, offset, target) => target.set(data.subarray(entry.begin + offset, entry.begin + offset + target.length)),
    };
    const again = await readCase(older, base.config);
    if (typeof again === "string") throw new Error(again);
    assert.is(await perplexityOf(again, base), await perplexityOf(read, base));
  });
}

test("experts of another number or size, and experts in both forms, are refused in one line", async () => {
  const base = await readBase("mixtral-fused");
  const file = await weightFile(base);
  assert.match(
    await refusal(file, { ...base.config, num_local_experts: 4 }),
    /tensor model\.layers\.0\.mlp\.\S+ has shape \[3, .*\] where the configuration asks for \d+ tensors in it/,
  );
  const first = at(file.tensors, 0);
  const part = { ...first, name: "model.layers.0.block_sparse_moe.experts.0.w1.weight", shape: [24, 16] };
  const both = { ...file, tensors: [...file.tensors, part] };
  assert.match(
    await refusal(both, base.config),
    /and its part model\.layers\.0\.block_sparse_moe\.experts\.0\.w1\.weight are both stored/,
  );
});

test("a size that config.json leaves out is named where the tensors do not fit its default", async () => {
  const base = await readBase("qwen3");
  const { head_dim: _, ...config } = base.config;
  const message = await refusal(await weightFile(base), config);
  assert.match(message, /q_proj\.weight has shape \[32, 16\] where config\.json asks for \[512, 16\]/);
  assert.match(message, /config\.json leaves out head_dim \(128\), so the default is used/);
  assert.ok(message.length < 600, message);
});

test.run();
