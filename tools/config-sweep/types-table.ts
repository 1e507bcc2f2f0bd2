import type { SweepResults } from "../../packages/models/test/config-sweep/sweep.ts";

const [start, end] = [
  "<!-- the numbers of the table of types are made by tools/config-sweep/run.ts -->",
  "<!-- end of the table of types -->",
];

/** What the sweep found of a type, as the last cells of its row. */
function numbersOf(type: string, { bases }: SweepResults): string {
  const own = Object.values(bases).filter((result) => result.type === type);
  // the page says that it was not run for them
  if (own.length === 0) return "– | – | – | –";
  const sum = (count: (result: (typeof own)[number]) => number): number => own.reduce((all, result) => all + count(result), 0);
  const refusedHere = sum((result) => result.refusedHere.length);
  const largest = Math.max(...own.map(({ difference }) => difference)).toExponential(1);
  return `${sum(({ cases }) => cases)} | ${sum(({ agree }) => agree)} | ${refusedHere} | ${largest}`;
}

/** A row says by hand which models have the type and what is special about it; numbers follow, once there are some. */
const row = /^\| `(?<type>(?!model_type)\w+)` \| (?<words>[^|]+ \| [^|]+) \|.*$/gm;

/** A page with new numbers in its table of types, which is between two marks. */
export function withTypesTable(page: string, results: SweepResults): string {
  const [before, after] = [page.indexOf(start), page.indexOf(end)];
  if (before < 0 || after < before) throw new Error(`the page has no ${start} … ${end}`);
  const table = page.slice(before, after);
  const missing = Object.values(results.bases).find(({ type }) => !table.includes(`\n| \`${type}\` |`));
  if (missing !== undefined) throw new Error(`the table of types has no row that begins with | \`${missing.type}\` |`);
  const renewed = table.replaceAll(
    row,
    (_, type: string, words: string) => `| \`${type}\` | ${words} | ${numbersOf(type, results)} |`,
  );
  return `${page.slice(0, before)}${renewed}${page.slice(after)}`;
}
