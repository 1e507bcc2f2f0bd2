import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { collect, encodeLayers } from "@mbs/artifacts";
import { at, BadDataError } from "@mbs/contracts";
import type { ArtifactStream } from "@mbs/contracts";
import { openModel } from "@mbs/models";
import type { Model } from "@mbs/models";
import { writeTinyModel } from "@mbs/models/testing";
import { encodeWeights } from "@mbs/numbers";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { keep, makeSegments, runCapture, runPropagate, segmentStream } from "./stage-run.ts";

interface Context {
  readonly model: Model;
  /** Before the first block. */
  readonly states: ArtifactStream;
}

const test = suite<Context>("finite-states");

test.before(async (context) => {
  const folder = await mkdtemp(join(tmpdir(), "finite-states-"));
  await writeTinyModel(folder, { seed: 3, dtype: "f32" });
  const model = await openModel(folder);
  const states = await runPropagate(segmentStream(makeSegments(), model.tokenizerAddress), { model: folder });
  Object.assign(context, { model, states });
});
test.after(async ({ model }) => {
  await model.close();
  await rm(model.path, { recursive: true });
});

/** A layer of the first block whose weight is `factor` times the model's. */
async function enlarged({ model }: Context, site: string, factor: number): Promise<ArtifactStream[]> {
  const found = at(model.blocks, 0).sites.find(({ name }) => name === site);
  const { tensor, rows } = at(found?.weights ?? [], 0);
  const values = (await model.checkpoint.readF32(tensor)).map((value) => value * factor);
  const layer = {
    block: at(model.blocks, 0).name,
    site,
    tensor,
    summary: { solver: "mine", error: 0, damage: 0, sparsity: 0 },
    values: { dtype: "f32" as const, rows, columns: values.length / rows, data: encodeWeights("f32", values) },
  };
  const metadata = { model: model.address, solver: "mine", options: {}, order: "natural", weights: {} };
  return [await keep(encodeLayers([layer], metadata))];
}

async function says(work: () => Promise<unknown>): Promise<string> {
  try {
    await work();
  } catch (error) {
    assert.instance(error, BadDataError, String(error));
    return (error as Error).message;
  }
  throw new Error("nothing was thrown");
}

test("propagate: an overflow is reported at the block, the stream and the segment where it first appears", async (given) => {
  const layers = await enlarged(given, "mlp-down", 2e39);
  const message = await says(async () => {
    const { batches } = await runPropagate(given.states, { model: given.model.path }, layers);
    return collect(batches);
  });
  assert.match(
    message,
    /^h\.0, stream hidden: (NaN|-?Infinity) in segment \d of (te|en|mr), token \d+, channel \d+; a weight is broken or too large: take the model, or the layers given for the block, from their source again$/,
  );
});

test("capture: an overflow within a block is reported at the site that reads it", async (given) => {
  const layers = await enlarged(given, "attention-qkv", 3e38);
  const message = await says(() => runCapture(given.states, { model: given.model.path }, layers));
  assert.match(message, /^h\.0 attention-output: (NaN|-?Infinity) in segment \d of en, token \d+, channel \d+;/);
});

test("capture: inputs whose squares overflow are reported with site and language", async (given) => {
  const layers = await enlarged(given, "mlp-up", 1e25);
  for (const statistics of ["gram", "diagonal"]) {
    const message = await says(() => runCapture(given.states, { model: given.model.path, statistics }, layers));
    assert.match(message, /^h\.0 mlp-down: inputs of en are so large that their mean products overflow float32;/);
  }
});

test("tokens beyond the model's vocabulary are named with their segment", async ({ model }) => {
  const [first, second] = makeSegments();
  assert.ok(first && second);
  const tokens = second.tokens.slice();
  tokens[3] = 260;
  const segments = () => segmentStream([first, { ...second, tokens }], model.tokenizerAddress);
  for (const run of [runCapture, runPropagate]) {
    assert.match(
      await says(() => run(segments(), { model: model.path })),
      /^segment 1 of en: token 260 at position 3 is outside the model's vocabulary of 260;/,
    );
  }
});

test.run();
