import { collectScores, parseMetadata } from "@mbs/artifacts";
import { FailedPreconditionError } from "@mbs/contracts";
import { averageLanguages } from "@mbs/evaluation";
import { formatSeconds } from "@mbs/host-cli";
import type { CandidateFigures, Judge, QualityResult } from "@mbs/pipeline";
import { formatNumber, formatTable, headings } from "@mbs/reporting";

/** ln(perplexity / dense perplexity) of a relative rise: it adds up. */
const nats = (rise: number): number => Math.log1p(rise);

/** Rises of a compressed model over the dense one on the same validation windows. */
export const judgeCandidate: Judge = async (dense, compressed) => {
  const { shares } = parseMetadata("scores", dense.schema);
  const windows = [...(await collectScores(dense)).windows, ...(await collectScores(compressed)).windows];
  const found = averageLanguages(windows, shares, "dense").find(({ model }) => model === "compressed");
  const { unweighted, weighted, worstRise } = found ?? {};
  if (unweighted?.rise === undefined || worstRise === undefined) {
    throw new FailedPreconditionError(
      "the validation texts give no window that both models were scored on; give quality.corpus more text, or a shorter quality.length",
    );
  }
  return {
    unweighted: nats(unweighted.rise),
    ...(weighted?.rise !== undefined && { weighted: nats(weighted.rise) }),
    worst: nats(worstRise.rise),
    worstLanguage: worstRise.language,
  };
};

const signed = (value: number | undefined): string =>
  value === undefined ? "" : `${value < 0 ? "" : "+"}${formatNumber(value)}`;

const figureCells = (figures: CandidateFigures | undefined): readonly string[] =>
  figures === undefined
    ? ["no time left", "", ""]
    : [signed(figures.unweighted), signed(figures.weighted), `${signed(figures.worst)} ${figures.worstLanguage}`];

/** The candidates of a search with their rises on the validation texts in nats a token; the best is marked. */
export function qualityTable({ average, candidates, best }: QualityResult): string {
  const columns = [
    ...headings(["", "candidate"], ["mean of languages", "weighted", "worst language", "time"]),
    { title: "reason", wide: true },
  ];
  const rows = candidates.map(({ name, reason, seconds, figures }) => [
    name === best ? "*" : "",
    name,
    ...figureCells(figures),
    figures === undefined ? "" : formatSeconds(seconds),
    reason,
  ]);
  const chosenBy = average === "worst" ? "the worst language" : `the ${average} mean`;
  return `rises on the validation texts, nats a token; * the lowest by ${chosenBy}\n${formatTable({ columns, rows })}`;
}
