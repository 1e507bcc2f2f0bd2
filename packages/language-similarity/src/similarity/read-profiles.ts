import { inputSite } from "@mbs/artifacts";
import type { Statistic } from "@mbs/artifacts";
import { BadDataError } from "@mbs/contracts";

/** What each language put into one block. */
export interface Profiles {
  /** The block whose input was measured. */
  readonly block: string;
  /** Language → E[x²] of each channel, [width]. */
  readonly languages: ReadonlyMap<string, Float32Array>;
}

/**
 * Picks the profiles of the first block that has any: the input of the first decoder block, before its norm, when the
 * statistics are of a whole model.
 *
 * @throws {BadDataError} when there are fewer than two languages, two widths, or one language twice
 */
export async function readProfiles(statistics: AsyncIterable<Statistic>): Promise<Profiles> {
  const languages = new Map<string, Float32Array>();
  let block: string | undefined;
  // The whole stream is read, since only its end proves that it is whole.
  for await (const statistic of statistics) {
    if (statistic.site !== inputSite || statistic.kind !== "diagonal") continue;
    block ??= statistic.block;
    if (statistic.block !== block) continue;
    const { language, width, values } = statistic;
    const known = languages.values().next().value;
    if (known !== undefined && known.length !== width) {
      throw new BadDataError(
        `statistics of ${block}/${inputSite}: ${language} has ${width} channels, others ${known.length}; capture again`,
        {
          block,
          language,
        },
      );
    }
    if (languages.has(language)) {
      throw new BadDataError(`statistics of ${block}/${inputSite}: ${language} occurs twice; capture again`, { block, language });
    }
    languages.set(language, values);
  }
  if (block === undefined || languages.size < 2) {
    throw new BadDataError(
      `similarity needs the input diagonals of at least two languages, found ${languages.size}; sample a mix of more languages and capture`,
      { languages: languages.size },
    );
  }
  return { block, languages };
}
