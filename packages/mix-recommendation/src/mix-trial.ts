import { performance } from "node:perf_hooks";
import { collect, readDamage } from "@mbs/artifacts";
import type { DamageRecord } from "@mbs/artifacts";
import { InternalError, formatLanguageMix } from "@mbs/contracts";
import type { ArtifactStream, LanguageMix, Stage, StageContext, StageInputs, StageOptions } from "@mbs/contracts";
import type { StatisticsPool } from "./statistics-pool.ts";

/** The stages that one trial of a mix runs. */
export interface MixStages {
  readonly factor: Stage;
  readonly compress: Stage;
  readonly predict: Stage;
}

export interface TrialSetting {
  readonly stages: MixStages;
  /** Model folder. */
  readonly model: string;
  /** Statistics that are mixed. */
  readonly pool: StatisticsPool;
  /** Statistics by which damage is predicted. */
  readonly judges: StatisticsPool;
  /** Of factor without its mix, and of compress without its model. */
  readonly options: { readonly factor: StageOptions; readonly compress: StageOptions };
}

export interface TrialOutcome {
  readonly damage: readonly DamageRecord[];
  /** Seconds of factor and compress: one compression without its capture. */
  readonly compression: number;
  /** Seconds of all. */
  readonly seconds: number;
}

async function outputOf(
  stage: Stage,
  inputs: StageInputs,
  options: StageOptions,
  context: StageContext,
): Promise<ArtifactStream> {
  const [output] = Object.values(await stage.run(inputs, options, context));
  if (output === undefined) throw new InternalError(`stage ${stage.name} made no output`, { stage: stage.name });
  return output;
}

/** Factors, compresses and predicts with one mix: three stages on streams, nothing is kept. */
export async function runTrial(setting: TrialSetting, mix: LanguageMix, context: StageContext): Promise<TrialOutcome> {
  const { stages, model, pool, judges, options } = setting;
  const started = performance.now();
  const secondsSince = (): number => (performance.now() - started) / 1000;
  const factoring = { ...options.factor, mix: formatLanguageMix(mix) };
  const factors = await outputOf(stages.factor, { statistics: [await pool.artifact.open()] }, factoring, context);
  const layers = await outputOf(stages.compress, { factors: [factors] }, { ...options.compress, model }, context);
  let compression = 0;
  const timed = async function* () {
    yield* layers.batches;
    compression = secondsSince();
  };
  const inputs = {
    statistics: [await judges.artifact.open()],
    layers: [{ schema: layers.schema, batches: timed() }],
  };
  const damage = await collect(readDamage(await outputOf(stages.predict, inputs, { model }, context)));
  return { damage, compression, seconds: secondsSince() };
}
