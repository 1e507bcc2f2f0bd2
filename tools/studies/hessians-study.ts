import { at } from "@mbs/contracts";
import { readStatistics } from "@mbs/artifacts";
import { testCorrelation } from "@mbs/numbers";
import { logSpectralDistance, logSpectrum, mixGrams, relativeFrobenius } from "./hessian-distance.ts";
import type { Gram } from "./hessian-distance.ts";
import { sparsegpt } from "./methods.ts";
import { fixedMixes, onlyMix } from "./mixes.ts";
import { decimal, mean, pValue } from "./numbers.ts";
import { drawPlot } from "./plot.ts";
import { equalPool } from "./pool.ts";
import type { Pool } from "./pool.ts";
import type { Study, StudyContext, StudyResult } from "./study.ts";
import type { Subject } from "./subject.ts";
import { runTrial } from "./trial.ts";
import type { Weights } from "./trial.ts";

const distances = ["relative Frobenius", "log-spectral", "worst language"] as const;
const merits = ["unweighted", "weighted", "worst"] as const;
/** Eigenvalues are computed at sites of at most this width. */
const spectrumWidth = 512;

type Numbers<Key extends string> = Readonly<Record<Key, number>>;

interface MixMerits {
  readonly subject: string;
  readonly mix: string;
  readonly kind: "several languages" | "one language";
  readonly merits: Numbers<(typeof merits)[number]>;
}

interface MixDistance extends MixMerits {
  readonly distances: Numbers<(typeof distances)[number]>;
}

function mixesOf(subject: Subject): ReadonlyMap<string, Weights> {
  const tempered = [0.5, 0.7, 1.5].map(
    (alpha) =>
      [`temperature ${alpha}`, new Map([...subject.shares].map(([language, share]) => [language, share ** alpha]))] as const,
  );
  const singles = [...subject.shares.keys()].map((language) => [`${language} only`, onlyMix(language)] as const);
  return new Map([...fixedMixes(subject), ...tempered, ...singles]);
}

/** The Grams of a pool, site by site. */
async function* sitesOf({ statistics, subject }: Pool): AsyncGenerator<ReadonlyMap<string, Gram>> {
  let site = "";
  let grams = new Map<string, Gram>();
  for await (const statistic of readStatistics(await subject.lab.open(statistics))) {
    if (statistic.kind !== "gram") continue;
    const key = `${statistic.step} ${statistic.site}`;
    if (key !== site && grams.size > 0) {
      yield grams;
      grams = new Map();
    }
    site = key;
    grams.set(statistic.language, { width: statistic.width, values: Float64Array.from(statistic.values) });
  }
  if (grams.size > 0) yield grams;
}

async function poolsOf(subject: Subject, seeds: readonly number[]): Promise<Pool[]> {
  const pools: Pool[] = [];
  for (const seed of seeds) pools.push(await equalPool(subject, seed));
  return pools;
}

/** Every site of every pool. */
async function* sitesOfAll(pools: readonly Pool[]): ReturnType<typeof sitesOf> {
  for (const pool of pools) yield* sitesOf(pool);
}

/** Mean over the pools' sites of each distance of each mix's H from that of the training mixture. */
async function measureDistances(pools: readonly Pool[]): Promise<ReadonlyMap<string, MixDistance["distances"]>> {
  const { subject } = at(pools, 0);
  const sums = new Map<string, Record<(typeof distances)[number], number[]>>();
  for await (const grams of sitesOfAll(pools)) {
    const target = mixGrams(grams, subject.shares);
    const wide = target.width > spectrumWidth;
    const spectrum = wide ? [] : logSpectrum(target);
    for (const [mix, weights] of mixesOf(subject)) {
      const own = mixGrams(grams, weights);
      const sum = sums.get(mix) ?? { "relative Frobenius": [], "log-spectral": [], "worst language": [] };
      sums.set(mix, sum);
      sum["relative Frobenius"].push(relativeFrobenius(own, target));
      if (!wide) sum["log-spectral"].push(logSpectralDistance(logSpectrum(own), spectrum));
      sum["worst language"].push(Math.max(...[...grams.values()].map((gram) => relativeFrobenius(own, gram))));
    }
  }
  return new Map(
    [...sums].map(([mix, sum]) => [
      mix,
      {
        "relative Frobenius": mean(sum["relative Frobenius"]),
        "log-spectral": mean(sum["log-spectral"]),
        "worst language": mean(sum["worst language"]),
      },
    ]),
  );
}

