import type { OptionTable } from "@mbs/contracts";

/** The models, corpora, distributions and code that options name; names that are no paths here are among them. */
export const resourcePaths = (table: OptionTable, options: Readonly<Record<string, unknown>>): string[] =>
  Object.entries(options).flatMap(([name, value]) => {
    const kind = table[name]?.kind;
    return kind === "resource" || kind === "code" ? [value].flat().map(String) : [];
  });
