import { comparedNeighbours } from "@mbs/evaluation";
import type { AgreementReport, ModelAgreement } from "@mbs/evaluation";
import { formatShare, formatTable, headings, wrapLines } from "@mbs/reporting";

/** A cosine near 1, with as many digits as tell it apart from 1. */
const cosine = (value: number): string => value.toFixed(4);

const modelTable = ({ languages }: ModelAgreement): string =>
  formatTable({
    columns: headings(["language"], ["texts", "cosine", "least", "neighbours kept"]),
    rows: languages.map((own) => [
      own.language,
      own.texts.toLocaleString("en"),
      cosine(own.cosine),
      cosine(own.leastCosine),
      formatShare(own.keptNeighbours),
    ]),
  });

/** The report as text for a terminal. */
export function agreementTable(report: AgreementReport): string {
  const explained = `Embeddings of texts of at most ${report.length} tokens, compared with those of ${report.first}: the mean and the least cosine of the two embeddings of a text, and the share of its ${comparedNeighbours} nearest texts, of all languages, that stay among the nearest.`;
  return [
    ...report.models.map((model) => `${model.model}:\n\n${modelTable(model)}`),
    `${wrapLines(explained, "", "  ").join("\n")}\n`,
  ].join("\n");
}
