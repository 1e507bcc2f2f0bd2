import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { unpackFiles } from "@mbs/artifacts";
import { at } from "@mbs/contracts";
import type { PlannedLayers } from "@mbs/contracts";
import { writeTinyModel } from "@mbs/models/testing";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { assemble } from "../src/index.ts";
import { plannedCodes } from "./fixtures/planned-codes.ts";
import { formatCases, quietContext, writeCase } from "./fixtures/quantised-model.ts";

/** A tiny model as llama.cpp's converter writes it, in Q8_0. */
const quantised = fileURLToPath(new URL("../../models/test/fixtures/gguf/models/llama-q8.gguf", import.meta.url));
const root = await mkdtemp(join(tmpdir(), "planned-size-test-"));
test.after(() => rm(root, { recursive: true }));

const planned = (options: object, codes: PlannedLayers["codes"]) =>
  assemble.plannedSize?.(options, { solver: "gptq", codes }) ?? Promise.resolve(undefined);

const fourBits = plannedCodes();

/** Names, dtypes and places of the tensors of a tiny model, as JSON. */
const mostHeader = 8_000;

test("what is planned is what is written, but for the header", async () => {
  for (const [index, name] of [
    [0, "gptq-4"],
    [10, "packed-4"],
  ] as const) {
    const formatCase = at(formatCases, index);
    assert.is(formatCase.name, name);
    const { packed, source } = await writeCase(root, formatCase);
    const size = await planned({ model: source, format: formatCase.format }, fourBits);
    const { size: written } = await stat(join(packed, "model.safetensors"));
    assert.is(size?.sourceBytes, (await stat(join(source, "model.safetensors"))).size);
    assert.ok(Math.abs((size?.bytes ?? NaN) - written) < mostHeader, `${name}: ${size?.bytes} ${written}`);
  }
});

test("the bytes of a GGUF file, and types that rows do not fit, are known before it is written", async () => {
  for (const type of ["Q8_0", "Q4_K_M", "F16"]) {
    const options = { model: quantised, format: "gguf", type };
    const size = await planned(options, type === "F16" ? fourBits : { kind: "blocks", type: type === "Q8_0" ? "Q8_0" : "Q4_K" });
    const { files } = await assemble.run({}, { ...options, withoutLayers: true }, quietContext);
    assert.ok(files);
    await unpackFiles(files, join(root, type));
    const { size: written } = await stat(join(root, type, "model.gguf"));
    assert.is(
      size?.fallbacks?.startsWith("9 of 9 matrices have rows of 32 columns, no whole blocks of Q4_K;") ?? false,
      type === "Q4_K_M",
    );
    // name and licence, which are added to the header
    assert.ok(Math.abs((size?.bytes ?? NaN) - written) < 200, `${type}: ${size?.bytes} ${written}`);
  }
});

test("a result that is not smaller than its source is said with the reason and the remedy", async () => {
  const model = join(root, "f32");
  await writeTinyModel(model, { dtype: "f32", hiddenSize: 64 });
  for (const [options, codes, expected] of [
    [
      { model: quantised, format: "gguf", type: "Q8_0" },
      { kind: "blocks", type: "Q8_0" },
      /\(about .* as large\): .* quantised already, .* bits a weight; take format gguf with a type of fewer bits, or the 16-bit original/,
    ],
    [
      { model: quantised, format: "dense" },
      { kind: "blocks", type: "Q8_0" },
      /times larger\): format dense stores rounded weights as they were; gptq, /,
    ],
    [{ model }, "none", /as large\): pruned weights are stored as zeros in every format; quantise as well/],
    [{ model, format: "gptq" }, fourBits, undefined],
    [{ model, format: "dense", dtype: "f16" }, "none", undefined],
  ] as const) {
    const size = await planned(options, codes);
    if (expected === undefined) assert.is(size?.notSmaller, undefined);
    else assert.match(size?.notSmaller ?? "", expected);
  }
});

test.run();
