import type { SweepResults } from "../../packages/models/test/config-sweep/sweep.ts";

/** What the sweep found of a type: a row. */
function typeRow(type: string, { bases }: SweepResults): string {
  const results = Object.values(bases).filter((result) => result.type === type);
  const sum = (count: (result: (typeof results)[number]) => number): number =>
    results.reduce((total, result) => total + count(result), 0);
  const refusedHere = sum((result) => result.refusedHere.length);
  const largest = Math.max(...results.map(({ difference }) => difference)).toExponential(1);
  return `| \`${type}\` | ${sum(({ cases }) => cases)} | ${sum(({ agree }) => agree)} | ${refusedHere} | ${largest} |`;
}

/** Model types of the results, sorted. */
export const sweptTypes = ({ bases }: SweepResults): string[] =>
  [...new Set(Object.values(bases).map(({ type }) => type))].sort();

const [start, end] = ["<!-- made by tools/config-sweep/run.ts -->", "<!-- end -->"];

/** A page with the table of types renewed. @throws where the page has no place for it */
export function withTypesTable(page: string, results: SweepResults): string {
  const [before, rest = ""] = page.split(start);
  const after = rest.split(end)[1];
  if (before === undefined || after === undefined) throw new Error("the page has no place for the table of types");
  const rows = sweptTypes(results).map((type) => typeRow(type, results));
  const head = [
    "| `model_type` | configurations | read alike | refused here alone | largest difference |",
    "|---|---:|---:|---:|---:|",
  ];
  return `${before}${start}\n\n${[...head, ...rows].join("\n")}\n\n${end}${after}`;
}
