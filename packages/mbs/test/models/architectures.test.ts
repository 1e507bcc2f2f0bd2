import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { collect, encodeLayers, parseMetadata, readLayers, unpackFiles } from "@mbs/artifacts";
import type { LayerRecord } from "@mbs/artifacts";
import { at } from "@mbs/contracts";
import type { Matrix } from "@mbs/contracts";
import { openModel, runBlocks } from "@mbs/models";
import type { Model } from "@mbs/models";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { segmentsFor, stage } from "../fixtures/stage-runs.ts";

const fixtures = fileURLToPath(new URL("../../../models/test/fixtures/forward/", import.meta.url));
const root = await mkdtemp(join(tmpdir(), "mbs-architectures-"));
test.after(() => rm(root, { recursive: true }));

async function statesAfter(model: Model, weights?: ReadonlyMap<string, Float32Array>): Promise<Matrix> {
  const forward = await model.forward({ threads: 1 });
  const text = Int32Array.from({ length: 24 }, (_, position) => 4 + ((position * 11) % 50));
  const { ofSegment, ofWholePair } = await model.passages();
  const { inputs } = ofWholePair === undefined ? ofSegment(text, [0]) : ofWholePair(text, text.toReversed());
  const states = await runBlocks(model, forward, inputs, weights && { weights });
  await forward.close();
  return states;
}

/** Sum of squared differences. */
const distance = (a: Float32Array, b: Float32Array): number =>
  a.reduce((sum, value, index) => sum + (value - at(b, index)) ** 2, 0);

/** The last fixture of each model type. */
const fixtureOf = new Map<string, string>();
for (const name of await readdir(fixtures)) {
  const { model_type: type } = JSON.parse(await readFile(`${fixtures}${name}/config.json`, "utf8")) as { model_type: string };
  fixtureOf.set(type, name);
}

for (const [type, fixture] of fixtureOf) {
  test(`${type} (${fixture}) is captured, solved, compressed and written, and opens again as what was compressed`, async () => {
    const model = await openModel(`${fixtures}${fixture}`);
    const folder = { model: model.path };
    const statistics = await stage("capture", "source", segmentsFor(model), folder);
    const factors = await stage("factor", "statistics", statistics, { damping: 0.01 });
    const compressed = await stage("compress", "factors", factors, { ...folder, solver: "gptq", bits: 4, groupSize: 8 });
    const metadata = parseMetadata("layers", compressed.schema);
    const layers: LayerRecord[] = await collect(readLayers(compressed));
    const weights = model.blocks.flatMap(({ sites }) => sites.flatMap((site) => site.weights));
    assert.equal(
      layers.map(({ tensor }) => tensor),
      weights.map(({ tensor }) => tensor),
    );
    for (const { tensor, summary } of layers) assert.ok(summary.damage < 0.05, `${tensor}: ${summary.damage}`);
    const files = await stage("assemble", "layers", encodeLayers(layers, metadata), folder);
    await unpackFiles(files, join(root, fixture), { force: false });

    const written = await openModel(join(root, fixture));
    const values = new Map(
      await Promise.all(weights.map(async ({ tensor }) => [tensor, await written.readWeight(tensor)] as const)),
    );
    assert.equal((await statesAfter(written)).values, (await statesAfter(model, values)).values);
    for (const [tensor, found] of values) {
      const own = await model.readWeight(tensor);
      const share = distance(own, found) / distance(own, new Float32Array(own.length));
      // Rows and columns mixed up would give about 2.
      assert.ok(share > 0 && share < 0.5, `${tensor} differs by ${share}`);
    }
    await written.close();
    await model.close();
  });
}

test.run();
