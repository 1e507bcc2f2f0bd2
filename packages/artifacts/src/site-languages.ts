import { BadDataError } from "@mbs/contracts";
import { allLanguages, type OwnStatistic } from "./kinds/records.ts";

/** The languages of one site's statistics, checked to fit together. */
export class SiteLanguages {
  readonly block: string;
  readonly site: string;
  readonly width: number;
  readonly #kinds = new Map<string, OwnStatistic["kind"]>();

  constructor({ block, site, width }: OwnStatistic) {
    this.block = block;
    this.site = site;
    this.width = width;
  }

  get names(): readonly string[] {
    return [...this.#kinds.keys()].sort();
  }

  /** Whether of some language only the diagonal is known. */
  get diagonal(): boolean {
    return [...this.#kinds.values()].includes("diagonal");
  }

  /**
   * Whether a statistic is the one to use for its language: its Gram, or else its diagonal.
   *
   * @throws {BadDataError} where it contradicts what came before
   */
  take({ language, kind, width }: OwnStatistic): boolean {
    const known = this.#kinds.get(language);
    if (language === allLanguages || (known === "gram" && kind === "diagonal")) return false;
    if (known !== undefined || width !== this.width) {
      const what = width === this.width ? `has ${language} twice` : `has widths ${this.width} and ${width}`;
      throw new BadDataError(`statistics of ${this.block} ${this.site}: it ${what}; capture again`, {
        block: this.block,
        site: this.site,
        language,
      });
    }
    this.#kinds.set(language, kind);
    return true;
  }
}
