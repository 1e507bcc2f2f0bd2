import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { unpackFiles } from "@mbs/artifacts";
import { at, FailedPreconditionError } from "@mbs/contracts";
import { openModel, runBlocks } from "@mbs/models";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { assemble } from "../src/index.ts";
import { plannedCodes } from "./fixtures/planned-codes.ts";
import { caseLayers, quietContext } from "./fixtures/quantised-model.ts";

/* Of gpt-oss and Gemma 4, whose experts programs know in one tensor alone. */

const fixture = (name: string): string => fileURLToPath(new URL(`../../models/test/fixtures/forward/${name}`, import.meta.url));
const root = await mkdtemp(join(tmpdir(), "joined-experts-test-"));
test.after(() => rm(root, { recursive: true }));

const fixtures = [
  {
    name: "gpt-oss-windows-f32",
    type: "gpt_oss",
    experts: "model.layers.0.mlp.experts",
    // of [experts, 16, 2 · 24] the second expert's columns at odd places
    isOfLayer: (index: number) => Math.floor(index / (16 * 48)) === 1 && index % 2 === 1,
  },
  {
    name: "gemma4-experts-f32",
    type: "gemma4_text",
    experts: "model.layers.0.experts",
    // of [experts, 2 · 12, 16] the last rows of the second expert
    isOfLayer: (index: number) => Math.floor(index / (12 * 16)) === 3,
  },
] as const;

async function write(source: string, folder: string, changed: string, options: object): Promise<void> {
  const model = await openModel(source);
  const layers = caseLayers(model, {
    scales: "f16",
    rounding: (tensor) => (tensor === changed ? { bits: 4, symmetric: true, groupSize: 16 } : undefined),
  });
  const { files } = await assemble.run({ layers: [layers] }, { model: source, card: false, ...options }, quietContext);
  assert.ok(files);
  await unpackFiles(files, folder, { force: true });
  await model.close();
}

interface Stored {
  readonly dtype: string;
  readonly shape: number[];
  readonly bytes: Uint8Array;
}

interface HeaderEntry {
  readonly dtype: string;
  readonly shape: number[];
  readonly data_offsets: readonly [number, number];
}

async function storedIn(folder: string): Promise<Map<string, Stored>> {
  const file = await readFile(join(folder, "model.safetensors"));
  const length = Number(file.readBigUInt64LE());
  const { __metadata__: _, ...header } = JSON.parse(file.subarray(8, 8 + length).toString()) as Record<string, HeaderEntry>;
  return new Map(
    Object.entries(header).map(
      ([
        name,
        {
          dtype,
          shape,
          data_offsets: [begin, end],
        },
      ]) => [name, { dtype, shape, bytes: file.subarray(8 + length + begin, 8 + length + end) }],
    ),
  );
}

async function statesOf(folder: string): Promise<Float32Array> {
  const model = await openModel(folder);
  const forward = await model.forward({ threads: 1 });
  const tokens = Int32Array.from({ length: 20 }, (_, index) => 4 + ((index * 11) % 50));
  const { values } = await runBlocks(model, forward, new Map([["hidden", tokens]]));
  await forward.close();
  await model.close();
  return values;
}

for (const { name: of, experts, isOfLayer } of fixtures) {
  test(`${of}: a dense folder has the tensors of its source, and differs in the values of the layers alone`, async () => {
    const [source, folder] = [fixture(of), join(root, of)];
    await write(source, folder, `${experts}.1.up_proj.weight`, { format: "dense" });
    const [before, after] = [await storedIn(source), await storedIn(folder)];
    assert.equal([...after.keys()], [...before.keys()]);
    const joined = `${experts}.gate_up_proj`;
    for (const [name, { dtype, shape, bytes }] of before) {
      const written = after.get(name);
      assert.equal([written?.dtype, written?.shape], [dtype, shape], name);
      if (name !== joined) assert.is(Buffer.compare(written?.bytes ?? new Uint8Array(0), bytes), 0, name);
    }
    const values = (stored: Map<string, Stored>): Float32Array =>
      new Float32Array(Uint8Array.from(stored.get(joined)?.bytes ?? []).buffer);
    const [old, found] = [values(before), values(after)];
    for (const [index, value] of old.entries()) if (!isOfLayer(index)) assert.is(at(found, index), value, `value ${index}`);
    assert.ok(old.some((value, index) => value !== at(found, index)));
  });
}

test("the experts of a folder of MXFP4 are written in the model's dtype, and the folder opens as the source does", async () => {
  const [source, folder] = [fixture("gpt-oss-mxfp4-bf16"), join(root, "mxfp4")];
  const changedTensor = "model.layers.0.mlp.experts.1.up_proj.weight";
  await write(source, folder, changedTensor, { format: "dense" });
  const config = JSON.parse(await readFile(join(folder, "config.json"), "utf8")) as Record<string, unknown>;
  assert.is(config["quantization_config"], undefined);
  assert.is(config["dtype"], "bfloat16");
  const stored = await storedIn(folder);
  assert.equal(stored.get("model.layers.1.mlp.experts.gate_up_proj")?.shape, [3, 32, 128]);
  assert.equal(stored.get("model.layers.1.mlp.experts.down_proj")?.shape, [3, 64, 32]);
  assert.ok([...stored].every(([name, { dtype }]) => dtype === "BF16" && !/_(blocks|scales)$/.test(name)));
  const model = await openModel(source);
  const written = await openModel(folder);
  for (const { name } of model.checkpoint.list()) {
    if (name === changedTensor) continue;
    assert.equal(await written.checkpoint.readF32(name), await model.checkpoint.readF32(name), name);
  }
  await written.close();
  await model.close();
  assert.not.equal(await statesOf(folder), await statesOf(source));
});

for (const { name, type, experts } of fixtures) {
  for (const format of ["gptq", "gptq-v2", "compressed-tensors"]) {
    test(`${name} in ${format}, whose programs do not find the experts, is refused at planning and at writing`, async () => {
      const source = fixture(name);
      const said = new RegExp(`do not find packed experts of model type ${type}.*assemble with --format gguf or dense$`);
      const refused = (promise: Promise<unknown>): Promise<void> =>
        promise.then(
          () => assert.unreachable(format),
          (error: unknown) => {
            assert.instance(error, FailedPreconditionError);
            assert.match((error as Error).message, said);
          },
        );
      const codes = plannedCodes({ groupSize: 16 });
      assert.ok(assemble.checkPlan);
      await refused(assemble.checkPlan({ model: source, format }, { solver: "gptq", codes }));
      await refused(write(source, join(root, format), `${experts}.1.up_proj.weight`, { format }));
    });
  }
}

test.run();
