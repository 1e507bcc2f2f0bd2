import { createHash } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { contentAddress } from "@mbs/artifacts";
import { at, FailedPreconditionError, UsageError } from "@mbs/contracts";
import type { PlannedLayers } from "@mbs/contracts";
import { openModel } from "@mbs/models";
import type { Model } from "@mbs/models";
import { writeTinyModel } from "@mbs/models/testing";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { assemble } from "../src/index.ts";
import { plannedCodes } from "./fixtures/planned-codes.ts";
import { caseLayers, formatCases, goldenTokens, quietContext, writeCase } from "./fixtures/quantised-model.ts";
import type { Rounding } from "./fixtures/quantised-model.ts";

interface Golden {
  readonly tokens: readonly number[];
  readonly cases: Readonly<
    Record<
      string,
      | {
          sha256: string;
          rows: number[];
          logits: number[][];
          nativeDifference: number;
          weightDifference: number;
          standardDeviation: number;
        }
      | undefined
    >
  >;
}

/** Made by tools/golden/formats with gptqmodel and compressed-tensors. */
const golden = JSON.parse(await readFile(new URL("fixtures/formats-golden.json", import.meta.url), "utf8")) as Golden;

const root = await mkdtemp(join(tmpdir(), "formats-test-"));
test.after(() => rm(root, { recursive: true }));

async function logitsOf(model: Model, tokens: Int32Array): Promise<Float32Array> {
  const forward = await model.forward({ threads: 1 });
  try {
    let states = await forward.embed(tokens);
    for (const index of model.blocks.keys()) states = await forward.block(index, states);
    return (await forward.logits(states)).values;
  } finally {
    await forward.close();
  }
}

for (const formatCase of formatCases) {
  test(`${formatCase.name}: the library's logits are ours, and reading back keeps the values`, async () => {
    const expected = golden.cases[formatCase.name];
    if (expected === undefined) return assert.unreachable("no golden numbers; make them with tools/golden/formats");
    const { packed, dense } = await writeCase(root, formatCase);
    const weights = await readFile(join(packed, "model.safetensors"));
    assert.is(createHash("sha256").update(weights).digest("hex"), expected.sha256, "the file that Python read");

    const [model, plain] = [await openModel(packed), await openModel(dense)];
    assert.equal(Int32Array.from(golden.tokens), goldenTokens);
    const logits = await logitsOf(model, goldenTokens);
    const vocabulary = model.vocabularySize;
    for (const [index, row] of expected.rows.entries()) {
      for (let token = 0; token < vocabulary; token++) {
        const difference = Math.abs(at(logits, row * vocabulary + token) - at(at(expected.logits, index), token));
        // float32 here and there, sums in another order: 10 products of at most 256 terms, √2560 · 2⁻²⁴ · 10 = 3e-5 as a rule
        assert.ok(difference < 1e-3, `row ${row} token ${token} differs by ${difference}`);
      }
    }
    // Numbers of the library alone, the same wherever this runs: what it computes in the model's dtype, against a dense model
    // of the same weights.
    assert.ok(expected.nativeDifference < 0.05 * expected.standardDeviation, String(expected.nativeDifference));

    // Scales are those of the file, so nothing is lost: neither here nor in the library, which computes in the same dtype.
    for (const tensor of packedTensors(model)) {
      assert.equal(await model.checkpoint.readF32(tensor), await plain.checkpoint.readF32(tensor), tensor);
    }
    assert.is(expected.weightDifference, 0, "largest difference of the library's weights to the dense folder's");
    await model.close();
    await plain.close();
  });
}

test("a source without its type's prefix gets it in GPTQ's names, which gptqmodel asks for", async () => {
  const { packed } = await writeCase(root, { ...at(formatCases, 0), name: "no-prefix", prefix: false });
  const weights = await readFile(join(packed, "model.safetensors"));
  assert.is(createHash("sha256").update(weights).digest("hex"), golden.cases["gptq-4"]?.sha256);
});

/** The weights that read a site. */
const packedTensors = (model: Model): string[] =>
  model.blocks.flatMap(({ sites }) => sites.flatMap(({ weights }) => weights.map(({ tensor }) => tensor)));

async function refusal(format: string, rounding: Rounding | undefined, hiddenSize = 64): Promise<string> {
  const folder = join(root, `refused-${hiddenSize}`);
  await writeTinyModel(folder, { seed: 5, hiddenSize });
  const model = await openModel(folder);
  try {
    const layers = [
      caseLayers(model, {
        name: "",
        format,
        rounding: (tensor) => (tensor.includes("h.0.") ? rounding : { bits: 4, symmetric: true }),
      }),
    ];
    const { files } = await assemble.run({ layers }, { model: folder, format }, quietContext);
    assert.ok(files);
    await contentAddress(files);
    return "";
  } catch (error) {
    assert.instance(error, FailedPreconditionError, String(error));
    return (error as Error).message;
  } finally {
    await model.close();
  }
}

test("what a format cannot hold is refused with the remedy", async () => {
  const name = "layer transformer.h.0.self_attention.query_key_value.weight: ";
  assert.is(
    await refusal("gptq", { bits: 5, groupSize: 32 }),
    `${name}GPTQ files hold 2, 3, 4 or 8 bits, not 5; compress with --bits 4 or 8, or assemble with --format dense or compressed-tensors`,
  );
  assert.match(
    await refusal("gptq", { pruned: true }),
    `${name}rtn makes no codes, and GPTQ holds nothing else; assemble with --format dense`,
  );
  assert.match(await refusal("gptq", { bits: 4, groupSize: 8 }), "GPTQ programs know groups of 16, 32");
  assert.match(
    await refusal("gptq", { bits: 4, symmetric: true }, 48),
    "[144, 48] is no multiple of 32 both ways; assemble with --format dense",
  );
  assert.match(
    await refusal("gptq", { bits: 4, groupSize: 32, zerosFrom: 0 }),
    "cannot hold the zero point 0, which asymmetric grids may have; assemble with --format gptq-v2, dense, compressed-tensors or onnx, or compress with --min-zero-point 1 or --symmetric",
  );
  assert.is(await refusal("gptq-v2", { bits: 4, groupSize: 32, zerosFrom: 0 }), "");
  assert.match(
    await refusal("compressed-tensors", { bits: 4, groupSize: 32, scattered: true }),
    "compressed-tensors no longer reads groups in activation order; assemble with --format gptq",
  );
  assert.match(
    await refusal("compressed-tensors", { pruned: true }),
    "makes no codes, and compressed-tensors holds nothing else",
  );
});

