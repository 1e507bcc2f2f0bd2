import {
  encodeStatistics,
  expertsSite,
  inputSite,
  parseMetadata,
  readStatistics,
  statisticsUnits,
  embeddingsBlock,
} from "@mbs/artifacts";
import type { Statistic, StatisticsMetadata } from "@mbs/artifacts";
import { at, BadDataError, defineStage, FailedPreconditionError, InterruptedError } from "@mbs/contracts";
import type { ArtifactStream, Blas, OptionTable, StageContext } from "@mbs/contracts";
import { openModel } from "@mbs/models";
import type { ArchitectureModel, Model } from "@mbs/models";
import { createDoubleBlas } from "@mbs/onnx";
import { inverseScales, normScales } from "./norm-scales.ts";
import { makeRotations, requireRotatable } from "./rotations.ts";
import { unchanged, weightChanges } from "./weight-changes.ts";
import type { WeightChange } from "./weight-changes.ts";
import { packUpper, packedRowStart, unpackUpper } from "@mbs/numbers";
import { rotateColumns, rotateRows } from "./change-basis.ts";
import type { Block } from "./change-basis.ts";

/**
 * The Gram of inputs in another basis: x becomes Qᵀ·D⁻¹·x, and E[x xᵀ] becomes Qᵀ·D⁻¹·E[x xᵀ]·D⁻¹·Q.
 *
 * @param packed upper half of E[x xᵀ], width·(width + 1)/2 values; not modified
 * @param inverse of each channel, the diagonal of D⁻¹; absent for the identity
 * @param blocks of channels that Q mixes
 * @returns the upper half, packed; its diagonal is never below 0
 */
async function rotateGram(
  blas: Blas<Float64Array>,
  packed: Float32Array,
  width: number,
  inverse: Float64Array | undefined,
  blocks: readonly Block[],
): Promise<Float32Array> {
  const gram = unpackUpper(packed, width, "mirror");
  if (inverse !== undefined) {
    for (let row = 0; row < width; row += 1) {
      for (let column = 0; column < width; column += 1) {
        const index = row * width + column;
        gram[index] = at(gram, index) * at(inverse, row) * at(inverse, column);
      }
    }
  }
  for (const block of blocks) await rotateColumns(blas, gram, width, block);
  for (const block of blocks) await rotateRows(blas, gram, width, block);
  const rotated = packUpper(gram, width);
  for (let channel = 0; channel < width; channel += 1) {
    const diagonal = packedRowStart(width, channel);
    // a channel without input may come out below 0 by rounding
    rotated[diagonal] = Math.max(0, at(rotated, diagonal));
  }
  return rotated;
}

const options = {
  model: { kind: "resource", resource: "model", description: "the dense model that the statistics are of" },
  rotated: { kind: "resource", resource: "model", description: "what mbs rotate has made of it" },
} as const satisfies OptionTable;

/** @throws {FailedPreconditionError} where `rotated` was not made of `model`, or the statistics are not of the dense model */
function requireOrigin(model: Model, rotated: Model, { model: address, propagation, unit }: StatisticsMetadata) {
  const rotation = rotated.kind === "architecture" ? rotated.rotation : undefined;
  if (rotation?.source !== model.address) {
    const is = rotation === undefined ? "is no rotated model" : `was made of the model ${rotation.source}`;
    throw new FailedPreconditionError(`${rotated.path} ${is}, and ${model.path} is ${model.address}; name both of one rotation`, {
      model: model.path,
      rotated: rotated.path,
    });
  }
  if (address !== model.address) {
    throw new FailedPreconditionError(
      `the statistics are of the model ${address}, and ${model.path} is ${model.address}; name the model they were captured from`,
      { model: model.path },
    );
  }
  if (unit !== statisticsUnits.plain) {
    throw new FailedPreconditionError(
      "the statistics have normalised tokens, whose size changes with the norm's weights; capture without --normalise-tokens, or from the rotated model",
    );
  }
  if (propagation !== "dense") {
    throw new FailedPreconditionError(
      `the statistics were captured behind compressed layers (propagation ${propagation}), which were not rotated; capture from segments, or from the rotated model`,
      { propagation },
    );
  }
  return rotation;
}

interface Work {
  readonly model: ArchitectureModel;
  readonly blas: Blas<Float64Array>;
  /** Of what reads each site, by block and site. */
  readonly changes: ReadonlyMap<string, WeightChange>;
}

