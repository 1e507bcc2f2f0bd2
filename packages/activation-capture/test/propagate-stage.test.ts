import { contentAddress, encodeLayers, parseMetadata } from "@mbs/artifacts";
import type { LayerRecord, TensorData } from "@mbs/artifacts";
import { at, BadDataError, UsageError } from "@mbs/contracts";
import type { ArtifactStream } from "@mbs/contracts";
import { encodeValues, quantisationTypeNamed } from "@mbs/gguf";
import type { Model } from "@mbs/models";
import { decodeHalf, encodeHalf } from "@mbs/numbers";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { collectStates, keep, makeSegments, rounding, runCapture, runPropagate, segmentStream, withModel } from "./stage-run.ts";
import { relativeDifference } from "../../../tools/test/relative-difference.ts";

type ValuesLayer = LayerRecord & { readonly values: TensorData };

/** A layer that halves a weight, rounded to the model's f16. */
async function halve(model: Model, index: number, site: number): Promise<ValuesLayer> {
  const { name, width, weights } = at(at(model.blocks, index).sites, site);
  const { tensor, rows } = at(weights, 0);
  const bits = encodeHalf((await model.checkpoint.readF32(tensor)).map((value) => value / 2.0001));
  return {
    block: at(model.blocks, index).name,
    site: name,
    tensor,
    summary: { solver: "rtn", error: 1, damage: 0.25, sparsity: 0 },
    values: { dtype: "f16", rows, columns: width, data: new Uint8Array(bits.buffer) },
  };
}

const layerStream = (layers: LayerRecord[], model: string): Promise<ArtifactStream> =>
  keep(encodeLayers(layers, { model, solver: "rtn", options: {}, order: "natural", weights: { en: 1 } }));

const weightsOf = ({ tensor, values }: ValuesLayer): [string, Float32Array] => [
  tensor,
  decodeHalf(new Uint16Array(values.data.slice().buffer)),
];

test("segments become the embedded states, states go through one block", async () => {
  await withModel(async (folder, model) => {
    const forward = await model.forward({ threads: 1 });
    const start = await runPropagate(segmentStream(makeSegments(), model.tokenizerAddress), { model: folder });
    const next = await runPropagate(start, { model: folder });
    assert.is(parseMetadata("states", start.schema).blocks, 0);
    assert.is(parseMetadata("states", next.schema).blocks, 1);
    const [embedded, after] = [await collectStates(start), await collectStates(next)];
    for (const [position, { tokens, language, segment }] of makeSegments().entries()) {
      assert.equal(
        [at(after, position).segment, at(after, position).language, at(after, position).rows],
        [segment, language, tokens.length],
      );
      const states = await forward.embed(tokens);
      // looked up and normed token by token: no sum depends on the batch
      assert.equal(at(embedded, position).values, states.values);
      const expected = await forward.block(0, states);
      assert.ok(relativeDifference(at(after, position).values, expected.values) < rounding);
    }
    await forward.close();
  });
});

test("layers are used exactly as they will be written, and their addresses are recorded", async () => {
  await withModel(async (folder, model) => {
    const start = await runPropagate(segmentStream(makeSegments(), model.tokenizerAddress), { model: folder });
    const records = [await halve(model, 0, 0), await halve(model, 0, 3)];
    const layers = [await layerStream(records.slice(0, 1), model.address), await layerStream(records.slice(1), model.address)];
    const next = await runPropagate(start, { model: folder }, layers);
    const addresses = await Promise.all(layers.map(async (stream) => (await contentAddress(stream)).address));
    assert.equal(parseMetadata("states", next.schema).layers, addresses);
    const forward = await model.forward({ threads: 1 });
    const states = await forward.block(0, await forward.embed(at(makeSegments(), 0).tokens), {
      weights: new Map(records.map(weightsOf)),
    });
    await forward.close();
    const first = at(await collectStates(next), 0);
    assert.ok(relativeDifference(first.values, states.values) < rounding);
    const dense = at(await collectStates(await runPropagate(start, { model: folder })), 0);
    assert.ok(relativeDifference(dense.values, states.values) > 1e-2);
  });
});

