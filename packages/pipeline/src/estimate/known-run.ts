import { existsSync } from "node:fs";
import { dirname, resolve } from "node:path";
import type { AllocationWork, StageContext } from "@mbs/contracts";
import { defaultLength } from "@mbs/models";
import type { Model } from "@mbs/models";
import { stageOf } from "../plan/known-stages.ts";
import type { Stages } from "../plan/known-stages.ts";
import type { PreparedRun } from "../plan/prepared-run.ts";
import type { RecipeKeyName } from "../recipe/recipe-keys.ts";
import type { Recipe } from "../recipe/recipe.ts";
import type { RunMachine } from "../run/run-machine.ts";
import { diskNeedFirst } from "./disk.ts";
import type { DiskNeed, SampleSize } from "./disk.ts";
import { graphicsNeed, withGraphics } from "./graphics.ts";
import type { Graphics, GraphicsNeed } from "./graphics.ts";
import { nodeCosts, partNames, secondsOf, spanOf } from "./node-costs.ts";
import type { NodeCosts } from "./node-costs.ts";
import type { RatedRun, Rates } from "./rates.ts";
import { sum } from "./sum.ts";
import { measureTexts } from "./text-size.ts";
import type { TextSize } from "./text-size.ts";

/** Tokens to score in each language. */
function evaluationTokens({ evaluate }: Recipe, texts: TextSize | undefined, length: number): readonly number[] {
  if (evaluate === undefined || texts === undefined) return [];
  const limit = evaluate["windows"] === undefined ? Infinity : Number(evaluate["windows"]);
  return [...texts.tokens.values()].map((tokens) => Math.min(limit, Math.floor(tokens / length)) * length);
}

const evaluationKey: RecipeKeyName = "evaluate";

/** The folder that a new one would be made in: an estimate makes none. */
const existingFolder = (path: string): string => (existsSync(dirname(path)) ? dirname(path) : existingFolder(dirname(path)));

/** What a run is made of, as far as its time, memory and disk go. */
interface GivenRun {
  readonly prepared: PreparedRun;
  /** Of its recipe. */
  readonly model: Model;
  /** Its size, and the seconds of drawing it. */
  readonly sample: SampleSize & { readonly seconds: number };
  readonly machine: RunMachine;
  /** Undefined where it takes the processor. */
  readonly graphics: Graphics | undefined;
}

/** What is known of a run before it runs: all that its time, memory and disk follow from. */
export interface KnownRun extends GivenRun {
  /** Of this machine, without a graphics processor. */
  readonly rates: Rates;
  readonly allocation: AllocationWork | undefined;
  /** What is held out to score on; undefined where a recipe evaluates nothing, or tasks alone. */
  readonly heldOut: TextSize | undefined;
  /** Tokens to score, by language. */
  readonly heldOutTokens: readonly number[];
  readonly disk: DiskNeed;
}

/** @param ratesFor the rates of this machine for a run */
export async function knowRun(
  given: GivenRun,
  ratesFor: (run: RatedRun) => Promise<Rates>,
  { stages, signal, progress }: { readonly stages: Stages } & Pick<StageContext, "signal" | "progress">,
): Promise<KnownRun> {
  const { prepared, model, sample, machine } = given;
  const { recipe, plan } = prepared;
  const corpus = recipe.evaluate?.["corpus"];
  // complete options, which the recipe's own need not be
  const scoring = plan.nodes.find(({ section }) => section.join() === evaluationKey);
  const languages = scoring?.options["languages"] as readonly string[] | undefined;
  const heldOut = typeof corpus === "string" ? await measureTexts({ corpus, languages }, model, { signal, progress }) : undefined;
  const window = Number(recipe.evaluate?.["length"] ?? defaultLength(model.contextLength));
  const chosen = plan.nodes.find(({ stage }) => stages.get(stage)?.allocationWork !== undefined);
  const allocation = chosen && (await stageOf(stages, chosen.stage).allocationWork?.(chosen.options));
  const probe = { recipe, length: sample.length, work: allocation, threads: machine.threads };
  return {
    ...given,
    rates: await ratesFor({ model, probe, folder: existingFolder(resolve(recipe.output)) }),
    allocation,
    heldOut,
    heldOutTokens: evaluationTokens(recipe, heldOut, window),
    disk: diskNeedFirst(recipe, model, sample),
  };
}

export const scoredModels = ({ beside = {} }: Recipe): number => 2 + Object.keys(beside).length;

/** Seconds of the evaluation on one worker. */
function evaluationSeconds({ prepared, model, heldOut, heldOutTokens }: KnownRun, rates: Rates): number {
  if (heldOut === undefined) return 0;
  const models = scoredModels(prepared.recipe);
  const tokens = sum(heldOutTokens, (count) => count);
  const blocks = model.blocks.length;
  // the run's own model is open already
  const opening = (models - 1) * rates.open + models * blocks * rates.weights;
  const isCompared = models > 1 && prepared.recipe.evaluate?.["distances"] !== "off";
  // each of the others beside the first
  const predicting = isCompared ? (models - 1) * rates.compare : models * rates.head;
  return heldOut.readSeconds + tokens / heldOut.tokensPerSecond + opening + tokens * (models * blocks * rates.block + predicting);
}

/** What the nodes of a run take, with a sample of a size. */
export function costsOfRun(
  known: KnownRun,
  { segments }: Pick<SampleSize, "segments"> = known.sample,
): ReturnType<typeof nodeCosts> {
  const { prepared, model, machine, graphics, disk, allocation } = known;
  const { recipe, plan } = prepared;
  const rates = graphics === undefined ? known.rates : withGraphics(known.rates, graphics);
  const sample = { ...known.sample, segments };
  const evaluation = evaluationSeconds(known, rates);
  return nodeCosts(plan, { recipe, model, rates, sample, disk, allocation, evaluation, isAlone: machine.workers === 1 });
}

export interface TimePart {
  readonly name: string;
  readonly seconds: number;
}

/** Seconds of a run by what they are spent on. @param size of its sample; default: as it was drawn */
export function partsOfRun(known: KnownRun, size: SampleSize = known.sample): readonly TimePart[] {
  const { prepared, graphics, machine } = known;
  const { nodes } = prepared.plan;
  const costs = costsOfRun(known, size);
  const costsAt = ({ id }: { readonly id: string }): NodeCosts => costs.get(id) ?? {};
  // workers share the graphics processor
  const span = spanOf(nodes, (node) => secondsOf(costsAt(node)), graphics === undefined ? machine.workers : 1);
  const share = span / sum(nodes, (node) => secondsOf(costsAt(node)));
  const parts = partNames.map((name) => ({ name, seconds: share * sum(nodes, (node) => costsAt(node)[name] ?? 0) }));
  const copied = graphicsNeedOf(known, size);
  const copies = graphics && copied ? [{ name: "copies", seconds: (copied.uploaded + copied.downloaded) / graphics.bytes }] : [];
  return [...parts.filter(({ seconds }) => seconds > 0), ...copies];
}

export function graphicsNeedOf(
  { prepared, model, machine, graphics, heldOutTokens }: KnownRun,
  sample: SampleSize,
): GraphicsNeed | undefined {
  if (graphics === undefined) return undefined;
  const { recipe } = prepared;
  const tokens = sum(heldOutTokens, (count) => count);
  return graphicsNeed({
    recipe,
    model,
    sample,
    heldOutTokens: tokens,
    scoredModels: scoredModels(recipe),
    workers: machine.workers,
  });
}

export const totalOf = (parts: readonly TimePart[]): number => sum(parts, ({ seconds }) => seconds);
