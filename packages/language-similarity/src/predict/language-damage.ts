import { allLanguages } from "@mbs/artifacts";
import type { DamageRecord, OwnStatistic } from "@mbs/artifacts";
import { BadDataError } from "@mbs/contracts";
import type { Blas } from "@mbs/contracts";
import { outputsByRow } from "@mbs/solvers";
import type { InputMoment } from "@mbs/solvers";
import type { WeightChange } from "./weight-change.ts";

const momentOf = ({ kind, values }: OwnStatistic): InputMoment =>
  kind === "gram" ? { packedGram: values } : { diagonal: values };

const sum = (values: Float64Array): number => values.reduce((total, value) => total + value, 0);

/**
 * The damage of changed weights to one language: tr(ΔW H ΔWᵀ) of each tensor, and its ratio to tr(W H Wᵀ).
 *
 * @param statistic H, or its diagonal, of the site that the weights read
 * @throws {BadDataError} where an error overflows
 */
export async function languageDamage(
  blas: Blas,
  changes: readonly WeightChange[],
  statistic: OwnStatistic,
): Promise<DamageRecord[]> {
  const { step, site, language, kind } = statistic;
  const moment = momentOf(statistic);
  const records: DamageRecord[] = [];
  for (const { tensor, rows, weight, change } of changes) {
    // Rounding can make an error of 0 slightly negative.
    const [error, output] = (await outputsByRow(blas, [change, weight], rows, moment)).map((values) =>
      Math.max(0, sum(values)),
    ) as [number, number];
    if (!Number.isFinite(error) || !Number.isFinite(output)) {
      throw new BadDataError(
        `${tensor} at ${step} ${site}: its error in ${language} overflows float32; its weights or the states that it read are broken or too large: take the model from its source again`,
        { step, site, language },
      );
    }
    records.push({ step, site, tensor, language, moment: kind, error, output, damage: output > 0 ? error / output : 0 });
  }
  return records;
}

/** The languages of one site's statistics, checked to fit together. */
export class SiteLanguages {
  readonly step: string;
  readonly site: string;
  readonly width: number;
  readonly #kinds = new Map<string, OwnStatistic["kind"]>();

  constructor({ step, site, width }: OwnStatistic) {
    this.step = step;
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
      throw new BadDataError(`statistics of ${this.step} ${this.site}: it ${what}; capture again`, {
        step: this.step,
        site: this.site,
        language,
      });
    }
    this.#kinds.set(language, kind);
    return true;
  }
}
