import { at } from "@mbs/contracts";
import { enoughSegments, pays } from "./enough-segments.ts";
import { methods } from "./methods.ts";
import { mean, percent, percentSpread, spread } from "./numbers.ts";
import { drawPlot } from "./plot.ts";
import { capturePool } from "./pool.ts";
import type { Study, StudyContext, StudyResult } from "./study.ts";
import { runTrial } from "./trial.ts";
import type { Trial } from "./trial.ts";

const sizes = [8, 16, 32, 64, 128, 256, 512] as const;

/** One model is enough to see the shape. */
const studied = "BLOOM";

interface Size {
  readonly method: string;
  readonly segments: number;
  readonly trials: readonly Trial[];
}

async function runAll({ subjects, seeds, progress }: StudyContext): Promise<Size[]> {
  const all: Size[] = [];
  const subject = subjects.find(({ name }) => name === studied);
  if (subject === undefined) return [];
  for (const segments of sizes) {
    for (const method of methods) {
      const trials: Trial[] = [];
      for (const seed of seeds) {
        trials.push(await runTrial(await capturePool(subject, { mix: "proportional", segments, seed, floor: 0 }), method));
      }
      all.push({ method: method.name, segments, trials });
      progress(all.length, sizes.length * methods.length);
    }
  }
  return all;
}

/** "64", or "512 or more" where the largest number tried is still the best by far. */
function enough(own: readonly Size[], riseOf: (trial: Trial) => number): string {
  const rises = own.map(({ segments, trials }) => ({ segments, rise: spread(trials.map(riseOf)) }));
  const found = enoughSegments(rises);
  return found === sizes.at(-1) ? `${found} or more` : String(found);
}

async function summarise(all: readonly Size[], { subjects, seeds }: StudyContext): Promise<StudyResult> {
  const subject = at(subjects, 0);
  const groups = [...new Set(all.map(({ method }) => method))].map((method) => all.filter((size) => size.method === method));
  const languages = [...subject.shares.keys()];
  return {
    settings: `${subject.name}, proportional samples of 8 to 512 segments of 256 tokens (no floor: in the smallest, rare languages have no text at all), dense propagation, ${seeds.length} seeds, with the smallest and largest in brackets. The English pool has no text for a proportional sample of 1,024 segments without drawing again. A number is enough if no larger one lowers the rise of perplexity by more than ${percent(pays)} without overlap between the seeds of both.`,
    findings: groups.map(
      (own) =>
        `${at(own, 0).method}: ${enough(own, ({ unweighted }) => unweighted)} segments are enough by the plain mean, ` +
        `${enough(own, ({ weighted }) => weighted)} by the weighted mean; ` +
        `by language ${languages.map((language) => `${language} ${enough(own, ({ rises }) => rises.get(language) ?? NaN)}`).join(", ")}.`,
    ),
    tables: groups.map((own) => ({
      caption: `${subject.name}, ${at(own, 0).method}`,
      head: ["segments", "mean of languages", "weighted by share", "worst language"],
      rows: own.map(({ segments, trials }) => [
        String(segments),
        percentSpread(spread(trials.map(({ unweighted }) => unweighted))),
        percentSpread(spread(trials.map(({ weighted }) => weighted))),
        `${[...new Set(trials.map(({ worst }) => worst.language))].join(", ")} ${percentSpread(spread(trials.map(({ worst }) => worst.rise)))}`,
      ]),
    })),
    plots: [
      {
        name: "segments",
        caption: "Rise of perplexity by the number of calibration segments",
        svg: await drawPlot(
          all.flatMap(({ method, segments, trials }) => [
            { x: segments, y: mean(trials.map(({ unweighted }) => unweighted)), series: "mean of languages", panel: method },
            { x: segments, y: mean(trials.map(({ weighted }) => weighted)), series: "weighted by share", panel: method },
            { x: segments, y: mean(trials.map(({ worst }) => worst.rise)), series: "worst language", panel: method },
          ]),
          { x: "segments", y: "rise of perplexity", mark: "line", logX: true, percentY: true },
        ),
      },
    ],
    numbers: all.map(({ trials, ...size }) => ({ ...size, rises: trials.map(({ rises }) => Object.fromEntries(rises)) })),
  };
}

/** Study 7: how much calibration text. */
export const segmentsStudy: Study = {
  name: "segments",
  title: "How many segments",
  question: "How many calibration segments are enough for each language?",
  work: runAll,
  run: async (context) => summarise(await runAll(context), context),
};