test("the same is refused before there are layers, as far as the solver says what it will make", async () => {
  const folder = join(root, "planned");
  await writeTinyModel(folder);
  const { checkPlan } = assemble;
  assert.ok(checkPlan);
  const check = (format: string, codes: PlannedLayers["codes"], model = folder): Promise<string> =>
    checkPlan({ model, format }, { solver: "mine", codes }).then(
      () => "",
      (error: Error) => error.message,
    );
  const codes = plannedCodes();
  for (const format of ["dense", "gptq", "gptq-v2", "compressed-tensors", "onnx"]) {
    assert.is(await check(format, codes), "", format);
    assert.is(await check(format, "unknown"), "", format);
  }
  const name = "layer transformer.h.0.self_attention.query_key_value.weight: ";
  assert.match(
    await check("gptq", "none"),
    `${name}mine makes no codes, and GPTQ holds nothing else; assemble with --format dense`,
  );
  for (const format of ["dense", "compressed-tensors", "onnx"]) assert.is(await check(format, "none"), "", format);
  assert.match(await check("gptq", plannedCodes({ bits: 5 })), `${name}GPTQ files hold 2, 3, 4 or 8 bits, not 5`);
  assert.match(await check("gptq-v2", plannedCodes({ groupSize: 8 })), "GPTQ programs know groups of 16, 32");
  assert.is(await check("gptq", plannedCodes({ groupSize: 0 }, true)), "");
  assert.match(
    await check("gptq", plannedCodes({ zeroPoints: "any" })),
    `${name}version 1 of GPTQ's files cannot hold the zero point 0`,
  );
  for (const zeroPoints of ["from-one", "middle"] as const) assert.is(await check("gptq", plannedCodes({ zeroPoints })), "");
  for (const format of ["dense", "gptq-v2", "compressed-tensors", "onnx"]) {
    assert.is(await check(format, plannedCodes({ zeroPoints: "any" })), "", format);
  }
  assert.match(await check("compressed-tensors", plannedCodes({}, true)), "no longer reads groups in activation order");
  assert.is(await check("compressed-tensors", plannedCodes({ groupSize: 0 }, true)), "");
  assert.match(await check("compressed-tensors", plannedCodes({ groupSize: 24 })), "columns are no multiple of 24");
  assert.match(
    await check("onnx", plannedCodes({ bits: 5 })),
    "5 bits cannot be written as ONNX, whose weights have 2, 3, 4 or 8",
  );
  assert.match(await check("onnx", plannedCodes({ groupSize: 24 })), "groups of 24 columns cannot be written as ONNX");
  const narrow = join(root, "narrow");
  await writeTinyModel(narrow, { hiddenSize: 48 });
  assert.match(await check("gptq", codes, narrow), "[144, 48] is no multiple of 32 both ways");
});

/** Zero points of the grids that a format likes best, or their kind where they are no groups. */
async function zeroPointsOf(options: object): Promise<unknown> {
  const [best] = (await assemble.holds?.({ ...options })) ?? [];
  return best?.kind === "groups" ? best.zeroPoints : best?.kind;
}

test("each format says which zero points its layers should have", async () => {
  const asked = ["dense", "gptq", "gptq-v2", "compressed-tensors", "onnx", "gguf"].map((format) => zeroPointsOf({ format }));
  assert.equal(await Promise.all(asked), ["any", "from-one", "any", "middle", "any", "blocks"]);
  assert.is(await zeroPointsOf({}), "any");
  assert.is(await zeroPointsOf({ format: "gguf", type: "F16" }), "any");
});

test("an option of another format is refused, and so is an unknown format", async () => {
  const folder = join(root, "options");
  await writeTinyModel(folder);
  for (const [options, message] of [
    [{ format: "ggml" }, "--format takes one of dense, compressed-tensors, gptq, gptq-v2, gguf, onnx"],
    [{ format: "gptq", threeBit: "planes" }, "assemble --format gptq: unknown option --three-bit"],
    [{ threeBit: "planes" }, "assemble --format dense: unknown option --three-bit"],
  ] as const) {
    try {
      await assemble.run({ layers: [] }, { model: folder, ...options }, quietContext);
      assert.unreachable(message);
    } catch (error) {
      assert.instance(error, UsageError, String(error));
      assert.ok((error as Error).message.startsWith(message), String(error));
    }
  }
});

test("a quantised model is not compressed again", async () => {
  const first = at(formatCases, 0);
  const { packed } = await writeCase(root, { ...first, name: "again" });
  const model = await openModel(packed);
  const layers = () => [caseLayers(model, first)];
  for (const format of ["dense", "gptq", "compressed-tensors"]) {
    try {
      const { files } = await assemble.run({ layers: layers() }, { model: packed, format }, quietContext);
      assert.ok(files);
      await contentAddress(files);
      assert.unreachable(format);
    } catch (error) {
      assert.match(String(error), "is quantised already; give the model it was made from");
    }
  }
  await model.close();
});

test.run();
