import { allLanguages, isTokenSite } from "@mbs/artifacts";
import type { OwnStatistic, ScratchFile } from "@mbs/artifacts";
import { BadDataError } from "@mbs/contracts";
import { packedDiagonal } from "@mbs/numbers";
import { ScratchGram } from "./scratch-gram.ts";

/** What one site has seen of every language. */
export interface GatheredSite {
  readonly block: string;
  readonly site: string;
  readonly width: number;
  /** Language → E[x²] of each channel, [width]. */
  readonly diagonals: ReadonlyMap<string, Float32Array>;
  /** Language → E[x xᵀ]; readable until the next site is asked for. */
  readonly grams: ReadonlyMap<string, ScratchGram>;
}

/** A site that grows statistic by statistic. */
class Gathering implements GatheredSite {
  readonly block: string;
  readonly site: string;
  readonly width: number;
  readonly diagonals = new Map<string, Float32Array>();
  readonly grams = new Map<string, ScratchGram>();
  readonly #seen = new Set<string>();

  constructor({ block, site, width }: OwnStatistic) {
    this.block = block;
    this.site = site;
    this.width = width;
  }

  add({ language, kind, width, values }: OwnStatistic, scratch: ScratchFile): void {
    const { block, site } = this;
    const key = JSON.stringify([language, kind]);
    if (width !== this.width || this.#seen.has(key)) {
      const what = width === this.width ? `has ${kind} of ${language} twice` : `has widths ${this.width} and ${width}`;
      throw new BadDataError(`statistics of ${block} ${site}: it ${what}; capture again`, { block, site, language });
    }
    this.#seen.add(key);
    if (kind === "diagonal") {
      this.diagonals.set(language, values);
      return;
    }
    const diagonal = packedDiagonal(values, width);
    this.diagonals.set(language, diagonal);
    this.grams.set(language, new ScratchGram(scratch, scratch.append(values), diagonal));
  }
}

/**
 * Gathers the languages of each site, which follow each other. Grams go to a file at once; the Gram of all languages
 * together is passed over.
 *
 * @throws {BadDataError} when statistics contradict each other, or a site comes back after another
 */
export async function* gatherSites(statistics: AsyncIterable<OwnStatistic>, scratch: ScratchFile): AsyncGenerator<GatheredSite> {
  const seen = new Set<string>();
  let current: Gathering | undefined;
  for await (const statistic of statistics) {
    const { block, site, language } = statistic;
    // they count tokens, and are no inputs
    if (isTokenSite(site)) continue;
    if (current?.block !== block || current.site !== site) {
      if (current) yield current;
      scratch.clear();
      const key = JSON.stringify([block, site]);
      if (seen.has(key)) {
        throw new BadDataError(`statistics of ${block} ${site} are scattered over the artifact; capture again`, { block, site });
      }
      seen.add(key);
      current = new Gathering(statistic);
    }
    if (language !== allLanguages) current.add(statistic, scratch);
  }
  if (current) yield current;
}
