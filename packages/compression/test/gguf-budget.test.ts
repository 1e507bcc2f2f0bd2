import { statSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { quantisationTypeNamed, bytesIn } from "@mbs/gguf";
import { openModel, planGguf } from "@mbs/models";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { ggufBytesBeside, unitsOf } from "../src/allocation/bits/bit-methods.ts";
import { withTinyModel } from "./tiny-site.ts";

/** Written by llama.cpp's converter, all matrices in Q8_0. */
const path = fileURLToPath(new URL("../../models/test/fixtures/gguf/models/llama-q8.gguf", import.meta.url));

test("blocks and what is beside them are the size of the file, but for a little that is held in reserve", async () => {
  const model = await openModel(path);
  try {
    const weights = model.blocks.flatMap(({ sites }) =>
      sites.flatMap(({ width, weights: own }) => own.map(({ tensor, rows }) => ({ tensor, shape: [rows, width] }))),
    );
    const blocks = weights.reduce((sum, { shape }) => sum + bytesIn(quantisationTypeNamed("Q8_0"), shape), 0);
    const beside = await ggufBytesBeside(model, "Q8_0", new Set(weights.map(({ tensor }) => tensor)));
    const excess = beside + blocks - statSync(path).size;
    // 512 bytes for the model's name and licence, and the padding behind each tensor
    assert.ok(excess >= 0 && excess <= 512 + 32 * weights.length, String(excess));
  } finally {
    await model.close();
  }
});

test("a model that is not written as GGUF has no such size", async () => {
  await withTinyModel({ blocks: 1 }, async (model) => {
    const error = await ggufBytesBeside(model, "Q8_0", new Set()).then(
      () => undefined,
      (caught: unknown) => caught,
    );
    assert.match((error as Error).message, /tokenizer\.json splits texts in a way that llama\.cpp has no name for/);
  });
});

const names = (sets: readonly (readonly string[])[]): string[] => sets.map((set) => [...set].sort().join()).sort();

for (const name of ["gemma4-experts", "qwen3moe", "llama-q8"]) {
  test(`${name}: with types, tensors that one of the file holds are chosen for together`, async () => {
    const model = await openModel(fileURLToPath(new URL(`../../models/test/fixtures/gguf/models/${name}.gguf`, import.meta.url)));
    try {
      if (model.kind !== "architecture") throw new Error("an ONNX graph");
      const tensors = model.blocks.flatMap(({ name: block, sites }) =>
        sites.flatMap(({ name: site, width: columns, weights }) =>
          weights.map(({ tensor, rows }) => ({ block, site, tensor, rows, columns, choices: [] })),
        ),
      );
      const units = async (types?: string[]): Promise<string[]> => {
        const found = await unitsOf(model, model.blocks, tensors, { unit: "tensor", types });
        return names(found.map((unit) => unit.map(({ tensor }) => tensor)));
      };
      const chosen = new Set(tensors.map(({ tensor }) => tensor));
      const { tensors: inFile } = await planGguf(model, new Map());
      const held = inFile.map(({ sources }) => sources).filter(([source = ""]) => chosen.has(source));
      assert.equal(await units(["Q4_0"]), names(held));
      assert.is((await units()).length, tensors.length, "with bits each tensor is chosen for by itself");
    } finally {
      await model.close();
    }
  });
}

test.run();