const placeOf = (block: string, site: string): string => JSON.stringify([block, site]);

/**
 * The statistic in the new basis.
 *
 * @throws {FailedPreconditionError} where it cannot be known from the old one
 */
async function rotateStatistic({ model, blas, changes }: Work, statistic: Statistic): Promise<Statistic> {
  const { block, site, language, kind, width, values } = statistic;
  // the router of a rotated model sends tokens where that of the dense one does
  if (site === expertsSite) return statistic;
  const change = changes.get(placeOf(block, site));
  if (change === undefined) {
    throw new BadDataError(`the statistics have ${block} ${site}, which ${model.path} does not have; are they another model's?`, {
      block,
      site,
    });
  }
  if (change.columns.length === 0) return statistic;
  if (kind !== "gram") {
    const remedy = "capture with --statistics gram --grams languages, and a --budget for them";
    throw new FailedPreconditionError(
      `the ${kind} of ${block} ${site} ${language} cannot be rotated, only a Gram can; ${remedy}`,
      { block, site },
    );
  }
  const inverse = change.norm && inverseScales(await normScales(model, change.norm), change.norm);
  return { ...statistic, values: await rotateGram(blas, values, width, inverse, change.columns) };
}

async function* rotateAllStatistics(
  stream: ArtifactStream,
  model: ArchitectureModel,
  rotated: Model,
  settings: Parameters<typeof makeRotations>[1],
  { signal, warn, progress, threads, pool }: StageContext,
): AsyncGenerator<Statistic> {
  const blas = createDoubleBlas({ threads, pool });
  try {
    const { weights } = weightChanges(model, makeRotations(model, settings));
    const changes = new Map(
      model.blocks.flatMap(({ name, sites }) =>
        sites.map(({ name: site, weights: own }): [string, WeightChange] => [
          placeOf(name, site),
          weights.get(at(own, 0).tensor) ?? unchanged,
        ]),
      ),
    );
    const work: Work = { model, blas, changes };
    let done = 0;
    let hasInputs = false;
    let hasEmbeddings = false;
    for await (const statistic of readStatistics(stream)) {
      if (signal.aborted) throw new InterruptedError("rotate-statistics: stopped");
      if (statistic.block === embeddingsBlock) hasEmbeddings = true;
      else if (statistic.site === inputSite) hasInputs = true;
      else yield await rotateStatistic(work, statistic);
      done += 1;
      progress({ activity: "rotate statistics", done, unit: "statistics" });
    }
    if (hasEmbeddings) warn("statistics of embedding and head are left out: capture those of the rotated model");
    if (hasInputs) warn(`inputs of blocks (site ${inputSite}) are left out: no weight reads them, and a norm comes behind them`);
  } finally {
    await blas.release();
    await rotated.close();
    await model.close();
  }
}

/**
 * Stage `rotate-statistics`: Grams of the dense model to those that the rotated model has, Rᵀ·D⁻¹·H·D⁻¹·R with D the weight of the
 * norm before the site. They are the Grams that a capture of the rotated model gives, up to rounding.
 */
export const rotateStatistics = defineStage({
  name: "rotate-statistics",
  summary: "Make statistics of a rotated model from those of the dense one, without capturing again.",
  examples: ["mbs rotate-statistics --model M --rotated rotated/ < statistics.arrow > rotated-statistics.arrow"],
  inputs: { statistics: { kinds: ["statistics"], description: "output of `mbs capture` from segments, with Grams" } },
  outputs: { statistics: { kind: "statistics", description: "those of the rotated model", intermediate: true } },
  options,
  async run({ statistics }, values, context) {
    const stream = at(statistics, 0);
    const model = await openModel(values.model, context);
    let rotated: Model | undefined;
    try {
      rotated = await openModel(values.rotated, context);
      const metadata = parseMetadata("statistics", stream.schema);
      const settings = requireOrigin(model, rotated, metadata);
      const dense = await requireRotatable(model, settings);
      return {
        statistics: encodeStatistics(rotateAllStatistics(stream, dense, rotated, settings, context), {
          ...metadata,
          model: rotated.address,
        }),
      };
    } catch (error) {
      await rotated?.close();
      await model.close();
      throw error;
    }
  },
});
