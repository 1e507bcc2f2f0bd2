import type { Score, SimilarityRecord } from "@mbs/artifacts";
import { scoresReport } from "@mbs/evaluation";
import { quickPlan } from "../../src/demo/demo-plan.ts";
import type { DemoPlan } from "../../src/demo/demo-plan.ts";
import { demoLabel, demoResults } from "../../src/demo/demo-results.ts";
import type { DemoResults } from "../../src/demo/demo-results.ts";

const languages = Array.from({ length: 16 }, (_, index) => (index === 0 ? "en" : `l${String(index).padStart(2, "0")}`));

/** Angles grow with the distance between numbers, from 0 to 75 degrees. */
export const similarities: readonly SimilarityRecord[] = languages.flatMap((first, i) =>
  languages
    .slice(i + 1)
    .map((second, j) => ({ step: "h.0", site: "input", measure: "degrees", first, second, value: 5 * (j + 1) })),
);

/** Relative rises of log-perplexity that English-only and other mixes cost a language. */
const cost = (mix: string, language: number): number =>
  mix === "only:en" ? 0.01 + 0.01 * language : mix === "equal" ? 0.02 : 0.021;

function makeScores(plan: DemoPlan): Score[] {
  const models = [
    { label: "dense", extra: (): number => 0 },
    ...plan.methods.flatMap(({ name }) =>
      plan.mixes.flatMap(({ mix }) =>
        plan.seeds.map((seed) => ({
          label: demoLabel(name, mix, seed),
          extra: (language: number): number => cost(mix, language) * (1 + seed / 10),
        })),
      ),
    ),
  ];
  return models.flatMap(({ label, extra }) =>
    languages.flatMap((language, index) =>
      Array.from({ length: 6 }, (_, window) => ({
        model: label,
        address: label,
        language,
        source: "",
        window,
        nll: 255 * (3 + window / 10 + extra(index)),
        tokens: 255,
        bytes: 700,
      })),
    ),
  );
}

/** Results of a demo in which English-only costs more the farther a language is from English. */
export function fabricate(seeds: readonly number[] = quickPlan.seeds): DemoResults {
  const known = made.get(seeds.length) ?? make({ ...quickPlan, seeds });
  made.set(seeds.length, known);
  return known;
}

const made = new Map<number, DemoResults>();

function make(plan: DemoPlan): DemoResults {
  const shares = new Map(languages.map((language, index) => [language, 2 ** -(index + 1)]));
  const all = Object.fromEntries(languages.map((language) => [language, 4]));
  const counts = new Map([
    ["only:en", { en: 64 }],
    ["equal", all],
    ["proportional", all],
  ]);
  return demoResults(plan, scoresReport(makeScores(plan), Object.fromEntries(shares), "dense"), shares, counts, similarities);
}
