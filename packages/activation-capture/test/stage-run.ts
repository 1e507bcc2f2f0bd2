import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { collect, encodeLayers, encodeSegments, readStates, readStatistics } from "@mbs/artifacts";
import type { Segment, StateRecord, Statistic } from "@mbs/artifacts";
import { at } from "@mbs/contracts";
import type { ArtifactStream } from "@mbs/contracts";
import { testContext } from "@mbs/contracts/testing";
import { openModel } from "@mbs/models";
import type { Model } from "@mbs/models";
import { writeTinyModel } from "@mbs/models/testing";
import { encodeWeights } from "@mbs/numbers";
import { capture, propagate } from "../src/index.ts";

export const warnings: string[] = [];

export const context = testContext({ warn: (message) => warnings.push(message) });

/** Runs `use` with the folder and the opened form of a tiny model, and cleans up. */
export async function withModel(use: (folder: string, model: Model) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "capture-test-"));
  try {
    await writeTinyModel(folder, { seed: 3, blocks: 3 });
    const model = await openModel(folder);
    try {
      await use(folder, model);
    } finally {
      await model.close();
    }
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** Segments of three languages, interleaved, of two lengths. */
export function makeSegments(): Segment[] {
  const languages = ["te", "en", "en", "mr", "te", "en", "mr"];
  return languages.map((language, segment) => ({
    segment,
    language,
    documents: 1,
    tokens: Int32Array.from(
      { length: segment === 5 ? 9 : 16 },
      (_, position) => 4 + ((segment * 31 + position * position * 7 + position) % 256),
    ),
  }));
}

export function segmentStream(segments: readonly Segment[], tokenizer: string): ArtifactStream {
  return encodeSegments(segments, {
    tokenizer,
    corpus: "c".repeat(64),
    distribution: "",
    length: Math.max(0, ...segments.map(({ tokens }) => tokens.length)),
    seed: 0,
    mix: "equal",
    counts: {},
    shortfall: {},
  });
}

/** A stream that can be read again and again. */
export async function keep(stream: ArtifactStream): Promise<ArtifactStream> {
  const batches = await collect(stream.batches);
  return {
    schema: stream.schema,
    batches: {
      async *[Symbol.asyncIterator]() {
        yield* batches;
      },
    },
  };
}

export async function runCapture(
  source: ArtifactStream,
  options: object,
  layers: ArtifactStream[] = [],
  denseStates: ArtifactStream[] = [],
): Promise<Statistic[]> {
  const { statistics } = await capture.run({ source: [source], layers, denseStates }, options, context);
  if (statistics === undefined) throw new Error("capture gave no statistics");
  return collect(readStatistics(statistics));
}

export async function runPropagate(
  source: ArtifactStream,
  options: object,
  layers: ArtifactStream[] = [],
): Promise<ArtifactStream> {
  const { states } = await propagate.run({ source: [source], layers }, options, context);
  if (states === undefined) throw new Error("propagate gave no states");
  return keep(states);
}

/** The first block's attention output, changed. */
export async function changedLayer(model: Model): Promise<ArtifactStream> {
  const { name, sites } = at(model.blocks, 0);
  const { width, weights, name: own } = at(sites, 1);
  const { tensor, rows } = at(weights, 0);
  const values = (await model.readWeight(tensor)).map((value, index) => value * (1 + 0.3 * Math.sin(index)));
  const dtype = model.checkpoint.info(tensor).dtype ?? model.dtype;
  const summary = { solver: "test", error: 0, damage: 0, sparsity: 0 };
  const record = {
    block: name,
    site: own,
    tensor,
    summary,
    values: { dtype, rows, columns: width, data: encodeWeights(dtype, values) },
  };
  return keep(encodeLayers([record], { model: model.address, solver: "test", options: {}, order: "natural", weights: {} }));
}

/** States before the second block: through the changed first one, and dense. */
export async function bothStates(folder: string, model: Model) {
  const start = await runPropagate(segmentStream(makeSegments(), model.tokenizerAddress), { model: folder });
  return {
    start,
    compressed: await runPropagate(start, { model: folder }, [await changedLayer(model)]),
    dense: await runPropagate(start, { model: folder }),
  };
}

export const collectStates = (stream: ArtifactStream): Promise<StateRecord[]> => collect(readStates(stream));

/**
 * How far two ways to the same numbers may lie apart, as a fraction of the largest: in other batches a processor's kernels
 * may add in another order. Means over at most 105 tokens are within 105 · 2⁻²⁴ = 6e-6 of each other; states behind one block,
 * of four products with sums of at most 128 terms, within √(4 · 128) · 2⁻²⁴ = 1e-6 as a rule.
 */
export const rounding = 1e-5;