test("of a layer in blocks, a block's weights are exactly what these decode to", async () => {
  await withModel(async (folder, model) => {
    const start = await runPropagate(segmentStream(makeSegments(), model.tokenizerAddress), { model: folder });
    const { values: stored, ...layer } = await halve(model, 0, 0);
    const type = quantisationTypeNamed("Q8_0");
    const data = encodeValues(type, decodeHalf(new Uint16Array(stored.data.slice().buffer)));
    const { rows, columns } = stored;
    const decoded = new Float32Array(rows * columns);
    type.decode?.(data, decoded);
    const inBlocks = {
      ...layer,
      summary: { ...layer.summary, grid: type.name },
      blocks: { dtype: "u8", rows, columns: data.length / rows, data } as const,
    };
    const inValues = { ...layer, values: { dtype: "f32", rows, columns, data: new Uint8Array(decoded.buffer) } as const };
    const [found, expected] = await Promise.all(
      [inBlocks, inValues].map(async (record) =>
        collectStates(await runPropagate(start, { model: folder }, [await layerStream([record], model.address)])),
      ),
    );
    assert.equal(found, expected);
  });
});

test("capture sees earlier sites of its block compressed", async () => {
  await withModel(async (folder, model) => {
    const start = await runPropagate(segmentStream(makeSegments(), model.tokenizerAddress), { model: folder });
    const layers = await layerStream([await halve(model, 0, 0)], model.address);
    const options = { model: folder, site: ["attention-qkv", "attention-output"] };
    const [denseInput, , , denseOutput] = await runCapture(start, options);
    const [input, , , output] = await runCapture(start, options, [layers]);
    assert.equal(input, denseInput);
    assert.ok(output && denseOutput);
    assert.ok(relativeDifference(output.values, denseOutput.values) > 1e-2);
  });
});

test("layers of another model, block or shape, and a tensor twice, are refused", async () => {
  await withModel(async (folder, model) => {
    const start = await runPropagate(segmentStream(makeSegments(), model.tokenizerAddress), { model: folder });
    const layer = await halve(model, 0, 0);
    const cut: LayerRecord = { ...layer, values: { ...layer.values, rows: 2, data: layer.values.data.subarray(0, 128) } };
    const cases: [LayerRecord[], string, string][] = [
      [[layer], "e".repeat(64), `the layers are of model ${"e".repeat(64)}`],
      [[await halve(model, 1, 0)], model.address, "does not belong to block h.0"],
      [[cut], model.address, "has shape [2, 32], the model's [96, 32]"],
      [[layer, layer], model.address, "two layers change tensor"],
    ];
    for (const [records, address, message] of cases) {
      try {
        await runPropagate(start, { model: folder }, [await layerStream(records, address)]);
        assert.unreachable(message);
      } catch (error) {
        assert.instance(error, BadDataError);
        assert.match(String(error), message);
      }
    }
  });
});

test("there is no block after the last", async () => {
  await withModel(async (folder, model) => {
    let states = await runPropagate(segmentStream(makeSegments(), model.tokenizerAddress), { model: folder });
    for (const _ of model.blocks) states = await runPropagate(states, { model: folder });
    try {
      await runPropagate(states, { model: folder });
      assert.unreachable();
    } catch (error) {
      assert.instance(error, BadDataError);
      assert.match(String(error), "after 3 of 3 blocks");
    }
  });
});

test("layers beside segments are refused", async () => {
  await withModel(async (folder, model) => {
    const layers = await layerStream([await halve(model, 0, 0)], model.address);
    try {
      await runPropagate(segmentStream(makeSegments(), model.tokenizerAddress), { model: folder }, [layers]);
      assert.unreachable();
    } catch (error) {
      assert.instance(error, UsageError);
    }
  });
});

test.run();
