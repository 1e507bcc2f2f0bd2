import { at } from "@mbs/contracts";
import { testCorrelation, pearson } from "@mbs/numbers";
import { fitLine } from "./line-fit.ts";
import { fixedMixes } from "./mixes.ts";
import { methods } from "./methods.ts";
import { decimal, mean, pValue, percent, sum } from "./numbers.ts";
import { drawPlot } from "./plot.ts";
import { equalPool } from "./pool.ts";
import type { Study, StudyContext, StudyResult } from "./study.ts";
import { runTrial } from "./trial.ts";
import type { Trial } from "./trial.ts";

interface ShareRises {
  readonly subject: string;
  readonly method: string;
  readonly mix: string;
  readonly languages: readonly string[];
  readonly logShares: readonly number[];
  /** Mean over seeds. */
  readonly rises: readonly number[];
}

async function runAll({ subjects, seeds, progress }: StudyContext): Promise<ShareRises[]> {
  const all: ShareRises[] = [];
  const total = sum(subjects.map((subject) => fixedMixes(subject).size * methods.length));
  for (const subject of subjects) {
    const languages = [...subject.shares.keys()];
    for (const method of methods) {
      for (const [mix, weights] of fixedMixes(subject)) {
        const trials: Trial[] = [];
        for (const seed of seeds) trials.push(await runTrial(await equalPool(subject, seed), method, weights));
        all.push({
          subject: subject.name,
          method: method.name,
          mix,
          languages,
          logShares: languages.map((language) => Math.log10(subject.shares.get(language) ?? NaN)),
          rises: languages.map((language) => mean(trials.map(({ rises }) => rises.get(language) ?? NaN))),
        });
        progress(all.length, total);
      }
    }
  }
  return all;
}

async function summarise(all: readonly ShareRises[], { seeds }: StudyContext): Promise<StudyResult> {
  const fits = all.map((entry) => ({
    entry,
    fit: fitLine(entry.logShares, entry.rises),
    rank: testCorrelation("spearman", entry.logShares, entry.rises),
    linear: pearson(entry.logShares, entry.rises),
  }));
  const falling = fits.filter(({ rank }) => rank.value < 0 && rank.p < 0.05);
  const rising = fits.filter(({ rank }) => rank.value > 0 && rank.p < 0.05);
  const listed = (some: typeof fits): string =>
    some.length === 0 ? "none" : some.map(({ entry }) => `${entry.subject} ${entry.method} ${entry.mix}`).join("; ");
  return {
    settings: `Rise of perplexity of each language against the logarithm of its training share, means over ${seeds.length} seeds, from the trials of the study of mixes. A negative slope means that larger languages resist better, as the paper says. p by 10,000 permutations.`,
    findings: [
      `Larger languages resist better (Spearman < 0, p < 0.05) in ${falling.length} of ${fits.length} settings: ${listed(falling)}.`,
      `Larger languages suffer more (Spearman > 0, p < 0.05) in ${rising.length} of ${fits.length} settings: ${listed(rising)}.`,
      "The calibration mix is part of the answer: it gives each language its own weight in the Hessian, and the slope moves with it.",
    ],
    tables: [
      {
        caption: "rise = intercept + slope · log10(share)",
        head: ["model, method, mix", "slope a decade", "rise at 1%", "R²", "Pearson", "Spearman", "p"],
        rows: fits.map(({ entry, fit, rank, linear }) => [
          `${entry.subject}, ${entry.method}, ${entry.mix}`,
          percent(fit.slope),
          percent(fit.intercept - 2 * fit.slope),
          decimal(fit.r2),
          decimal(linear),
          decimal(rank.value),
          pValue(rank.p),
        ]),
      },
    ],
    plots: [
      {
        name: "shares",
        caption: "Rise of perplexity against training share, a point a language",
        svg: await drawPlot(
          all.flatMap(({ subject, method, mix, logShares, rises }) =>
            rises.map((y, index) => ({ x: 10 ** at(logShares, index), y, series: mix, panel: `${subject}, ${method}` })),
          ),
          { x: "training share", y: "rise of perplexity", mark: "point", logX: true, percentY: true },
        ),
      },
    ],
    numbers: fits.map(({ entry, fit, rank, linear }) => ({ ...entry, fit, spearman: rank, pearson: linear })),
  };
}

/** Study 3: do larger languages resist better. */
export const sharesStudy: Study = {
  name: "shares",
  title: "Training share against resistance",
  question: "Do languages with a larger share of the training text lose less?",
  work: runAll,
  run: async (context) => summarise(await runAll(context), context),
};
