import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { unpackFiles } from "@mbs/artifacts";
import { FailedPreconditionError } from "@mbs/contracts";
import { openModel } from "@mbs/models";
import { writeTinyModel } from "@mbs/models/testing";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { assemble } from "../src/index.ts";
import { siteWeights } from "../src/layers/site-weights.ts";
import { denseLinears } from "../src/safetensors/module-names.ts";
import { plannedCodes } from "./fixtures/planned-codes.ts";
import { caseLayers, quietContext } from "./fixtures/quantised-model.ts";
import type { Rounding } from "./fixtures/quantised-model.ts";

const root = await mkdtemp(join(tmpdir(), "gptq-config-test-"));
test.after(() => rm(root, { recursive: true }));

const fixtures = fileURLToPath(new URL("../../models/test/fixtures/forward/", import.meta.url));
const source = join(root, "source");
await writeTinyModel(source, { hiddenSize: 64, blocks: 1 });

/** Writes a folder of GPTQ. @returns its config.json */
async function write(name: string, rounding: (tensor: string) => Rounding | undefined, from = source): Promise<string> {
  const model = await openModel(from);
  const layers = [caseLayers(model, { rounding })];
  const { files } = await assemble.run({ layers }, { model: from, format: "gptq", card: false }, quietContext);
  assert.ok(files);
  await unpackFiles(files, join(root, name), { force: false });
  await model.close();
  return join(root, name, "config.json");
}

const four: Rounding = { bits: 4, groupSize: 0, symmetric: true };

async function packedModules(config: string): Promise<unknown> {
  const { quantization_config: quantisation } = JSON.parse(await readFile(config, "utf8")) as {
    quantization_config: { modules_in_block_to_quantize?: unknown };
  };
  return quantisation.modules_in_block_to_quantize;
}

test("where layers stay dense, the packed ones are named to transformers, which reads no dynamic", async () => {
  const config = await write("partial", (tensor) => (tensor.includes("mlp") ? four : undefined));
  const module = "transformer.h.0.mlp.dense";
  assert.equal(await packedModules(config), [[`${module}_h_to_4h`, `${module}_4h_to_h`]]);
  assert.is(await packedModules(await write("whole", () => four)), undefined);
});

test("routers and the gate of a shared expert, which no solver changes, count as dense", async () => {
  const model = await openModel(join(fixtures, "qwen2-moe-f32"));
  assert.is(model.kind, "architecture");
  if (model.kind !== "architecture") return;
  const dense = denseLinears(model, new Set(siteWeights(model).map(({ tensor }) => tensor)));
  await model.close();
  const gates = [0, 1].flatMap((layer) => ["gate", "shared_expert_gate"].map((gate) => `model.layers.${layer}.mlp.${gate}`));
  assert.equal([...dense].sort(), ["lm_head", ...gates]);
});

for (const [fixture, name] of [
  ["mixtral-f32", "Mixtral"],
  ["qwen3-5-moe-f32", "Qwen 3.5"],
  ["qwen3-5-moe-images-f32", "Qwen 3.5"],
] as const) {
  test(`experts of ${fixture}, which no program finds in GPTQ's files, are refused at planning and at writing`, async () => {
    const model = join(fixtures, fixture);
    const said = `gptqmodel and transformers do not find the experts of ${name} in GPTQ's files`;
    const codes = plannedCodes();
    assert.ok(assemble.checkPlan);
    await assemble.checkPlan({ model, format: "gptq" }, { solver: "gptq", codes }).then(
      () => assert.unreachable("a plan of packed experts"),
      (error: Error) => assert.match(error.message, said),
    );
    await write(`experts of ${fixture}`, () => four, model).then(
      () => assert.unreachable("packed experts"),
      (error: Error) => assert.match(error.message, said),
    );
  });
}

test("files in another order of packing are refused by name", async () => {
  const path = await write("edited", () => four);
  const text = await readFile(path, "utf8");
  for (const [from, to, said] of [
    ['"checkpoint_format": "gptq"', '"checkpoint_format": "marlin"', "checkpoint_format"],
    ['"checkpoint_format": "gptq"', '"format": "gptq_p"', "format"],
    ['"pack_dtype": "int32"', '"pack_dtype": "int16"', "pack_dtype"],
  ] as const) {
    assert.ok(text.includes(from), from);
    await writeFile(path, text.replace(from, to));
    await openModel(join(root, "edited")).then(
      () => assert.unreachable(to),
      (error: Error) => {
        assert.instance(error, FailedPreconditionError);
        assert.match(error.message, `quantization_config.${said} "`);
      },
    );
  }
});

test.run();
