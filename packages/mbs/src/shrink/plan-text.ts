import { bitsAWeight, formatBytes, isSmaller, sizeAgainst } from "@mbs/contracts";
import type { ModelSize } from "@mbs/contracts";
import { leastWindows } from "@mbs/evaluation";
import type { Estimate } from "@mbs/pipeline";
import { formatShare } from "@mbs/reporting";
import type { ProtectedLanguages } from "./languages.ts";
import { quantisedText } from "./shrink-source.ts";
import type { ShrinkSource } from "./shrink-source.ts";
import type { PlannedTarget } from "./target.ts";
import type { ShrinkTexts } from "./texts.ts";
import { factLines } from "../results/model-inspection.ts";
import { timeText } from "../results/time-text.ts";

/** What is known of a run before its time is estimated. */
export interface ShrinkPlan {
  readonly source: ShrinkSource;
  readonly languages: ProtectedLanguages;
  readonly texts: ShrinkTexts;
  /** What the texts are: "texts that come with mbs", or a path. */
  readonly textsFrom: string;
  /** Windows to score by language, as many as an interval needs, or fewer. */
  readonly windows: ReadonlyMap<string, number>;
  /** Tokens of a window. */
  readonly windowLength: number;
  readonly target: PlannedTarget;
  /** Share of the tokens that is left out, those of other languages alone; absent where all stay. */
  readonly leftOut?: number | undefined;
  readonly recipe: string;
}

/** What an estimate adds. */
interface PlannedEffort {
  readonly segments: number;
  /** Tokens of a segment. */
  readonly segmentLength: number;
  /** Absent where it was begun before: it goes on. */
  readonly estimate?: Estimate | undefined;
  readonly output: string;
}

const sizeOf = (size: ModelSize): string => `${formatBytes(size.bytes)} (${bitsAWeight(size).toFixed(1)} bits a weight)`;

/** "hi, en, km, as much text of each; km counts double". */
function languagesText({ tags, favoured }: ProtectedLanguages): string {
  const counts = favoured.length === 0 ? "" : `; ${favoured.join(", ")} ${favoured.length === 1 ? "counts" : "count"} double`;
  return `${tags.join(", ")}${tags.length === 1 ? "" : ", as much text of each"}${counts}`;
}

function textsText({ texts: { bytes }, textsFrom }: ShrinkPlan): string {
  const least = [...bytes].sort(([, one], [, other]) => one.calibration - other.calibration)[0];
  const heldOut = [...bytes.values()].reduce((sum, own) => sum + own.heldOut, 0);
  const fewest = least === undefined ? "" : `least of ${least[0]}, ${formatBytes(least[1].calibration)}; `;
  return `${textsFrom}: ${fewest}${formatBytes(heldOut)} held out to score on`;
}

/** What languages have too little held-out text, in words; none where all have enough. */
function fewWindowsRow({ windows, windowLength }: ShrinkPlan): readonly PlanRow[] {
  const few = [...windows].filter(([, count]) => count < leastWindows);
  if (few.length === 0) return [];
  const counts = few.map(([language, count]) => (count === 0 ? `none of ${language}` : `${count} of ${language}`)).join(", ");
  return [
    [
      "too little",
      `text to score on: windows of ${windowLength} tokens, ${counts}; of fewer than ${leastWindows} a language has no interval, and the mean has none, so no loss is sure; give more text with --texts`,
    ],
  ];
}

/** Within this factor a result is hardly smaller than its source. */
const hardly = 1.2;

/** The sizes in one line. */
function sizeText({ source, target, leftOut }: ShrinkPlan): string {
  const before = sizeOf(source);
  if (target.bytes === undefined) return `${before}; values stay in 16 bits, so that only what is left out makes it smaller`;
  const bytes = Math.round(target.bytes);
  const after = leftOut === undefined ? sizeOf({ bytes, parameters: source.parameters }) : formatBytes(bytes);
  const saved =
    leftOut === undefined
      ? ""
      : `; ${formatShare(leftOut)} of the tokens are left out, which saves ${formatBytes(Math.round(target.savedBytes))}`;
  const tables = target.tables === undefined ? "" : `; ${formatBytes(Math.round(target.tables))} of it are embedding and head`;
  return `${before} → about ${after}, ${isSmaller(bytes, source.bytes) && isHardlySmaller(source, bytes) ? "only " : ""}${sizeAgainst(bytes, source.bytes)}${saved}${tables}`;
}

const isHardlySmaller = (source: ModelSize, bytes: number): boolean => source.bytes < bytes * hardly;

/** Why the file is not as small as its types are called, and what would be smaller. */
function smallerRows({ source, target: { bytes = 0, fallbacks, smaller, tables } }: ShrinkPlan): readonly PlanRow[] {
  const isTold = fallbacks !== undefined || tables !== undefined || isHardlySmaller(source, bytes);
  return [
    ...(fallbacks === undefined ? [] : [["types", fallbacks] as const]),
    ...(smaller === undefined || !isTold ? [] : [["smaller", smaller] as const]),
  ];
}

type PlanRow = readonly [name: string, text: string];

const rowsText = (rows: readonly PlanRow[]): string =>
  rows.flatMap(([name, text]) => factLines(name, text).map((line) => `${line}\n`)).join("");

/** The plan of a run, a line for each thing; at most 80 columns wide. What is slow to measure comes after it. */
export function planText(plan: ShrinkPlan): string {
  const { source, languages, target, recipe } = plan;
  const others = plan.leftOut === undefined ? "the others stay in the model" : "no others are kept";
  return rowsText([
    ["source", [source.name, quantisedText(source)].filter((part) => part !== undefined).join("; ")],
    ["languages", `${languagesText(languages)}; ${others}`],
    ["texts", textsText(plan)],
    ...fewWindowsRow(plan),
    ["method", `gptq to ${target.stored}`],
    ["size", sizeText(plan)],
    ...smallerRows(plan),
    ["usual", `rounding to nearest, ${target.usual.name}, as the usual tools do: made last, and scored on the same texts`],
    ["recipe", recipe],
  ]);
}

/** The lines of a plan that an estimate is needed for. */
export function effortText({ segments, segmentLength, estimate, output }: PlannedEffort): string {
  const read: PlanRow = ["reads", `${segments} segments of ${segmentLength} tokens`];
  if (estimate === undefined) {
    return rowsText([
      read,
      ["time", `it was begun before, and what is done is not done again: mbs status ${output} says how far it is`],
    ]);
  }
  const { memory, disk } = estimate;
  return rowsText([
    read,
    ["time", timeText(estimate)],
    ["needs", `${formatBytes(memory)} of memory, ${formatBytes(disk.peak)} of disk`],
  ]);
}
