import { formatBytes } from "@mbs/contracts";
import type { ArtifactStream } from "@mbs/contracts";
import { buildReport, formatPage } from "@mbs/reporting";
import { ownLabel, sourceLabel, usualLabel } from "./shrink-recipe.ts";
import { quantisedText } from "./shrink-source.ts";
import type { ShrinkSource } from "./shrink-source.ts";

/** What the page of a result is made of. */
interface PagedResult {
  readonly source: ShrinkSource;
  /** Bytes of its weight files. */
  readonly after: number;
  readonly scores: ArtifactStream;
  /** Whether the scores have those of rounding to nearest too, and to what it rounds; undefined where they have not. */
  readonly usual: string | undefined;
  /** Languages that are protected. */
  readonly languages: readonly string[];
  /** Those that the source itself does not know. */
  readonly unknown: readonly string[];
}

/** What to do with other options: no files of stages are left that the commands of `mbs diagnose` read. */
function remedy(losing: readonly string[], languages: readonly string[]): string {
  const favoured = losing.filter((language) => languages.includes(language));
  const favour =
    favoured.length === 0 || favoured.length === languages.length
      ? ""
      : `; --favour ${favoured.join(",")} lets ${favoured.length === 1 ? "it" : "them"} count double`;
  return `Take more bits, a larger --size or a larger --type${favour}. Run mbs shrink again, with another --output.`;
}

/** The page of a result as HTML: what its model lost, with that of rounding to nearest beside it once it is there. */
export async function resultPage({ source, after, scores, usual, languages, unknown }: PagedResult): Promise<string> {
  const others = usual === undefined ? "" : `, and ${usualLabel} rounding to nearest, ${usual}, to compare with`;
  const files = `${ownLabel}/scores.arrow${usual === undefined ? "" : ` and ${usualLabel}/scores.arrow`}`;
  const report = await buildReport([{ name: files, stream: scores }], {
    title: `${source.name}: ${formatBytes(source.bytes)} → ${formatBytes(after)}, and what each language lost`,
    lead: [
      `Measured as perplexity on texts that were not calibrated with: lower is better, and a rise is a loss. Here ${sourceLabel} is the model as it was given, ${ownLabel} the result${others}.`,
      ...[quantisedText(source)].filter((line) => line !== undefined),
      ...(unknown.length === 0
        ? []
        : [`${unknown.join(", ")}: ${sourceLabel} itself predicts these texts worse than guessing; their losses say nothing.`]),
    ],
    beside: [usualLabel],
    remedy: (losing) => remedy(losing, languages),
  });
  return formatPage(report);
}
