import { encodeStates, requireKind } from "@mbs/artifacts";
import type { StateRecord } from "@mbs/artifacts";
import { at, InterruptedError, parseOptions, UsageError } from "@mbs/contracts";
import type { ArtifactStream, OptionTable, Stage, StageContext } from "@mbs/contracts";
import { openModel, requireFiniteRows, statesOf } from "@mbs/models";
import type { Forward, Model } from "@mbs/models";
import { batchArriving, stackStreams, unstackStreams } from "./segment-batches.ts";
import { checkSegments, checkStates, nameSegment, readSegmentStates } from "./state-source.ts";
import type { SegmentStates } from "./state-source.ts";
import { readStepLayers } from "./step-layers.ts";

const options = {
  model: { kind: "resource", resource: "model", description: "model folder" },
  allowNonfinite: { kind: "flag", description: "read NaN and Inf weights as 0 instead of stopping", default: false },
} as const satisfies OptionTable;

interface Work {
  readonly source: ArtifactStream;
  readonly kind: "segments" | "states";
  readonly model: Model;
  readonly forward: Forward;
  /** The step to run; undefined after the embedding, which is all that segments go through. */
  readonly step: number | undefined;
  readonly weights: ReadonlyMap<string, Float32Array>;
}

async function* applyStep(
  segments: AsyncIterable<SegmentStates>,
  { model, forward, step = 0, weights }: Work,
): AsyncGenerator<SegmentStates> {
  for await (const batch of batchArriving(segments)) {
    const stacked = stackStreams(batch.map(({ states }) => states));
    const { name, stream, sites } = at(model.steps, step);
    let cut = await forward.beginStep(step, statesOf(stacked, stream), { batch: batch.length, reads: stacked });
    while (cut.reached < sites.length) ({ cut } = await forward.nextSite(cut, weights));
    const made = await forward.endStep(cut, weights);
    requireFiniteRows({ made: `${name}, stream ${stream}`, segments: batch.map(nameSegment) }, made);
    const after = new Map([...stacked, [stream, made]]);
    for (const [index, states] of unstackStreams(after, batch.length).entries()) yield { ...at(batch, index), states };
  }
}

function* recordsOf({ segment, language, states }: SegmentStates): Generator<StateRecord> {
  for (const [stream, { rows, columns, values }] of states) yield { segment, language, stream, rows, width: columns, values };
}

async function* propagateAll(work: Work, { signal, progress }: StageContext): AsyncGenerator<StateRecord> {
  const { source, kind, model, forward, step } = work;
  const activity = step === undefined ? "propagate embedding" : `propagate ${at(model.steps, step).name}`;
  try {
    const segments = readSegmentStates(source, kind, model, forward);
    let done = 0;
    for await (const segment of step === undefined ? segments : applyStep(segments, work)) {
      if (signal.aborted) throw new InterruptedError("propagate: stopped");
      done += 1;
      progress({ activity, done, unit: "segments" });
      yield* recordsOf(segment);
    }
  } finally {
    await forward.close();
    await model.close();
  }
}

/** Stage `propagate`: segments to the states before the first step, or states through one step with the given layers. */
export const propagate: Stage = {
  name: "propagate",
  summary: "Run segments through the embedding, or states through the next step with its compressed layers.",
  examples: [
    "mbs propagate --model M < segments.arrow > states-0.arrow",
    "mbs propagate --model M --layers layers-0.arrow < states-0.arrow > states-1.arrow",
  ],
  inputs: {
    source: { kinds: ["segments", "states"], description: "segments, or the states before the step to run" },
    layers: {
      kinds: ["layers"],
      optional: true,
      many: true,
      description: "layers of that step, used exactly as they will be written",
    },
  },
  outputs: { states: { kind: "states", description: "the states of every segment after it", intermediate: true } },
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
    const model = await openModel(values.model, {
      allowNonfinite: values.allowNonfinite,
      progress: context.progress,
      pool: context.pool,
    });
    try {
      if (kind === "segments") checkSegments(source, model, context.warn);
      const before = kind === "states" ? checkStates(source, model) : undefined;
      const given = before === undefined ? undefined : await readStepLayers(layers, model, before.steps);
      const forward = await model.forward({ threads: context.threads });
      const work = {
        source,
        kind,
        model,
        forward,
        step: before?.steps,
        weights: given?.weights ?? new Map<string, Float32Array>(),
      };
      return {
        states: encodeStates(propagateAll(work, context), {
          model: model.address,
          tokenizer: model.tokenizerAddress,
          steps: before === undefined ? 0 : before.steps + 1,
          layers: [...(before?.layers ?? []), ...(given?.addresses ?? [])],
        }),
      };
    } catch (error) {
      await model.close();
      throw error;
    }
  },
};