/** Compresses with every mix, and averages over the seeds. */
async function runTrials({ subjects, seeds, progress }: StudyContext): Promise<MixMerits[]> {
  const all: MixMerits[] = [];
  for (const subject of subjects) {
    const pools = await poolsOf(subject, seeds);
    const mixes = mixesOf(subject);
    for (const [mix, weights] of mixes) {
      const trials = [];
      for (const pool of pools) trials.push(await runTrial(pool, sparsegpt(), weights));
      all.push({
        subject: subject.name,
        mix,
        kind: weights.size === 1 ? "one language" : "several languages",
        merits: {
          unweighted: mean(trials.map((trial) => trial.unweighted)),
          weighted: mean(trials.map((trial) => trial.weighted)),
          worst: mean(trials.map((trial) => trial.worst.rise)),
        },
      });
      progress(all.length, subjects.length * mixes.size);
    }
  }
  return all;
}

/** The distances need no compression: they are measured once, where the page is made. */
async function runAll(context: StudyContext): Promise<MixDistance[]> {
  const all: MixDistance[] = [];
  const trials = await runTrials(context);
  for (const subject of context.subjects) {
    const measured = await measureDistances(await poolsOf(subject, context.seeds));
    for (const entry of trials.filter(({ subject: name }) => name === subject.name)) {
      const found = measured.get(entry.mix);
      if (found === undefined) throw new Error(`no distance of ${entry.mix}`);
      all.push({ ...entry, distances: found });
    }
  }
  return all;
}

async function summarise(all: readonly MixDistance[], { seeds }: StudyContext): Promise<StudyResult> {
  const subjects = [...new Set(all.map(({ subject }) => subject))];
  const tests = subjects.flatMap((subject) =>
    (["all", "several languages"] as const).flatMap((among) => {
      const own = all.filter((entry) => entry.subject === subject && (among === "all" || entry.kind === among));
      return distances.flatMap((distance) =>
        merits.map((merit) => ({
          subject,
          among,
          mixes: own.length,
          distance,
          merit,
          ...testCorrelation(
            "spearman",
            own.map((entry) => entry.distances[distance]),
            own.map((entry) => entry.merits[merit]),
          ),
        })),
      );
    }),
  );
  const at = (subject: string, among: string, distance: string, merit: string): string => {
    const found = tests.find(
      (test) => test.subject === subject && test.among === among && test.distance === distance && test.merit === merit,
    );
    return found === undefined ? "–" : `${decimal(found.value)} (${pValue(found.p)})`;
  };
  return {
    settings: `SparseGPT 50%, dense propagation, equal pool of 32 segments of 256 tokens a language; the training mixture's H is that of the pool weighted by the known shares. Distances are means over all sites (the spectrum: sites of at most ${spectrumWidth} columns); distances and rises are means over ${seeds.length} seeds. "Worst language": the largest relative Frobenius distance from the H of any one language. Spearman's correlations of distance and rise, p in brackets. The mixes of several languages are one family, shares to the power of 0, 0.3, 0.5, 0.7, 1 and 1.5; of ${tests.length} tests some fall below 0.05 by chance.`,
    findings: subjects.flatMap((subject) =>
      distances.map((distance) => {
        const among = (kind: string): string =>
          `${at(subject, kind, distance, "weighted")} with the weighted mean, ${at(subject, kind, distance, "unweighted")} with the ` +
          `plain one, ${at(subject, kind, distance, "worst")} with the worst language`;
        return `${subject}, ${distance}: over all mixes ${among("all")}; among mixes of several languages ${among("several languages")}.`;
      }),
    ),
    tables: subjects.flatMap((subject) =>
      (["all", "several languages"] as const).map((among) => ({
        caption: `${subject}, ${among === "all" ? "all mixes" : "mixes of several languages"}: Spearman's correlation of distance and rise (p)`,
        head: ["distance", "plain mean", "weighted", "worst language"],
        rows: distances.map((distance) => [distance, ...merits.map((merit) => at(subject, among, distance, merit))]),
      })),
    ),
    plots: [
      {
        name: "hessians",
        caption: "Distance of each mix's H from the training mixture's against the weighted rise of perplexity",
        svg: await drawPlot(
          all.map(({ subject, kind, distances: far, merits: rise }) => ({
            x: far["relative Frobenius"],
            y: rise.weighted,
            series: kind,
            panel: subject,
          })),
          { x: "relative Frobenius distance", y: "weighted rise of perplexity", mark: "point", percentY: true },
        ),
      },
    ],
    numbers: { mixes: all, tests },
  };
}

/** Study 6: does a Hessian nearer to the training mixture's give a better model. */
export const hessiansStudy: Study = {
  name: "hessians",
  title: "Distribution against the quality of the Hessian",
  question: "Does a calibration mix whose Hessian is nearer to that of the whole training mixture do less damage?",
  work: runTrials,
  run: async (context) => summarise(await runAll(context), context),
};
