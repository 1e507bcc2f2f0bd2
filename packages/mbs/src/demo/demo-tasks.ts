import { at } from "@mbs/contracts";
import type { TasksReport } from "@mbs/evaluation";
import { formatAgreement, formatRise, formatShareInterval, headings } from "@mbs/reporting";
import type { TextTable } from "@mbs/reporting";
import { demoLabel } from "./demo-plan.ts";
import type { DemoPlan } from "./demo-plan.ts";

/** Right answers of one mix, less the dense model's. */
export interface TaskChange {
  readonly title: string;
  /** Mean over seeds. */
  readonly difference: number;
  /** Whether the paired 95% interval excludes zero with every seed. */
  readonly excludesZero: boolean;
}

export interface TaskLanguage {
  readonly language: string;
  readonly documents: number;
  /** Share of right answers of the dense model. */
  readonly dense: number;
  readonly interval: readonly [number, number];
  readonly chance: number;
  readonly aboveChance: boolean;
  readonly mixes: readonly TaskChange[];
}

/** A language each, in the order of the plan's tasks. */
export type DemoTasks = readonly TaskLanguage[];

/** @param answers of the dense model and of the first method with every mix and seed */
export function demoTasks(plan: DemoPlan, { results, pairs }: TasksReport): DemoTasks {
  const { name } = at(plan.methods, 0);
  return results
    .filter(({ model }) => model === "dense")
    .map(({ task, language, documents, value, interval, chance, aboveChance }) => ({
      language,
      documents,
      dense: value,
      interval,
      chance: chance ?? NaN,
      aboveChance,
      mixes: plan.mixes.map(({ mix, title }) => {
        const labels = new Set(plan.seeds.map((seed) => demoLabel(name, mix, seed)));
        const own = pairs.filter((pair) => pair.task === task && labels.has(pair.model));
        return {
          title,
          difference: own.reduce((sum, { difference }) => sum + difference, 0) / own.length,
          excludesZero: own.every((pair) => pair.excludesZero),
        };
      }),
    }));
}

const points = ({ difference, excludesZero }: TaskChange): string =>
  `${formatRise(difference).slice(0, -1)}${excludesZero ? "*" : ""}`;

/** What the answers say, of languages alone where the dense model does more than guess. */
export function taskFindings(tasks: DemoTasks, method: string): string[] {
  const [first] = tasks;
  if (first === undefined) return [];
  const known = tasks.filter(({ aboveChance }) => aboveChance);
  const guessed = tasks.filter(({ aboveChance }) => !aboveChance).map(({ language }) => language);
  const dense = known.map(({ language, dense: right }) => `${language} ${formatAgreement(right)}`).join(", ");
  const clear = known.flatMap(({ language, mixes }) =>
    mixes.filter(({ excludesZero }) => excludesZero).map((change) => `${language} ${points(change)} ${change.title}`),
  );
  const unknown = guessed.length === 0 ? "" : ` (${guessed.join(", ")}: not above it)`;
  return [
    `Word order, right answers (chance ${formatAgreement(first.chance)}): ${dense}${unknown}; ${method}, points: ${clear.length === 0 ? "no clear change" : clear.join(", ")}.`,
  ];
}

/** Rows: languages. Columns: the dense model, and what each mix changes; nothing where the dense model guesses. */
export function taskTable(tasks: DemoTasks): TextTable {
  const titles = tasks[0]?.mixes.map(({ title }) => title) ?? [];
  return {
    columns: headings(["language"], ["dense", "95% interval", "chance", ...titles]),
    rows: tasks.map(({ language, dense, interval, chance, aboveChance, mixes }) => [
      language,
      formatAgreement(dense),
      formatShareInterval(interval),
      formatAgreement(chance),
      ...mixes.map((change) => (aboveChance ? points(change) : "–")),
    ]),
  };
}
