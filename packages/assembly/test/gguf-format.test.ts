import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { encodeLayers, unpackFiles } from "@mbs/artifacts";
import type { LayerRecord } from "@mbs/artifacts";
import { at, FailedPreconditionError, UsageError } from "@mbs/contracts";
import type { ArtifactStream, PlannedLayers } from "@mbs/contracts";
import { testContext } from "@mbs/contracts/testing";
import { quantisationTypeNamed, encodeValues } from "@mbs/gguf";
import { openGgufFile, openModel } from "@mbs/models";
import { writeTinyModel } from "@mbs/models/testing";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { assemble, formatSize, sizeReport } from "../src/index.ts";
import { plannedCodes } from "./fixtures/planned-codes.ts";
import { caseLayers, formatCases } from "./fixtures/quantised-model.ts";

/** Tiny models of every architecture, written by llama.cpp's converter. */
const fixtures = fileURLToPath(new URL("../../models/test/fixtures/gguf/models/", import.meta.url));
const root = await mkdtemp(join(tmpdir(), "gguf-test-"));
test.after(() => rm(root, { recursive: true }));
let count = 0;

interface Written {
  readonly folder: string;
  readonly warnings: readonly string[];
  readonly notes: readonly string[];
}

async function write(model: string, type: string, layers: readonly ArtifactStream[] = []): Promise<Written> {
  const [warnings, notes]: [string[], string[]] = [[], []];
  const context = testContext({ warn: (line) => warnings.push(line), note: (line) => notes.push(line) });
  const { files } = await assemble.run({ layers }, { model, format: "gguf", type }, context);
  if (files === undefined) throw new Error("assemble wrote no files");
  const folder = join(root, String(count++));
  await unpackFiles(files, folder);
  return { folder, warnings, notes };
}

/** Type and bytes of every tensor of a file, by name. */
async function tensorsOf(path: string): Promise<Map<string, { type: string; bytes: Buffer }>> {
  const file = await openGgufFile(path);
  try {
    return new Map(
      file.tensors.map((tensor) => {
        const bytes = Buffer.alloc(tensor.end - tensor.begin);
        file.readInto(tensor, 0, bytes);
        return [tensor.name, { type: tensor.type.name, bytes }];
      }),
    );
  } finally {
    file.close();
  }
}

const floatsOf = (bytes: Buffer): Float32Array => new Float32Array(Uint8Array.from(bytes).buffer);
const areClose = (one: Float32Array, other: Float32Array): boolean =>
  one.length === other.length && one.every((value, index) => Math.abs(value / at(other, index) - 1) < 1e-5);

for (const name of (await readdir(fixtures)).filter((name) => /^(?!t5).*\.gguf$/.test(name))) {
  test(`${name}: read and written again, it has the bytes that llama.cpp's converter wrote`, async () => {
    const expected = await tensorsOf(join(fixtures, name));
    const { folder } = await write(join(fixtures, name), expected.get("token_embd.weight")?.type ?? "F16");
    const found = await tensorsOf(join(folder, "model.gguf"));
    assert.equal([...found.keys()].sort(), [...expected.keys()].sort());
    for (const [tensor, { type, bytes }] of expected) {
      assert.is(found.get(tensor)?.type, type, tensor);
      const own = found.get(tensor)?.bytes ?? Buffer.alloc(0);
      // the converter computes these factors in float32, whose last bits differ; a checkpoint has logarithms of these rates
      if (tensor === "rope_freqs.weight" || tensor.endsWith(".ssm_a"))
        assert.ok(areClose(floatsOf(own), floatsOf(bytes)), tensor);
      else assert.ok(own.equals(bytes), `${tensor} has other bytes`);
    }
    assert.equal((await readdir(folder)).sort(), ["mbs.json", "model.gguf"]);
  });
}

test("a layer's values are rounded to the type of its tensor, rows in llama.cpp's order", async () => {
  const path = join(fixtures, "llama-q8.gguf");
  const model = await openModel(path);
  const { name, width, weights } = at(at(model.blocks, 0).sites, 0);
  const { tensor, rows } = at(weights, 0);
  // each row its own number, which every type holds exactly
  const values = Float32Array.from({ length: rows * width }, (_, index) => Math.floor(index / width) + 1);
  const layer: LayerRecord = {
    block: at(model.blocks, 0).name,
    site: name,
    tensor,
    summary: { solver: "rtn", error: 0.5, damage: 0.125, sparsity: 0 },
    values: { dtype: "f32", rows, columns: width, data: new Uint8Array(values.buffer) },
  };
  const layers = encodeLayers([layer], { model: model.address, solver: "rtn", options: {}, order: "natural", weights: {} });
  await model.close();
  const { folder, notes } = await write(path, "Q4_0", [layers]);
  const written = await openModel(join(folder, "model.gguf"));
  const found = await written.readWeight(tensor);
  await written.close();
  // 4 bits at half-precision scales: a row of one number k has d = -k / 8 exactly
  assert.equal(found, values);
  assert.is((await tensorsOf(join(folder, "model.gguf"))).get("blk.0.attn_q.weight")?.type, "Q4_0");
  assert.match(notes.join("\n"), /--type Q4_0: .*Q4_0 for .*attn_q of blocks 0.*bits a weight, without the header/);
});

