/** What `mbs evaluate --json` prints, as far as a table needs it. */
export interface Report {
  readonly results: readonly { readonly model: string; readonly language: string; readonly perplexity: number }[];
  readonly averages: readonly {
    readonly model: string;
    readonly unweighted: {
      readonly rise?: number;
      readonly riseInterval?: readonly [number, number];
      readonly perplexity: number;
    };
    readonly weighted?: { readonly rise?: number };
    readonly worstRise?: { readonly language: string; readonly rise: number };
  }[];
}

const percent = (rise: number | undefined): string => (rise === undefined ? "" : `${(rise * 100).toFixed(2)}%`);

/** A row a model; a semicolon in a label stands for a comma. */
export function scoresTable(report: Report): string {
  const rows = report.averages.map(({ model: name, unweighted, weighted, worstRise }) => {
    const interval = unweighted.riseInterval?.map(percent).join(" to ") ?? "";
    const worst = worstRise ? `${worstRise.language} ${percent(worstRise.rise)}` : "";
    return `| ${name.replaceAll(";", ",")} | ${unweighted.perplexity.toFixed(3)} | ${percent(unweighted.rise)} | ${interval} | ${percent(weighted?.rise)} | ${worst} |`;
  });
  return [
    "| variant | perplexity (mean of languages) | rise | 95% interval | rise weighted by share | worst language |",
    "|---|---|---|---|---|---|",
    ...rows,
  ].join("\n");
}
