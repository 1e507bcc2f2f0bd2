import { encodeStates, requireKind } from "@mbs/artifacts";
import type { StateRecord } from "@mbs/artifacts";
import { at, InterruptedError, parseOptions, UsageError } from "@mbs/contracts";
import type { OptionTable, Stage, StageContext } from "@mbs/contracts";
import { openModel, readAsZero, requireFiniteRows, statesOf } from "@mbs/models";
import type { Forward } from "@mbs/models";
import { takeWalk } from "./held-walk.ts";
import type { HeldWalk } from "./held-walk.ts";
import { batchArriving, stackStreams, unstackStreams } from "./segment-batches.ts";
import type { SegmentBatch } from "./segment-batches.ts";
import { findShard, requireSegments, shardOptions } from "./shards.ts";
import { checkSegments, checkStates, leaveUnread, mixOfSource, readSegmentStates } from "./state-source.ts";
import { nameSegment } from "./segment-passage.ts";
import type { SegmentHead, SegmentStates, StateSource } from "./state-source.ts";
import { noLayers, readBlockLayers } from "./block-layers.ts";
import type { BlockLayers } from "./block-layers.ts";

const options = {
  model: { kind: "resource", resource: "model", description: "model folder" },
  ...shardOptions,
  allowNonfinite: { kind: "flag", description: "read NaN and Inf weights as 0 instead of stopping", default: false },
} as const satisfies OptionTable;

interface Work extends StateSource {
  readonly forward: Forward;
  /** The block to run; undefined after the embedding, which is all that segments go through. */
  readonly block: number | undefined;
  readonly layers: BlockLayers;
  readonly allowNonfinite: boolean;
}

/** Where captures have left the block; those of the dense model were given no layers. */
function findWalk({ source, model, layers, allowNonfinite }: Work, { pool, threads, device }: StageContext) {
  const owner = layers.byAddress.size === 0 ? "dense" : "own";
  const origin = { model: model.address, allowNonfinite, states: source.address, owner, threads, device } as const;
  return pool && takeWalk(pool, { origin, layers }, []);
}

/** The batches of a walk that is at hand for all segments, or of the source. */
async function* batchesOf(walk: HeldWalk | undefined, work: Work): AsyncGenerator<SegmentBatch<SegmentHead | SegmentStates>> {
  // the states of other streams are not in a walk, and are passed on
  if (walk?.isWhole === true && work.model.streams.length === 1) {
    yield* walk.batches;
    await leaveUnread(work.source);
  } else {
    yield* batchArriving(readSegmentStates(work, work.forward));
  }
}

async function* applyBlock(work: Work, context: StageContext): AsyncGenerator<SegmentStates> {
  const { model, forward, block = 0, layers } = work;
  const { name, stream, sites } = at(model.blocks, block);
  const walk = await findWalk(work, context);
  try {
    for await (const batch of batchesOf(walk, work)) {
      const { segments } = batch;
      const read = stackStreams(segments.flatMap((segment) => ("states" in segment ? [segment.states] : [])));
      let cut =
        walk?.take(batch) ?? (await forward.beginBlock(block, statesOf(read, stream), { batch: segments.length, reads: read }));
      while (cut.passed.size < sites.length) ({ cut } = await forward.nextSites(cut, layers.weights));
      const made = await forward.endBlock(cut, layers.weights);
      requireFiniteRows({ made: `${name}, stream ${stream}`, segments: segments.map(nameSegment) }, made);
      const after = new Map([...read, [stream, made]]);
      for (const [index, states] of unstackStreams(after, segments.length).entries()) yield { ...at(segments, index), states };
    }
  } finally {
    await walk?.close();
  }
}

function* recordsOf({ segment, language, states }: SegmentStates): Generator<StateRecord> {
  for (const [stream, { rows, columns, values }] of states) yield { segment, language, stream, rows, width: columns, values };
}

async function* propagateAll(work: Work, context: StageContext): AsyncGenerator<StateRecord> {
  const { model, forward, block } = work;
  const { signal, progress, warn } = context;
  const activity = block === undefined ? "propagate embedding" : `propagate ${at(model.blocks, block).name}`;
  try {
    let done = 0;
    const segments = block === undefined ? readSegmentStates(work, forward) : applyBlock(work, context);
    for await (const segment of segments) {
      if (signal.aborted) throw new InterruptedError("propagate: stopped");
      done += 1;
      progress({ activity, done, unit: "segments" });
      yield* recordsOf(segment);
    }
    for (const line of readAsZero(model)) warn(line);
  } finally {
    await forward.close();
    await model.close();
  }
}

/** Stage `propagate`: segments to the states before the first block, or states through one block with the given layers. */
export const propagate: Stage = {
  name: "propagate",
  runsModel: true,
  summary: "Run segments through the embedding, or states through the next block with its compressed layers.",
  examples: [
    "mbs propagate --model M < segments.arrow > states-0.arrow",
    "mbs propagate --model M --layers layers-0.arrow < states-0.arrow > states-1.arrow",
    "mbs propagate --model M --shard 2/8 < segments.arrow > states-0-2.arrow",
  ],
  inputs: {
    source: { kinds: ["segments", "states"], description: "segments, or the states before the block to run" },
    layers: {
      kinds: ["layers"],
      optional: true,
      many: true,
      description: "layers of that block, used exactly as they will be written",
    },
  },
  outputs: {
    states: { kind: "states", description: "the states of every segment after it", intermediate: true, checkpoint: true },
  },
  options,
  async run(inputs, raw, context) {
    const values = parseOptions(options, raw, "propagate");
    const source = inputs["source"]?.[0];
    if (source === undefined) throw new UsageError("propagate: give it segments or states");
    const kind = requireKind(source, ["segments", "states"]);
    const layers = inputs["layers"] ?? [];
    if (kind === "segments" && layers.length > 0) {
      throw new UsageError("propagate: --layers go with states; propagate the segments first", { option: "--layers" });
    }
    requireSegments("propagate", kind, values.shard);
    const model = await openModel(values.model, {
      allowNonfinite: values.allowNonfinite,
      progress: context.progress,
      pool: context.pool,
    });
    try {
      if (kind === "segments") checkSegments(source, model, context.warn);
      const before = kind === "states" ? checkStates(source, model) : undefined;
      const given = before === undefined ? noLayers : await readBlockLayers(layers, model, before.blocks, context.pool);
      const shard = await findShard(source, kind, model, values.shard);
      const forward = await model.forward({ threads: context.threads, device: context.device });
      const { allowNonfinite } = values;
      const segments = shard?.segments;
      const work = { source, kind, segments, model, forward, block: before?.blocks, layers: given, allowNonfinite };
      return {
        states: encodeStates(propagateAll(work, context), {
          model: model.address,
          tokenizer: model.tokenizerAddress,
          blocks: before === undefined ? 0 : before.blocks + 1,
          layers: [...(before?.layers ?? []), ...given.byAddress.keys()],
          ...(shard && { shards: shard.shards, wholeTokens: shard.wholeTokens }),
          ...mixOfSource(source, kind),
        }),
      };
    } catch (error) {
      await model.close();
      throw error;
    }
  },
};
