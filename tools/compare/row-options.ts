import { resolve } from "node:path";
import { parseArgs } from "node:util";

/** Options of a script that looks at rows which tools/compare/run.ts has made. */
export interface RowOptions {
  /** Folders and the dense model, as run.ts was given them, as absolute paths. */
  readonly model: string;
  readonly texts: string;
  readonly output: string;
  /** Names of rows. */
  readonly rows: readonly string[];
  readonly threads: string;
}

/**
 * Reads the options of such a script.
 *
 * @param script its name, for the usage
 * @param others options of its own, each a text that it needs
 */
export function parseRowOptions<Own extends string = never>(
  script: string,
  ...others: readonly Own[]
): RowOptions & Readonly<Record<Own, string>> {
  const needed = ["model", "texts", "output", ...others, "rows"];
  const options = Object.fromEntries(needed.map((name) => [name, { type: "string" as const }]));
  const { values } = parseArgs({ options: { ...options, threads: { type: "string", default: "1" } } });
  const given = new Map(Object.entries(values));
  const valueOf = (name: string): string => {
    const value = given.get(name);
    if (value !== undefined) return value;
    const usage = needed.map((own) => `--${own} ${own === "rows" ? "ROW,…" : own.toUpperCase()}`);
    throw new Error(`usage: ${script} ${usage.join(" ")} [--threads N]`);
  };
  const own = Object.fromEntries(others.map((name) => [name, valueOf(name)])) as Record<Own, string>;
  return {
    ...own,
    model: resolve(valueOf("model")),
    texts: resolve(valueOf("texts")),
    output: resolve(valueOf("output")),
    rows: valueOf("rows").split(","),
    threads: valueOf("threads"),
  };
}
