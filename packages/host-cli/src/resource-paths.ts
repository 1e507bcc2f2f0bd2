import type { OptionTable } from "@mbs/contracts";

/** The models, corpora and distributions that options name; names that are no paths here are among them. */
export const resourcePaths = (table: OptionTable, options: Readonly<Record<string, unknown>>): string[] =>
  Object.entries(options).flatMap(([name, value]) => (table[name]?.kind === "resource" ? [value].flat().map(String) : []));
