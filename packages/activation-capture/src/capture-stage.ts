import { encodeStatistics, requireKind, Spool } from "@mbs/artifacts";
import type { Statistic } from "@mbs/artifacts";
import { at, BadDataError, languageWeights, parseBytes, parseLanguageMix, parseOptions, UsageError } from "@mbs/contracts";
import type { ArtifactStream, LanguageMix, OptionTable, OptionValues, Stage, StageContext } from "@mbs/contracts";
import { openModel } from "@mbs/models";
import type { Model, StreamStates } from "@mbs/models";
import { createBlas, createGramKernel } from "@mbs/onnx";
import { chooseSites, planStep } from "./capture-plan.ts";
import { checkDenseStates, withDense } from "./dense-states.ts";
import { batchSegments } from "./segment-batches.ts";
import { checkSegments, checkStates, nameSegment, readSegmentStates } from "./state-source.ts";
import { captureStep } from "./step-capture.ts";
import type { SpooledSegment } from "./step-capture.ts";
import { readStepLayers } from "./step-layers.ts";

const options = {
  model: { kind: "resource", resource: "model", description: "model folder" },
  site: {
    kind: "list",
    optional: true,
    placeholder: "SITE,…",
    description: "capture these sites only; default all and the step's input",
  },
  statistics: {
    kind: "choice",
    choices: ["gram", "diagonal"],
    default: "gram",
    description: "E[x xᵀ] of every site, or E[x²] alone, which is enough for Wanda and for similarity",
  },
  budget: {
    kind: "text",
    default: "4GiB",
    placeholder: "SIZE",
    description: "memory for the Grams of one step; beyond it one Gram of the mix and every language's diagonal are kept",
    check: (text: string) => parseBytes(text, "--budget"),
  },
  mix: {
    kind: "text",
    optional: true,
    placeholder: "LANG=WEIGHT,…",
    description: "weight of each language in the Gram kept beyond --budget, and in factor; default: the tokens seen of it",
    check: (text: string) => parseLanguageMix(text),
  },
  allowNonfinite: { kind: "flag", description: "read NaN and Inf weights as 0 instead of stopping", default: false },
} as const satisfies OptionTable;

interface Work {
  readonly source: ArtifactStream;
  /** The dense model's states beside those of `source`. */
  readonly dense: ArtifactStream | undefined;
  readonly kind: "segments" | "states";
  readonly model: Model;
  readonly values: OptionValues<typeof options>;
  readonly budget: number;
  readonly mix: LanguageMix | undefined;
  /** The steps to run: all from segments, the next one from states. */
  readonly steps: readonly number[];
  readonly weights: ReadonlyMap<string, Float32Array>;
}

async function* captureAll(work: Work, { signal, progress, warn, threads }: StageContext): AsyncGenerator<Statistic> {
  const { source, dense, kind, model, values, mix, steps, weights } = work;
  const forward = await model.forward({ threads });
  const kernel = createGramKernel({ threads });
  const blas = createBlas({ threads });
  const states = new Spool();
  const grams = new Spool();
  try {
    const spooled: SpooledSegment[] = [];
    for await (const { segment, dense: other } of withDense(readSegmentStates(source, kind, model, forward), dense, model)) {
      const spool = (read: StreamStates): SpooledSegment["slots"] =>
        new Map([...read].map(([stream, { values: rowValues }]) => [stream, states.append(rowValues)] as const));
      const { language, lengths } = segment;
      spooled.push({
        name: nameSegment(segment),
        language,
        lengths,
        slots: spool(segment.states),
        ...(other && { dense: spool(other.states) }),
      });
      progress({ activity: "read segments", done: spooled.length, unit: "segments" });
    }
    if (spooled.length === 0) throw new BadDataError("the artifact has no segments; sample at least one");
    const languages = [...new Set(spooled.map(({ language }) => language))].sort();
    const all = [...batchSegments(spooled)];
    const batches = new Map(languages.map((name) => [name, all.filter(([first]) => first?.language === name)] as const));
    const shares = languageWeights(countTokens(spooled), mix);
    const total = steps.length * spooled.length;
    let done = 0;
    let pooled = false;
    for (const [position, index] of steps.entries()) {
      const step = at(model.steps, index);
      const plan = planStep(
        chooseSites(step, model.hiddenSize, values.site),
        values.statistics,
        languages.length,
        work.budget,
        dense !== undefined,
      );
      if (plan.pooled && !pooled) {
        warn(
          `${step.name}: the Grams of ${languages.length} languages need more than --budget; here, and wherever else they do, keeping one Gram of the mix and the diagonals`,
        );
      }
      pooled ||= plan.pooled;
      const advance = position < steps.length - 1;
      const capture = { step, index, width: model.hiddenSize, plan, batches, shares, states, advance, weights };
      const advanceProgress = (count: number): void => {
        done += count;
        progress({ activity: `capture ${step.name}`, done, total, unit: "segments" });
      };
      yield* captureStep(capture, { forward, sums: { kernel, blas }, grams, signal, warn, advanceProgress });
    }
    for (const tensor of model.checkpoint.nonfinite) warn(`tensor ${tensor} has NaN or Inf, read as 0`);
  } finally {
    states.close();
    grams.close();
    await kernel.release();
    await blas.release();
    await forward.close();
    await model.close();
  }
}

