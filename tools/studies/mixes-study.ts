import { at } from "@mbs/contracts";
import { fixedMixes, minimaxMix, temperature } from "./mixes.ts";
import { methods } from "./methods.ts";
import { mean, percent, percentSpread, spread, sum } from "./numbers.ts";
import type { Spread } from "./numbers.ts";
import { drawPlot } from "./plot.ts";
import { equalPool } from "./pool.ts";
import type { Study, StudyContext, StudyResult, StudyTable } from "./study.ts";
import { runTrial } from "./trial.ts";
import type { Trial } from "./trial.ts";

interface MixRuns {
  readonly subject: string;
  readonly method: string;
  readonly mix: string;
  readonly trials: readonly Trial[];
}

type Merit = "unweighted" | "weighted" | "worst";
const valueOf = (trial: Trial, merit: Merit): number => (merit === "worst" ? trial.worst.rise : trial[merit]);
const spreadOf = ({ trials }: MixRuns, merit: Merit): Spread => spread(trials.map((trial) => valueOf(trial, merit)));

async function runAll({ subjects, seeds, progress }: StudyContext): Promise<MixRuns[]> {
  const runs: MixRuns[] = [];
  const total = sum(subjects.map((subject) => (fixedMixes(subject).size + 1) * methods.length * seeds.length));
  for (const subject of subjects) {
    for (const method of methods) {
      const trials = new Map<string, Trial[]>();
      for (const seed of seeds) {
        const pool = await equalPool(subject, seed);
        for (const [mix, weights] of [...fixedMixes(subject), ["minimax", await minimaxMix(pool, method)] as const]) {
          trials.set(mix, [...(trials.get(mix) ?? []), await runTrial(pool, method, weights)]);
          progress(runs.length * seeds.length + [...trials.values()].flat().length, total);
        }
      }
      for (const [mix, own] of trials) runs.push({ subject: subject.name, method: method.name, mix, trials: own });
    }
  }
  return runs;
}

/** "clearly" where every seed of one is below every seed of the other. */
function compare(runs: readonly MixRuns[], merit: Merit, mix: string, others: readonly string[]): string {
  const find = (name: string): Spread => {
    const found = runs.find((run) => run.mix === name);
    if (found === undefined) throw new Error(`no mix ${name}`);
    return spreadOf(found, merit);
  };
  const own = find(mix);
  const words = others.map((name) => {
    const other = find(name);
    if (own.high < other.low) return `better than ${name}`;
    return own.low > other.high ? `worse than ${name}` : `like ${name}`;
  });
  return `${words.join(", ")} (${percent(own.mean)} against ${others.map((name) => percent(find(name).mean)).join(", ")})`;
}

function tableOf(subject: string, method: string, runs: readonly MixRuns[]): StudyTable {
  return {
    caption: `${subject}, ${method}`,
    head: ["mix", "mean of languages", "weighted by share", "worst language"],
    rows: runs.map((run) => [
      run.mix,
      percentSpread(spreadOf(run, "unweighted")),
      percentSpread(spreadOf(run, "weighted")),
      `${[...new Set(run.trials.map(({ worst }) => worst.language))].join(", ")} ${percentSpread(spreadOf(run, "worst"))}`,
    ]),
  };
}

async function summarise(runs: readonly MixRuns[], context: StudyContext): Promise<StudyResult> {
  const groups = [...new Set(runs.map(({ subject, method }) => JSON.stringify([subject, method])))].map((key) => {
    const [subject, method] = JSON.parse(key) as [string, string];
    return { subject, method, runs: runs.filter((run) => run.subject === subject && run.method === method) };
  });
  const [first] = at(context.subjects, 0).shares.keys();
  const findings = groups.flatMap(({ subject, method, runs: own }) => [
    `${subject}, ${method}: proportional is, by the plain mean, ${compare(own, "unweighted", "proportional", [`${first} only`, "equal"])}; ` +
      `by the weighted mean ${compare(own, "weighted", "proportional", [`${first} only`, "equal"])}; ` +
      `by the worst language ${compare(own, "worst", "proportional", [`${first} only`, "equal"])}.`,
    `${subject}, ${method}: minimax is, by the worst language, ${compare(own, "worst", "minimax", ["proportional", "equal", `temperature ${temperature}`])}.`,
  ]);
  const points = runs.flatMap(({ subject, method, mix, trials }) =>
    (["worst", "weighted"] as const).map((merit) => ({
      x: mean(trials.map((trial) => trial.unweighted)),
      y: mean(trials.map((trial) => valueOf(trial, merit))),
      series: mix,
      panel: `${subject}, ${method}: ${merit === "worst" ? "worst language" : "weighted"}`,
    })),
  );
  return {
    settings: `Every mix is a weighting of the same equal pool: 32 segments of 256 tokens of each of ${at(context.subjects, 0).shares.size} languages, one dense capture a seed; ${context.seeds.length} seeds, with the smallest and largest in brackets; 8 held-out windows of 256 tokens a language. "Better" and "worse" mean that the ranges over seeds do not overlap.`,
    findings,
    tables: groups.map(({ subject, method, runs: own }) => tableOf(subject, method, own)),
    plots: [
      {
        name: "mixes",
        caption: "Rise of the plain mean against the rise of the worst language and of the weighted mean",
        svg: await drawPlot(points, { x: "rise of the plain mean", y: "rise", mark: "point", percentY: true }),
      },
    ],
    numbers: runs.map(({ trials, ...run }) => ({
      ...run,
      trials: trials.map(({ rises, unweighted, weighted, worst }) => ({
        unweighted,
        weighted,
        worst,
        rises: Object.fromEntries(rises),
      })),
    })),
  };
}

/** Study 1: which calibration mix, for which method, on which architecture. */
export const mixesStudy: Study = {
  name: "mixes",
  title: "Proportional against English-only, equal, temperature and minimax",
  question: "Does a proportional mix beat English-only and equal ones, and does it hold for another architecture?",
  work: runAll,
  run: async (context) => summarise(await runAll(context), context),
};
