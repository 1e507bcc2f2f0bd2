import {
  collect,
  encodeLayers,
  keepLayer,
  layerShape,
  layerValues,
  readLayer,
  readLayers,
  rowRanges,
  ScratchFile,
  type LayerRecord,
  type LayersMetadata,
} from "@mbs/artifacts";
import { at, InternalError } from "@mbs/contracts";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { blockValues, errorOf, layers, partOf, samples } from "./samples.ts";

const blocked = at(layers, 3);

/** Column c of the tensor is at place c - 1 of the blocks. */
const turned: LayerRecord = {
  ...blocked,
  blockColumns: {
    dtype: "i32",
    rows: 1,
    columns: 32,
    data: new Uint8Array(Int32Array.from({ length: 32 }, (_, place) => (place + 1) % 32).buffer),
  },
};

const turnedValues = Float32Array.from({ length: 64 }, (_, index) => 2 * ((((index % 32) + 31) % 32) % 3));

const read = (records: readonly LayerRecord[]): Promise<LayerRecord[]> =>
  collect(readLayers(encodeLayers(records, samples.layers.metadata as LayersMetadata)));

test("a layer in blocks is stored without values, and says what its blocks decode to", async () => {
  const found = await read([blocked, turned]);
  assert.equal(found, [blocked, turned]);
  for (const [index, values] of [blockValues, turnedValues].entries()) {
    const layer = at(found, index);
    assert.is(layer.values, undefined);
    assert.equal(layerShape(layer), { dtype: "f32", rows: 2, columns: 32 });
    assert.equal(layerValues(layer), values);
  }
});

test("a layer with values says these, in float32", async () => {
  const [layer] = (await read([at(layers, 2)])) as [LayerRecord];
  assert.equal(layerShape(layer), { dtype: "f32", rows: 1, columns: 2 });
  assert.equal(layerValues(layer), Float32Array.of(1.5, -2));
  const large = at(layers, 1);
  assert.equal(layerShape(large), { dtype: "bf16", rows: 2100, columns: 1000 });
});

test("some rows of a layer come from a scratch file as they are in the whole", () => {
  const scratch = new ScratchFile();
  const large = at(layers, 1);
  for (const layer of [blocked, turned, large]) {
    const kept = keepLayer(scratch, layer);
    assert.equal(layerShape(kept), layerShape(layer));
    const [whole, { rows, columns }] = [layerValues(layer), layerShape(layer)];
    assert.equal(layerValues(readLayer(scratch, kept)), whole);
    assert.equal(layerValues(readLayer(scratch, kept, rows - 1, rows)), whole.subarray((rows - 1) * columns));
  }
  scratch.close();
});

test("ranges of rows cover a matrix, about a million values at a time", () => {
  assert.equal([...rowRanges({ rows: 2, columns: 3 })], [[0, 2]]);
  assert.equal(
    [...rowRanges({ rows: 5, columns: 1 << 19 })],
    [
      [0, 2],
      [2, 4],
      [4, 5],
    ],
  );
  assert.equal(
    [...rowRanges({ rows: 2, columns: 1 << 21 })],
    [
      [0, 1],
      [1, 2],
    ],
  );
});

test("a layer with neither, or of a type that is not decoded, is a mistake of its maker", async () => {
  const { values: _, blocks: __, ...neither } = blocked;
  const plain = { ...blocked, summary: { ...blocked.summary, grid: "F16" }, blocks: partOf(blocked, "blocks") };
  for (const layer of [neither, plain]) assert.instance(await errorOf(async () => layerValues(layer)), InternalError);
});

test.run();
