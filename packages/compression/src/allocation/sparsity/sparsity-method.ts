import type { FactorRecord } from "@mbs/artifacts";
import type { OptionTable, OptionValues, SiteWeight } from "@mbs/contracts";
import { largestSparsity } from "@mbs/numbers";

/** One site of a block. */
export interface SiteFactor {
  readonly record: FactorRecord;
  /** The weights that read the site; read again at each call, so that one site at a time is in memory. */
  readonly weight: () => Promise<SiteWeight>;
}

/** A way to spread sparsity over the blocks. */
export interface SparsityMethod<Table extends OptionTable = OptionTable> {
  readonly name: string;
  /** Where the method is described. */
  readonly source: string;
  /** A phrase for help. */
  readonly summary: string;
  readonly options: Table;
  /**
   * How much the weights of a block matter: the more, the more of them stay.
   *
   * @throws {BadDataError} where the factors lack what it reads
   */
  importance(sites: readonly SiteFactor[], options: OptionValues<Table>): Promise<number>;
  /** Half of the range that sparsities may span; 0 for all the same. */
  spread(options: OptionValues<Table>): number;
}

/** Keeps the literal types of a method's declaration. */
export function defineSparsityMethod<const Table extends OptionTable>(method: SparsityMethod<Table>): SparsityMethod<Table> {
  return method;
}

/** What is spread, for every method; an option of the stage, since it says what is allocated. */
export const sparsityOption = {
  sparsity: {
    kind: "share",
    description: "share of all weights to be set to zero",
    maximum: largestSparsity,
  },
} as const satisfies OptionTable;

/** λ of OWL, for every method that sets blocks apart. */
export const spreadOption = {
  spread: {
    kind: "share",
    description: "half of the difference between the least and the most sparse block (OWL's λ)",
    default: 0.08,
    maximum: 0.5,
  },
} as const satisfies OptionTable;
