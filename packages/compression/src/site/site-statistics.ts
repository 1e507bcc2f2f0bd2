import type { FactorRecord } from "@mbs/artifacts";
import { BadDataError, type SolverStatistics, type StatisticName } from "@mbs/contracts";
import { unpackUpper } from "@mbs/numbers";
import type { InputMoment } from "@mbs/solvers";

/** A site, with what is known of its inputs: nothing without a factor. */
export interface SiteInput {
  readonly block: string;
  readonly site: string;
  readonly width: number;
  readonly factor?: FactorRecord;
}

const missing = ({ block, site }: FactorRecord, what: string, remedy: string): BadDataError =>
  new BadDataError(`${block} ${site}: the factor has no ${what}; ${remedy}`, { block, site });

const statisticNames: readonly StatisticName[] = ["factor", "diagonal", "gram", "crossMoment", "languageDiagonals"];

/** A property that throws when it is read, for a name that is missing in a solver's `needs`; copies of the object do not have it. */
const undeclared = (name: StatisticName): PropertyDescriptor => ({
  enumerable: false,
  get() {
    throw new Error(`it reads the statistic ${name}, which its needs do not name`);
  },
});

/** What the output error of a site is measured with, and which statistic that is. */
export function siteMoment({ width, factor }: SiteInput): {
  readonly moment: "gram" | "diagonal" | "identity";
  readonly values: InputMoment;
} {
  if (factor === undefined) return { moment: "identity", values: { diagonal: new Float32Array(width).fill(1) } };
  if (factor.gram !== undefined) return { moment: "gram", values: { packedGram: factor.gram } };
  return { moment: "diagonal", values: { diagonal: factor.diagonal } };
}

/**
 * The statistics that a solver needs, and no other: to read another one throws.
 *
 * @param upper takes the factor's matrix, length width²; default a new array
 * @throws {BadDataError} where the factor does not hold one of them
 */
export function siteStatistics(
  { factor: record }: SiteInput,
  needs: readonly StatisticName[],
  upper?: Float32Array,
): Partial<SolverStatistics> {
  const statistics: { -readonly [Name in StatisticName]?: SolverStatistics[Name] } =
    record === undefined ? {} : factorStatistics(record, needs, upper);
  for (const name of statisticNames) if (!needs.includes(name)) Object.defineProperty(statistics, name, undeclared(name));
  return statistics;
}

function factorStatistics(record: FactorRecord, needs: readonly StatisticName[], into: Float32Array | undefined) {
  const { width, summary, order, diagonal, upper, languageDiagonals } = record;
  const statistics: { -readonly [Name in StatisticName]?: SolverStatistics[Name] } = {};
  if (needs.includes("factor")) {
    if (!upper) throw missing(record, "triangular matrix", "capture grams, and factor with more --damping or --on-singular rtn");
    statistics.factor = {
      order,
      orderName: summary.orderName,
      upper: unpackUpper(upper, width, "zero", into),
      dead: summary.dead,
      damping: summary.damping,
    };
  }
  // copies, as unpacked matrices are: a solver of others may change what it is given
  if (needs.includes("diagonal")) statistics.diagonal = diagonal.slice();
  if (needs.includes("gram")) {
    if (!record.gram) throw missing(record, "gram", "capture grams, not only diagonals");
    statistics.gram = unpackUpper(record.gram, width, "mirror");
  }
  if (needs.includes("crossMoment")) {
    const { crossMoment } = record;
    if (!crossMoment) {
      throw missing(record, "cross moment", "capture with --dense-states, or take gptq where no earlier layer is compressed");
    }
    statistics.crossMoment = crossMoment.slice();
  }
  if (needs.includes("languageDiagonals")) {
    if (!languageDiagonals) throw missing(record, "diagonals of languages", "factor with --language-diagonals");
    statistics.languageDiagonals = languageDiagonals.map(({ language, values }) => {
      const weight = summary.weights[language];
      if (weight === undefined) throw missing(record, `weight of ${language}`, "factor again");
      return { language, weight, values: values.slice() };
    });
  }
  return statistics;
}
