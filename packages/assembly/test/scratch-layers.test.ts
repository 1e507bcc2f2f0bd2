import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { embeddingsBlock, encodeLayers, headSite, layerValues } from "@mbs/artifacts";
import type { LayerRecord } from "@mbs/artifacts";
import { encodeValues, quantisationTypeNamed } from "@mbs/gguf";
import { openModel } from "@mbs/models";
import { writeTinyModel } from "@mbs/models/testing";
import { encodeWeights } from "@mbs/numbers";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { scratchLayersOf } from "../src/layers/scratch-layers.ts";
import { writtenPieces } from "../src/layers/written-pieces.ts";

const root = await mkdtemp(join(tmpdir(), "scratch-layers-test-"));
test.after(() => rm(root, { recursive: true }));

const tensor = "transformer.word_embeddings.weight";

/** More than a million values, which no piece has. */
const [rows, columns] = [40_000, 32] as const;
await writeTinyModel(root, { dtype: "f16", vocabularySize: rows, hiddenSize: columns, blocks: 1 });
const model = await openModel(root);
test.after(() => model.close());
const stored = await model.checkpoint.readF32(tensor);

const layer = (part: Pick<LayerRecord, "values" | "blocks">, grid?: string): LayerRecord => ({
  block: embeddingsBlock,
  site: headSite,
  tensor,
  summary: { solver: "rtn", error: 0, damage: 0, sparsity: 0, ...(grid !== undefined && { grid }) },
  ...part,
});

const kept = (record: LayerRecord) => {
  const metadata = { model: model.address, solver: "rtn", options: {}, order: "natural", weights: {} };
  return scratchLayersOf([encodeLayers([record], metadata)], model, []);
};

const q8 = encodeValues(quantisationTypeNamed("Q8_0"), stored);
const inBlocks = layer({ blocks: { dtype: "u8", rows, columns: 34, data: q8 } }, "Q8_0");

test("a large layer is written in pieces, in the checkpoint's dtype, from its values as from its blocks", async () => {
  const halves = encodeWeights(
    "f16",
    stored.map((value) => value / 3),
  );
  const cases = [
    [layer({ values: { dtype: "f16", rows, columns, data: halves } }), halves],
    [inBlocks, encodeWeights("f16", layerValues(inBlocks))],
  ] as const;
  for (const [record, expected] of cases) {
    const layers = await kept(record);
    const pieces = [...(layers.pieces(tensor) ?? [])];
    assert.ok(pieces.length > 1);
    assert.ok(Buffer.concat(pieces).equals(expected));
    const floats: Uint8Array[] = [];
    for await (const piece of writtenPieces(model, layers, model.checkpoint.info(tensor), "f32")) floats.push(piece);
    assert.is(Buffer.concat(floats).length, 2 * expected.length);
    assert.is(layers.pieces("transformer.h.0.mlp.dense_h_to_4h.weight"), undefined);
    layers.close();
  }
});

test("blocks are kept without being asked for, and some rows of them are read", async () => {
  const layers = await kept(inBlocks);
  assert.equal(layers.shapes.get(tensor), { rows, columns });
  assert.ok(layers.has(tensor, "blocks"));
  assert.not(layers.has(tensor, "blockColumns"));
  assert.equal(layers.readPart(tensor, "blocks", [7, 9]), {
    dtype: "u8",
    rows: 2,
    columns: 34,
    data: q8.slice(7 * 34, 9 * 34),
  });
  assert.is(layers.readPart(tensor, "blocks")?.data.length, q8.length);
  layers.close();
});

test.run();