function countTokens(segments: readonly SpooledSegment[]): ReadonlyMap<string, number> {
  const tokens = new Map<string, number>();
  for (const { language, lengths } of segments) {
    const own = lengths.reduce((sum, length) => sum + length, 0);
    tokens.set(language, (tokens.get(language) ?? 0) + own);
  }
  return tokens;
}

/** Stage `capture`: what every site sees of each language, from segments (all steps) or from states (the next step). */
export const capture: Stage = {
  name: "capture",
  summary:
    "Compute the statistics of each site and language: for all steps from segments, or for one step from the states before it.",
  examples: [
    "mbs capture --model M < segments.arrow > statistics.arrow",
    "mbs capture --model M < states-3.arrow > statistics-3.arrow",
    "mbs capture --model M --site mlp-down --layers layers-3.arrow < states-3.arrow > statistics-3-down.arrow",
    "mbs capture --model M --dense-states dense-3.arrow < states-3.arrow > statistics-3.arrow",
  ],
  inputs: {
    source: { kinds: ["segments", "states"], description: "segments, or the states before the step to capture" },
    layers: { kinds: ["layers"], optional: true, many: true, description: "layers of the same step that are compressed already" },
    denseStates: {
      kinds: ["states"],
      optional: true,
      description: "the same states without any compression, for cross-moments (gptaq needs them)",
    },
  },
  outputs: {
    statistics: { kind: "statistics", description: "means over tokens by step, site and language", intermediate: true },
  },
  options,
  async run(inputs, raw, context) {
    const values = parseOptions(options, raw, "capture");
    const budget = parseBytes(values.budget, "--budget");
    const mix = values.mix === undefined ? undefined : parseLanguageMix(values.mix);
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
    const model = await openModel(values.model, {
      allowNonfinite: values.allowNonfinite,
      progress: context.progress,
      pool: context.pool,
    });
    try {
      if (kind === "segments") checkSegments(source, model, context.warn);
      const before = kind === "states" ? checkStates(source, model) : undefined;
      if (before !== undefined && dense !== undefined) checkDenseStates(dense, model, before.steps);
      const steps = before === undefined ? [...model.steps.keys()] : [before.steps];
      for (const index of steps) chooseSites(at(model.steps, index), model.hiddenSize, values.site);
      const given = before === undefined ? undefined : await readStepLayers(layers, model, before.steps);
      const weights = given?.weights ?? new Map<string, Float32Array>();
      return {
        statistics: encodeStatistics(captureAll({ source, dense, kind, model, values, budget, mix, steps, weights }, context), {
          model: model.address,
          tokenizer: model.tokenizerAddress,
          propagation: kind === "segments" ? "dense" : "sequential",
          unit: "mean a token",
          mix: mix && Object.fromEntries(mix),
        }),
      };
    } catch (error) {
      await model.close();
      throw error;
    }
  },
};
