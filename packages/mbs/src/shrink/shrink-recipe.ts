import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { stringify } from "yaml";
import { favour, windowsOf } from "./defaults.ts";
import type { ProtectedLanguages } from "./languages.ts";
import type { PlannedTarget } from "./target.ts";
import type { ShrinkTexts } from "./texts.ts";

/** What a run of `mbs shrink` is made of, once all is chosen. */
export interface ShrinkChoices {
  /** As it was given. */
  readonly model: string;
  readonly output: string;
  readonly target: PlannedTarget;
  readonly texts: Pick<ShrinkTexts, "calibration" | "heldOut">;
  readonly languages: Pick<ProtectedLanguages, "tags" | "favoured">;
  readonly segments: number;
  /** Tokens of a segment, and of a held-out window. */
  readonly segmentLength: number;
  readonly windowLength: number;
  /** Whether the tokens of other languages are left out. */
  readonly onlyLanguages: boolean;
  /** A file or folder with the model's training mixture, where it has one: the weighted mean is by it. */
  readonly shares?: string | undefined;
  /** What the model must keep, in the words of `mbs gate`. */
  readonly gate?: Readonly<Record<string, unknown>> | undefined;
}

/** The labels of the models in scores and plots: the source, the result, and rounding to nearest. */
export const sourceLabel = "source";
export const ownLabel = "shrunk";
export const usualLabel = "usual";

/** The folder of texts, a part of them held out. */
export const textsFolder = (output: string): string => join(output, "texts");

/** The folder that the recipe writes into, beside the texts: a run takes a folder of its own. */
export const shrunkFolder = (output: string): string => join(output, "shrunk");

/** The folder of the recipe that rounds to nearest. */
const usualFolder = (output: string): string => join(output, "usual");

/** The folder of a run: of what `mbs shrink` wrote the one in it that was begun last. */
export async function runOf(output: string): Promise<string> {
  const found = await Promise.all(
    [shrunkFolder(output), usualFolder(output)].map(async (folder) => {
      const begun = await stat(join(folder, "run")).catch(() => undefined);
      const status = await stat(join(folder, "run", "status.json")).catch(() => undefined);
      return begun === undefined ? [] : [{ folder, at: status?.mtimeMs ?? 0 }];
    }),
  );
  const [newest] = found.flat().sort((one, other) => other.at - one.at);
  return newest?.folder ?? output;
}

/** The files of the two recipes. */
export const recipePath = (output: string): string => join(output, "shrink.yaml");
export const usualPath = (output: string): string => join(output, "usual.yaml");

/** The page of the results. */
export const reportPath = (output: string): string => join(output, "report.html");

/** Names of all that is written into an output folder. */
export const ownNames: ReadonlySet<string> = new Set(
  [textsFolder, shrunkFolder, usualFolder, recipePath, usualPath, reportPath].map((pathIn) => pathIn("")),
);

/** As much text of each language, in four digits, as `--mix` takes it. */
const equalMix = ({ languages: { tags } }: ShrinkChoices): string =>
  tags.map((tag) => `${tag}=${Number((1 / tags.length).toPrecision(4))}`).join(",");

/** What languages count in the statistics, where that is not the same. */
const captureKeys = ({ languages: { tags, favoured } }: ShrinkChoices): Readonly<Record<string, unknown>> =>
  favoured.length === 0 || favoured.length === tags.length
    ? {}
    : { capture: { mix: tags.map((tag) => `${tag}=${favoured.includes(tag) ? favour : 1}`).join(",") } };

const keys = ({ model, texts, languages, onlyLanguages }: ShrinkChoices): Readonly<Record<string, unknown>> => ({
  model,
  ...(onlyLanguages && { trim: { keep: languages.tags } }),
  corpus: texts.calibration,
});

/** How a model is scored beside the source. @param label of the model */
const evaluation = ({ texts, windowLength, shares }: ShrinkChoices, label: string): Readonly<Record<string, unknown>> => ({
  corpus: texts.heldOut,
  labels: [sourceLabel, label],
  length: windowLength,
  windows: windowsOf,
  ...(shares !== undefined && { shares }),
});

/** The recipe as text, with a line on top that says where it is from. */
export function shrinkRecipe(choices: ShrinkChoices): string {
  const { output, target, segments, segmentLength, gate } = choices;
  const recipe = {
    ...keys(choices),
    sample: { mix: equalMix(choices), segments, length: segmentLength, allowShort: true },
    ...captureKeys(choices),
    ...target.ours,
    evaluate: evaluation(choices, ownLabel),
    ...(gate !== undefined && { gate }),
    output: shrunkFolder(output),
  };
  return `# Written by mbs shrink; mbs run repeats it.\n${stringify(recipe)}`;
}

/** How much text an earlier `mbs shrink` has begun with; undefined where there was none. The run refuses what else differs. */
export async function begunSegments(output: string): Promise<number | undefined> {
  const text = await readFile(recipePath(output), "utf8").catch(() => "");
  const segments = /^ {2}segments: (\d+)$/m.exec(text)?.[1];
  return segments === undefined ? undefined : Number(segments);
}

/** The recipe of the same model rounded to nearest, scored on the same texts. */
export function usualRecipe(choices: ShrinkChoices): string {
  const { compress, assemble } = choices.target.usual;
  const recipe = {
    ...keys(choices),
    sample: { mix: equalMix(choices), segments: 1, length: choices.segmentLength, floor: 0, allowShort: true },
    compress,
    assemble: { ...assemble, card: false },
    evaluate: evaluation(choices, usualLabel),
    output: usualFolder(choices.output),
  };
  return `# Written by mbs shrink: rounding to nearest, to compare with.\n${stringify(recipe)}`;
}