const refusal = (call: Promise<unknown>) =>
  call.then(
    () => assert.unreachable(),
    (error: unknown) => error,
  );

/** A layer of the first weight in blocks of Q4_0. */
async function blockLayer(path: string, options: Readonly<Record<string, unknown>> = {}): Promise<() => ArtifactStream> {
  const model = await openModel(path);
  const { name, weights } = at(at(model.blocks, 0).sites, 0);
  const { tensor, rows } = at(weights, 0);
  const type = quantisationTypeNamed("Q4_0");
  const blocks = encodeValues(type, await model.readWeight(tensor));
  const layer: LayerRecord = {
    block: at(model.blocks, 0).name,
    site: name,
    tensor,
    summary: { solver: "rtn", error: 0.5, damage: 0.125, sparsity: 0, grid: "Q4_0" },
    blocks: { dtype: "u8", rows, columns: blocks.length / rows, data: blocks },
  };
  await model.close();
  return () => encodeLayers([layer], { model: model.address, solver: "rtn", options, order: "natural", weights: {} });
}

test("types that were allocated are said once, and no warning", async () => {
  const path = join(fixtures, "llama-q8.gguf");
  const { warnings, notes } = await write(path, "Q8_0", [(await blockLayer(path, { allocation: "damage" }))()]);
  assert.equal(warnings, []);
  assert.is(notes.length, 1);
  assert.match(at(notes, 0), /^allocated: Q8_0 for .*; Q4_0 for attn_q of blocks 0; F32 for vectors/);
});

test("a layer's own blocks are written as they are, whatever the type mix says", async () => {
  const path = join(fixtures, "llama-q8.gguf");
  const layers = (await blockLayer(path))();
  const rounded = await tensorsOf(join((await write(path, "Q4_0")).folder, "model.gguf"));
  const { folder, warnings } = await write(path, "Q8_0", [layers]);
  const found = await tensorsOf(join(folder, "model.gguf"));
  assert.is(found.get("blk.0.attn_q.weight")?.type, "Q4_0");
  assert.ok(found.get("blk.0.attn_q.weight")?.bytes.equals(rounded.get("blk.0.attn_q.weight")?.bytes ?? Buffer.alloc(0)));
  assert.is(found.get("blk.0.attn_k.weight")?.type, "Q8_0");
  assert.match(
    warnings.join("\n"),
    /layers hold blocks of other types, which are written as they are: Q4_0 for attn_q of blocks 0$/m,
  );
});

test("of codes that the file rounds again, card and sizes show the file's types", async () => {
  const path = fileURLToPath(new URL("../../../datasets/controlled-llama", import.meta.url));
  const model = await openModel(path);
  const layers = (): ArtifactStream => caseLayers(model, at(formatCases, 0));
  const { folder, warnings } = await write(path, "Q8_0", [layers()]);
  assert.match(warnings.join("\n"), /matrices have codes of other grids and are rounded again to these types/);
  const card = await readFile(join(folder, "README.md"), "utf8");
  assert.match(card, /^ {2}- "Q8_0"$/m);
  assert.not.match(card, /4-bit/);
  assert.match(card, "Its weights were rounded twice, to 4 bits and again to the types of the file: the error is that of both.");
  const report = await sizeReport(folder);
  assert.equal([report.roundedBefore, report.prunedOnly], ["4 bits", false]);
  assert.match(formatSize(report), /^weights were rounded twice, to 4 bits and again/m);
  // a plain type has no grid of its own
  const plain = await write(path, "F16", [layers()]);
  assert.is((await sizeReport(plain.folder)).roundedBefore, undefined);
  assert.not.match(await readFile(join(plain.folder, "README.md"), "utf8"), /-bit|rounded twice/);
  await model.close();
});

