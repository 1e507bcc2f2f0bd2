/** The committed numbers of a comparison: docs/measured/real-models/comparison*.json. */
import type { ComparedRow, Losses, Nats } from "./comparison.ts";
import type { Spent } from "./row-files.ts";

/** What is known of a row besides its name. */
export type RowNumbers = Pick<ComparedRow, "losses" | "perplexity">;

/** Numbers of a comparison, by names of rows. */
export interface ComparisonNumbers {
  /** Perplexity of the dense model by language. */
  readonly dense: ReadonlyMap<string, number>;
  readonly rows: ReadonlyMap<string, RowNumbers>;
  readonly spent: ReadonlyMap<string, Spent>;
}

type WrittenRow = Omit<Losses, "languages"> & {
  readonly name: string;
  readonly perplexity: number;
  readonly languages: Readonly<Record<string, Nats>>;
  readonly spent?: Spent;
};

/** JSON of the numbers; {@link parseNumbers} reads it. */
export function formatNumbers({ dense, rows, spent }: ComparisonNumbers): string {
  const written = [...rows].map(([name, { perplexity, losses }]): WrittenRow => {
    const { languages, ...averages } = losses;
    const took = spent.get(name);
    return {
      name,
      perplexity,
      languages: Object.fromEntries(languages),
      ...averages,
      ...(took !== undefined && { spent: took }),
    };
  });
  return `${JSON.stringify({ dense: Object.fromEntries(dense), rows: written })}\n`;
}

/** Reads what {@link formatNumbers} has written. */
export function parseNumbers(text: string): ComparisonNumbers {
  const { dense, rows } = JSON.parse(text) as {
    readonly dense: Readonly<Record<string, number>>;
    readonly rows: readonly WrittenRow[];
  };
  return {
    dense: new Map(Object.entries(dense)),
    rows: new Map(
      rows.map(({ name, perplexity, languages, mean, weighted, worst }) => [
        name,
        { perplexity, losses: { languages: new Map(Object.entries(languages)), mean, weighted, worst } },
      ]),
    ),
    spent: new Map(rows.flatMap(({ name, spent }) => (spent === undefined ? [] : [[name, spent] as const]))),
  };
}

/** What storing the same weights in bf16 changes of a perplexity stays below this share (0.14% on SmolLM2); other texts differ by more. */
const roundings = 0.005;

/** Whether two are perplexities of one model on the same texts, be it read from a file of another dtype or on another processor. */
export const sameNumbers = (first: ReadonlyMap<string, number>, second: ReadonlyMap<string, number>): boolean =>
  first.size === second.size &&
  [...first].every(([key, value]) => Math.abs((second.get(key) ?? Infinity) / value - 1) < roundings);
