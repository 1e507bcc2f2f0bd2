import { allLanguages, isTokenSite } from "@mbs/artifacts";
import type { OwnStatistic, Spool } from "@mbs/artifacts";
import { BadDataError } from "@mbs/contracts";
import { packedDiagonal } from "@mbs/numbers";
import { SpooledGram } from "./spooled-gram.ts";

/** What one site has seen of every language. */
export interface GatheredSite {
  readonly step: string;
  readonly site: string;
  readonly width: number;
  /** Language → E[x²] of each channel, [width]. */
  readonly diagonals: ReadonlyMap<string, Float32Array>;
  /** Language → E[x xᵀ]; readable until the next site is asked for. */
  readonly grams: ReadonlyMap<string, SpooledGram>;
}

/** A site that grows statistic by statistic. */
class Gathering implements GatheredSite {
  readonly step: string;
  readonly site: string;
  readonly width: number;
  readonly diagonals = new Map<string, Float32Array>();
  readonly grams = new Map<string, SpooledGram>();
  readonly #seen = new Set<string>();

  constructor({ step, site, width }: OwnStatistic) {
    this.step = step;
    this.site = site;
    this.width = width;
  }

  add({ language, kind, width, values }: OwnStatistic, spool: Spool): void {
    const { step, site } = this;
    const key = JSON.stringify([language, kind]);
    if (width !== this.width || this.#seen.has(key)) {
      const what = width === this.width ? `has ${kind} of ${language} twice` : `has widths ${this.width} and ${width}`;
      throw new BadDataError(`statistics of ${step} ${site}: it ${what}; capture again`, { step, site, language });
    }
    this.#seen.add(key);
    if (kind === "diagonal") {
      this.diagonals.set(language, values);
      return;
    }
    const diagonal = packedDiagonal(values, width);
    this.diagonals.set(language, diagonal);
    this.grams.set(language, new SpooledGram(spool, spool.append(values), diagonal));
  }
}

/**
 * Gathers the languages of each site, which follow each other. Grams go to a file at once; the Gram of all languages
 * together is passed over.
 *
 * @throws {BadDataError} when statistics contradict each other, or a site comes back after another
 */
export async function* gatherSites(statistics: AsyncIterable<OwnStatistic>, spool: Spool): AsyncGenerator<GatheredSite> {
  const seen = new Set<string>();
  let current: Gathering | undefined;
  for await (const statistic of statistics) {
    const { step, site, language } = statistic;
    // they count tokens, and are no inputs
    if (isTokenSite(site)) continue;
    if (current?.step !== step || current.site !== site) {
      if (current) yield current;
      spool.clear();
      const key = JSON.stringify([step, site]);
      if (seen.has(key)) {
        throw new BadDataError(`statistics of ${step} ${site} are scattered over the artifact; capture again`, { step, site });
      }
      seen.add(key);
      current = new Gathering(statistic);
    }
    if (language !== allLanguages) current.add(statistic, spool);
  }
  if (current) yield current;
}