test("formats of groups alone refuse layers in blocks, before a run and after it; dense holds their values", async () => {
  const model = join(fixtures, "llama-q8.gguf");
  const encode = await blockLayer(model);
  const context = testContext();
  const write = async (format: string): Promise<void> => {
    const { files } = await assemble.run({ layers: [encode()] }, { model, format }, context);
    assert.ok(files);
    await unpackFiles(files, join(root, String(count++)));
  };
  for (const format of ["gptq", "gptq-v2", "compressed-tensors", "onnx"]) {
    const planned = await refusal(
      assemble.checkPlan?.({ model, format }, { solver: "gptq", codes: { kind: "blocks", type: "Q4_K" } }) ?? Promise.resolve(),
    );
    assert.instance(planned, FailedPreconditionError);
    assert.match(String(planned), `weights are rounded to Q4_K, which --format ${format} does not hold; assemble with`);
    assert.match(String(await refusal(write(format))), /layer model\.layers\.0\.\S+ is rounded to Q4_0/);
  }
  await assemble.checkPlan?.({ model, format: "dense" }, { solver: "gptq", codes: { kind: "blocks", type: "Q4_K" } });
  await write("dense");
});

test("a plan of codes is refused, since they would be rounded again, unless the file's types round nothing", async () => {
  const model = join(fixtures, "llama.gguf");
  const codes = plannedCodes({ bits: 3 });
  const blocks = { kind: "blocks", type: "Q4_K" } as const;
  const check = async (type: string, planned: Pick<PlannedLayers, "codes" | "embeddings">) =>
    assemble.checkPlan?.({ model, format: "gguf", type }, { solver: "gptq", ...planned });
  for (const [type, planned, message] of [
    [
      "Q4_K_M",
      { codes },
      /weights rounded to 3 bits .* types of Q4_K_M.*leave out bits and .* type: Q3_K_M }.*or take format gptq/,
    ],
    // larger types lose little, but gain nothing either
    ["Q8_0", { codes: plannedCodes({ bits: 8 }) }, /weights rounded to 8 bits .* types of Q8_0.*leave out bits/],
    ["Q2_K", { codes: blocks, embeddings: plannedCodes() }, /^embedding and head rounded to 4 bits .*embeddings: 4 and /],
  ] as const) {
    const refused = await refusal(check(type, planned));
    assert.instance(refused, FailedPreconditionError);
    assert.match((refused as Error).message, message);
  }
  for (const type of ["F32", "F16", "BF16"]) await check(type, { codes });
  // pruned weights have no codes
  await check("Q4_K_M", { codes: "none" });
  await check("Q4_K_M", { codes: blocks });
});

test("says which matrices take other types because of their rows", async () => {
  const { warnings } = await write(join(fixtures, "llama-q8.gguf"), "Q4_K_M");
  assert.match(
    warnings.join("\n"),
    /^(\d+) of \1 matrices have rows of [\d, ]+ columns, no whole blocks of Q4_K; as in llama.cpp they take Q5_0 in place of Q4_K, Q8_0 in place of Q6_K$/m,
  );
});

test("the file has the name that the model is given, else its folder's", async () => {
  const model = join(fixtures, "llama.gguf");
  for (const [options, name] of [
    [{}, "llama"],
    [{ name: "gemma-3-270m-Q4_K_M.gguf" }, "gemma-3-270m"],
    [{ name: "own" }, "own"],
    [{ name: "own", baseModel: "org/hub" }, "hub"],
  ] as const) {
    const { files } = await assemble.run({}, { model, format: "gguf", withoutLayers: true, ...options }, testContext());
    const folder = join(root, String(count++));
    assert.ok(files);
    await unpackFiles(files, folder);
    const file = await openGgufFile(join(folder, "model.gguf"));
    assert.is(file.metadata.get("general.name"), name);
    file.close();
  }
});

test("refuses an unknown type, and a model type that is not written, with those that are", async () => {
  const type = await refusal(write(join(fixtures, "llama.gguf"), "Q4_X"));
  assert.instance(type, UsageError);
  assert.match(String(type), /Q2_K, IQ3_XXS, IQ3_XS, .*Q3_K_S, Q3_K_M/);
  const options = { model: join(fixtures, "t5.gguf"), format: "gguf" };
  const planned = await refusal(assemble.checkPlan?.(options, { solver: "rtn", codes: "none" }) ?? Promise.resolve());
  assert.instance(planned, FailedPreconditionError);
  assert.match(String(planned), /encoder-decoder/);
});

test("a tokenizer that llama.cpp has no name for is refused before a run, not behind it", async () => {
  const model = join(root, String(count++));
  await writeTinyModel(model, { blocks: 1 });
  const planned = await refusal(
    assemble.checkPlan?.({ model, format: "gguf" }, { solver: "rtn", codes: "none" }) ?? Promise.resolve(),
  );
  assert.instance(planned, FailedPreconditionError);
  assert.match(String(planned), /tokenizer\.json splits texts in a way that llama\.cpp has no name for/);
});

test.run();
