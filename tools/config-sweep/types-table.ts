import type { SweepResults } from "../../packages/models/test/config-sweep/sweep.ts";

/** What stands before and behind a table of types: that of the page's beginning, and that of encoders. */
const tables =
  /(?<=<!-- the numbers of the table of types are made by tools\/config-sweep\/run\.ts -->).*?(?=<!-- end of the table of types -->)/gs;

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
const row = /^\| `(?<type>(?!model_type)[\w-]+)` \| (?<words>[^|]+ \| [^|]+) \|.*$/gm;

/** A page with new numbers in its tables of types, each of which is between two marks. */
export function withTypesTable(page: string, results: SweepResults): string {
  const rows = (page.match(tables) ?? []).join("");
  const missing = Object.values(results.bases).find(({ type }) => !rows.includes(`\n| \`${type}\` |`));
  if (missing !== undefined) throw new Error(`the tables of types have no row that begins with | \`${missing.type}\` |`);
  return page.replaceAll(tables, (table) =>
    table.replaceAll(row, (_, type: string, words: string) => `| \`${type}\` | ${words} | ${numbersOf(type, results)} |`),
  );
}
