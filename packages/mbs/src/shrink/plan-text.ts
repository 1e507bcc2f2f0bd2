import { bitsAWeight, formatBytes } from "@mbs/contracts";
import type { ModelSize } from "@mbs/contracts";
import type { Estimate } from "@mbs/pipeline";
import { formatShare, wrapLines } from "@mbs/reporting";
import type { ProtectedLanguages } from "./languages.ts";
import type { ShrinkSource } from "./shrink-source.ts";
import type { PlannedTarget } from "./target.ts";
import type { ShrinkTexts } from "./texts.ts";
import { timeText } from "../results/time-text.ts";

/** All that the plan says. */
export interface ShrinkPlan {
  readonly source: ShrinkSource;
  readonly languages: ProtectedLanguages;
  readonly texts: ShrinkTexts;
  /** What the texts are: "calibration pack", or a path. */
  readonly textsFrom: string;
  readonly target: PlannedTarget;
  readonly segments: number;
  readonly segmentLength: number;
  /** Share of the tokens that is left out, those of other languages alone; absent where all stay. */
  readonly leftOut?: number | undefined;
  /** Absent where it was begun before: it goes on. */
  readonly estimate?: Estimate | undefined;
  readonly output: string;
  readonly recipe: string;
}

const sizeOf = (size: ModelSize): string => `${formatBytes(size.bytes)} (${bitsAWeight(size).toFixed(1)} bits a weight)`;

/** "hi, en, km, as much text of each; km counts double". */
function languagesText({ tags, favoured }: ProtectedLanguages): string {
  const counts = favoured.length === 0 ? "" : `; ${favoured.join(", ")} ${favoured.length === 1 ? "counts" : "count"} double`;
  return `${tags.join(", ")}${tags.length === 1 ? "" : ", as much text of each"}${counts}`;
}

function textsText({ texts: { bytes }, textsFrom, segments, segmentLength }: ShrinkPlan): string {
  const least = [...bytes].sort(([, one], [, other]) => one.calibration - other.calibration)[0];
  const heldOut = [...bytes.values()].reduce((sum, own) => sum + own.heldOut, 0);
  const unscored = [...bytes].filter(([, own]) => own.heldOut === 0).map(([language]) => language);
  const lacking = unscored.length === 0 ? "" : `, none of ${unscored.join(", ")}`;
  const fewest = least === undefined ? "" : `; least of ${least[0]}, ${formatBytes(least[1].calibration)}`;
  return `${textsFrom}: ${segments} segments of ${segmentLength} tokens${fewest}; ${formatBytes(heldOut)} held out to score on${lacking}`;
}

/** What else would make the file smaller, where its embedding decides. */
const tablesText = ({ tables }: PlannedTarget): string =>
  tables === undefined
    ? ""
    : `; ${formatBytes(Math.round(tables.bytes))} of it are embedding and head, which --size makes smaller too, to about ${formatBytes(Math.round(tables.smallest))} in all`;

/** The size in one line, and why the result is not smaller where it is not. */
function sizeText({ source, target, estimate, leftOut }: ShrinkPlan): string {
  const before = sizeOf(source);
  const planned = leftOut === undefined ? estimate?.size : undefined;
  if (planned?.notSmaller !== undefined) return `${before}; ${planned.notSmaller}`;
  const bytes = planned?.bytes ?? target.bytes;
  if (bytes === undefined) return `${before}; values stay in 16 bits, so that only what is left out makes it smaller`;
  if (leftOut === undefined) {
    return `${before} → about ${sizeOf({ bytes: Math.round(bytes), parameters: source.parameters })}${tablesText(target)}`;
  }
  const saved = `${formatShare(leftOut)} of the tokens are left out, which saves ${formatBytes(Math.round(target.savedBytes))}`;
  return `${before} → about ${formatBytes(Math.round(bytes))}; ${saved}`;
}

type PlanRow = readonly [name: string, text: string];

function timeRows({ estimate, output }: ShrinkPlan): readonly PlanRow[] {
  if (estimate === undefined) {
    return [["time", `it was begun before, and what is done is not done again: mbs status ${output} says how far it is`]];
  }
  const { memory, disk } = estimate;
  return [
    ["time", timeText(estimate)],
    ["needs", `${formatBytes(memory)} of memory, ${formatBytes(disk.peak)} of disk`],
  ];
}

/** The plan of a run, a line for each thing; at most 80 columns wide. */
export function planText(plan: ShrinkPlan): string {
  const { source, languages, target, recipe } = plan;
  const quantised =
    source.quantisedBits === undefined ? "" : "; quantised already, so losses are against this file, not its 16-bit original";
  const others = plan.leftOut === undefined ? "the others stay in the model" : "no others are kept";
  const rows: readonly PlanRow[] = [
    ["model", `${source.name}${quantised}`],
    ["languages", `${languagesText(languages)}; ${others}`],
    ["texts", textsText(plan)],
    ["method", `gptq to ${target.stored}`],
    ["size", sizeText(plan)],
    ...timeRows(plan),
    ["beside", `rounding to nearest, ${target.usual.name}, as the usual tools do, scored on the same texts`],
    ["recipe", recipe],
  ];
  return `${rows.flatMap(([name, text]) => wrapLines(text, name.padEnd(11), " ".repeat(11))).join("\n")}\n`;
}
