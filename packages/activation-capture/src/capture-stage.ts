import { encodeStatistics, requireKind, statisticsUnits } from "@mbs/artifacts";
import { at, parseBytes, parseLanguageMix, parseOptions, UsageError } from "@mbs/contracts";
import type { ArtifactStream, OptionValues, Stage, StageContext, StageInputs } from "@mbs/contracts";
import { openModel } from "@mbs/models";
import type { Model } from "@mbs/models";
import { noLayers, readBlockLayers } from "./block-layers.ts";
import { captureOptions } from "./capture-options.ts";
import { chooseSites } from "./capture-plan.ts";
import { captureAll } from "./capture-statistics.ts";
import type { CaptureWork } from "./capture-statistics.ts";
import { checkDenseStates } from "./dense-states.ts";
import { findShard, requireSegments } from "./shards.ts";
import { checkSegments, checkStates, mixOfSource } from "./state-source.ts";
import { readsFor } from "./token-reads.ts";

type CaptureValues = OptionValues<typeof captureOptions>;

/** The artifacts that a capture reads. */
interface GivenArtifacts {
  readonly source: ArtifactStream;
  readonly kind: "segments" | "states";
  readonly layers: readonly ArtifactStream[];
  readonly dense: ArtifactStream | undefined;
  readonly segments: ArtifactStream | undefined;
}

/** @throws {UsageError} where the source is missing, or the others do not go with it or with the options */
function requireInputs(inputs: StageInputs, values: CaptureValues): GivenArtifacts {
  const source = inputs["source"]?.[0];
  if (source === undefined) throw new UsageError("capture: give it segments or states");
  const kind = requireKind(source, ["segments", "states"]);
  const layers = inputs["layers"] ?? [];
  if (kind === "segments" && layers.length > 0) {
    throw new UsageError("capture: --layers go with states; propagate the segments first", { option: "--layers" });
  }
  const dense = inputs["denseStates"]?.[0];
  if (dense !== undefined && (kind === "segments" || values.statistics !== "gram")) {
    throw new UsageError("capture: --dense-states go with states and --statistics gram", { option: "--dense-states" });
  }
  requireSegments("capture", kind, values.shard);
  return { source, kind, layers, dense, segments: inputs["segments"]?.[0] };
}

/** What is to be captured of a model, once all that was given fits it and each other. */
async function checkedWork(
  { source, kind, layers, dense, segments }: GivenArtifacts,
  model: Model,
  values: CaptureValues,
  { pool, warn }: StageContext,
): Promise<CaptureWork> {
  // neither text that was added to cover experts nor text that is missing changes what its language weighs
  const { ofMix } = mixOfSource(source, kind);
  const drawn = ofMix && new Map(Object.entries(ofMix));
  if (kind === "segments") checkSegments(source, model, warn);
  const before = kind === "states" ? checkStates(source, model, "block or embeddings") : undefined;
  const isBehind = before?.blocks === model.blocks.length;
  const reads = await readsFor({ ...values, model, kind, isBehind, segments });
  if (isBehind && (dense !== undefined || layers.length > 0)) {
    throw new UsageError("capture: states after the last block take neither --layers nor --dense-states");
  }
  if (before !== undefined && dense !== undefined) checkDenseStates(dense, model, before.blocks);
  const blocks = before === undefined ? [...model.blocks.keys()] : isBehind ? [] : [before.blocks];
  for (const index of blocks) chooseSites(at(model.blocks, index), model.hiddenSize, values.site);
  const shard = await findShard(source, kind, model, values.shard);
  return {
    source,
    dense,
    kind,
    segments: shard?.segments,
    shard,
    model,
    values,
    budget: parseBytes(values.budget, "--budget"),
    mix: values.mix === undefined ? drawn : parseLanguageMix(values.mix),
    blocks,
    layers: before === undefined ? noLayers : await readBlockLayers(layers, model, before.blocks, pool),
    reads,
    withEmbeddings: reads !== undefined,
  };
}

/** Stage `capture`: what every site sees of each language, from segments (all blocks) or from states (the next block). */
export const capture: Stage = {
  name: "capture",
  runsModel: true,
  summary:
    "Compute the statistics of each site and language: for all blocks from segments, or for one block from the states before it.",
  examples: [
    "mbs capture --model M < segments.arrow > statistics.arrow",
    "mbs capture --model M < states-3.arrow > statistics-3.arrow",
    "mbs capture --model M --site mlp-down --layers layers-3.arrow < states-3.arrow > statistics-3-down.arrow",
    "mbs capture --model M --shard 2/8 < segments.arrow > statistics-2-of-8.arrow",
    "mbs capture --model M --segments segments.arrow < states-last.arrow > statistics-embeddings.arrow",
    "mbs capture --model M --dense-states dense-3.arrow < states-3.arrow > statistics-3.arrow",
  ],
  inputs: {
    source: { kinds: ["segments", "states"], description: "segments, or the states before the block to capture" },
    layers: {
      kinds: ["layers"],
      optional: true,
      many: true,
      description: "layers of the same block that are compressed already",
    },
    segments: {
      kinds: ["segments"],
      optional: true,
      description: "with states after the last block: the segments that they were made of, whose tokens are counted",
    },
    denseStates: {
      kinds: ["states"],
      optional: true,
      description: "the same states without any compression, for cross-moments (gptaq needs them)",
    },
  },
  outputs: {
    statistics: { kind: "statistics", description: "means over tokens by block, site and language", intermediate: true },
  },
  options: captureOptions,
  async run(inputs, raw, context) {
    const values = parseOptions(captureOptions, raw, "capture");
    const given = requireInputs(inputs, values);
    const model = await openModel(values.model, {
      allowNonfinite: values.allowNonfinite,
      progress: context.progress,
      pool: context.pool,
    });
    try {
      const work = await checkedWork(given, model, values, context);
      return {
        statistics: encodeStatistics(captureAll(work, context), {
          model: model.address,
          tokenizer: model.tokenizerAddress,
          propagation: work.kind === "segments" ? "dense" : "sequential",
          unit: values.normaliseTokens ? statisticsUnits.normalised : statisticsUnits.plain,
          mix: work.mix && Object.fromEntries(work.mix),
          ...(work.shard && { shards: work.shard.shards }),
        }),
      };
    } catch (error) {
      await model.close();
      throw error;
    }
  },
};
