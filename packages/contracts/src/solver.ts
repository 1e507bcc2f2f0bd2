import type { Blas } from "./blas.ts";
import type { BlockGrid, Grid, GroupGrid, NoGrid, ZeroPoints } from "./grid.ts";
import type { OptionTable, OptionValues } from "./options.ts";

/** Rows of one tensor within the stacked weight of a site. */
export interface WeightPart {
  readonly tensor: string;
  readonly firstRow: number;
  readonly rows: number;
  /** What its rows are rounded to, as those of the other parts, by a solver that names this kind in its `grids`; none for any other. */
  readonly grid: Grid;
}

/** All weights that read one site, stacked over their output rows. */
export interface SiteWeight {
  /** Output features, summed over the parts. */
  readonly rows: number;
  /** Input features: the width of the site. */
  readonly columns: number;
  /** W, shape [rows, columns], row-major. A solver may overwrite it: it is a copy. */
  readonly values: Float32Array;
  readonly parts: readonly WeightPart[];
  /** Whether a norm before the site can take the inverse of an `inputScale`; default false. */
  readonly scalable?: boolean;
  /**
   * What a scale is rounded to before codes are chosen, so that packed files, which hold scales in the dtype of the model,
   * hold exactly what was solved. Default f32.
   */
  readonly scaleDtype?: "f32" | "f16" | "bf16";
}

/** What `mbs factor` made of one site. */
export interface Factor {
  /** Column order: position in the ordered matrix → column of the weight. */
  readonly order: Int32Array;
  /** Name of the order: natural, activation, group-aware:G. */
  readonly orderName: string;
  /** Upper Cholesky factor U of the ordered, damped inverse, [columns, columns] row-major, H⁻¹ = UᵀU. */
  readonly upper: Float32Array;
  /** Columns whose input was zero in every token. */
  readonly dead: readonly number[];
  /** Damping that was used, as a fraction of the mean living diagonal. */
  readonly damping: number;
}

/** Input statistics of a site for one language. */
export interface LanguageDiagonal {
  readonly language: string;
  /** Share in the mix, above 0; all of them sum to 1. */
  readonly weight: number;
  /** E[x²] of each column over the tokens of this language, undamped, natural order, length columns. */
  readonly values: Float32Array;
}

/** The statistics a solver may ask for by name. */
export interface SolverStatistics {
  readonly factor: Factor;
  /** E[x²] of each column, undamped, natural order, length columns. */
  readonly diagonal: Float32Array;
  /** E[x xᵀ], undamped, natural order, [columns, columns] row-major. */
  readonly gram: Float32Array;
  /**
   * E[(x̃ - x) xᵀ], natural order, [columns, columns], with x the compressed model's input and x̃ the dense model's. Of normalised
   * tokens at a site whose output y is added to the residual stream r as f·y, x̃ is the dense input and W⁺·(r̃ - r)/f beside it.
   */
  readonly crossMoment: Float32Array;
  /** The diagonal of each language of the mix by itself, in the order of their codes. */
  readonly languageDiagonals: readonly LanguageDiagonal[];
}

export type StatisticName = keyof SolverStatistics;

/** Integer codes on a grid of groups. Value = (code - zero) · scale. */
export interface QuantisedWeight {
  readonly bits: number;
  /** Columns a group; `columns` when one group spans the row. */
  readonly groupSize: number;
  readonly symmetric: boolean;
  /** [rows, columns], natural column order. */
  readonly codes: Uint8Array;
  /** [rows, groups]. */
  readonly scales: Float32Array;
  /** [rows, groups], whole numbers. */
  readonly zeros: Uint8Array;
  /** Group of each column, natural order, length columns (g_idx). */
  readonly groupOf: Int32Array;
}

/** What a run offers its solver: options that were not given may depend on it. */
export interface SolverSetting {
  /** In a recipe what its format asks for, otherwise `any`. */
  readonly zeroPoints: ZeroPoints;
  /** In a recipe that writes GGUF, the types of its weights, "Q4_K_M"; absent otherwise, and where the recipe gives grids. */
  readonly typeMix?: string | undefined;
  /** Whether the cross-moment of every site can be had, at the cost of the dense states. */
  readonly crossMoments: boolean;
}

/** What the codes of a solver will look like, as far as its options say. */
export interface PlannedCodes {
  readonly grid: GroupGrid;
  /** Whether columns of one group may stand apart in the weight. */
  readonly scattered: boolean;
}

/** What layers will hold beside their values: codes, rows in the blocks of a GGUF type, or neither. */
export type PlannedForm = PlannedCodes | BlockGrid | "none";

/** What is known of a run's layers before anything has run. */
export interface PlannedLayers {
  readonly solver: string;
  /** "unknown" where the solver does not say. */
  readonly codes: PlannedForm | "unknown";
  /** Those of embedding and head; absent where they stay as they are. */
  readonly embeddings?: PlannedForm | "unknown";
  /** Whether the model that a stage sees has rows of embedding and head that the run is going to leave out. */
  readonly isTrimmedLater?: boolean;
}

/** What a solver hands back for one site. */
export interface Solution {
  /** The weight to use from now on, [rows, columns], natural order. Equals the dequantised and masked values. */
  readonly values: Float32Array;
  /** s, above 0, length columns: `values` are meant for inputs divided by s. Only where the weight is `scalable`. */
  readonly inputScale?: Float32Array;
  readonly quantised?: QuantisedWeight;
  /** The rows in the bytes of the quantisation type that the parts name, one after the other; they decode to exactly `values`. */
  readonly blocks?: Uint8Array;
  /** One byte a weight, 1 where it is kept, [rows, columns]. Absent for methods that prune nothing. */
  readonly mask?: Uint8Array;
}

export interface SolverContext {
  readonly blas: Blas;
  readonly signal: AbortSignal;
  readonly warn: (message: string) => void;
}

/**
 * A compression method. It sees one site: the weights that read it and the statistics it asked for.
 *
 * Solvers keep nothing between calls and give the same bytes for the same input.
 */
export interface Solver<Needs extends StatisticName = StatisticName, Table extends OptionTable = OptionTable> {
  readonly name: string;
  /** Where the method is described. */
  readonly source: string;
  /** One sentence, for help. */
  readonly summary: string;
  /** solve() receives these statistics and no other. */
  readonly needs: readonly Needs[];
  /**
   * The kinds of grids that it rounds to; `none` among them where it may round nothing. Each part of a weight then has one of
   * these, and the options by which users choose them (bits, group size, types) are added to `options`. Absent: parts have none,
   * and what the method rounds to is its own affair.
   */
  readonly grids?: readonly Grid["kind"][];
  /** Options of its own that say how weights are rounded to groups: beside blocks they are refused, and have no defaults. */
  readonly groupOptions?: readonly (keyof Table & string)[];
  /** Its own, beside those of `grids`. */
  readonly options: Table;
  /** Which of `needs` it reads with these options, where that is not all: others then take no memory. */
  reads?(options: OptionValues<Table>): readonly Needs[];
  /**
   * Whether a row comes out as it would alone, whatever the other rows are and whichever part they belong to, and `solve` does
   * little work that is not for one row. The rows of a large site are then solved on several threads, some rows on each.
   * `solve` gets such rows as a weight, and matrices of its statistics may lie in shared memory: what it hands to the Blas of
   * these it copies before. Default: a site is solved whole.
   */
  readonly rowsAreIndependent?: true;
  /**
   * Whether a recipe that does not say otherwise divides the inputs of each token by their root mean square in the statistics, so
   * that the few tokens with very large activations do not outweigh all others. Default: inputs as they are.
   */
  readonly prefersNormalisedTokens?: true;
  /**
   * The column order that a recipe gets which names none; default natural. `solve` refuses orders it cannot use. Not asked where
   * weights are rounded to blocks, which have an order of their own.
   */
  preferredOrder?(options: OptionValues<Table>, grid: GroupGrid | NoGrid): string;
  /** The damping of the factor that a recipe gets which names none, as a share of the mean diagonal; absent or undefined: that of `factor`. */
  preferredDamping?(options: OptionValues<Table>): number | undefined;
  /**
   * Options of `allocate` by which a recipe for a decoder that has none spreads the sparsity over blocks or tensors; absent or
   * undefined: the same everywhere.
   */
  preferredAllocation?(options: OptionValues<Table>): Readonly<Record<string, unknown>> | undefined;
  /**
   * Values of options that were not given and whose default depends on the others, or on what the run offers, but for those of
   * grids. Given options take precedence. `solve` treats options that are still absent as for zero points `any` and without cross-moments.
   */
  dependentDefaults?(options: OptionValues<Table>, setting: SolverSetting): Partial<OptionValues<Table>>;
  /**
   * What its codes will look like, so that a format which cannot hold them is refused before anything runs. Absent where
   * that cannot be said.
   *
   * @param order name of the factor's column order
   * @param grid none where it is to round nothing; not asked for blocks
   * @throws {UsageError} on options, or an order, that `solve` would refuse
   */
  plannedCodes?(options: OptionValues<Table>, order: string, grid: GroupGrid | NoGrid): PlannedForm;
  solve(
    weight: SiteWeight,
    statistics: Pick<SolverStatistics, Needs>,
    options: OptionValues<Table>,
    context: SolverContext,
  ): Promise<Solution> | Solution;
}

/** Keeps the literal types of a solver's declaration. */
export function defineSolver<const Needs extends StatisticName, const Table extends OptionTable>(
  solver: Solver<Needs, Table>,
): Solver<Needs, Table> {
  return solver;
}

const plain = (value: unknown): value is string | number => typeof value === "string" || typeof value === "number";

/** A solver with the options that people know it by: "sparsegpt sparsity 0.5", "gptq 3 bits groups of 64". */
function nameMethod(
  solver: string,
  { bits, groupSize, sparsity, pattern, grid, typeMix }: Readonly<Record<string, unknown>>,
): string {
  const groups = plain(groupSize) && groupSize !== 0 ? [`groups of ${groupSize}`] : [];
  const quantised = plain(bits) ? [`${bits} bits`, ...groups] : [];
  const pruned = plain(pattern) ? [pattern] : plain(sparsity) ? [`sparsity ${sparsity}`] : [];
  // the one name that is only an abbreviation
  const name = solver === "rtn" ? "rounding to nearest" : solver;
  return [name, ...pruned, ...quantised, ...[grid, typeMix].filter(plain)].join(" ");
}

/** Solvers by the options that people know them by, each once: embedding and head may have the same as the blocks. */
export const nameMethods = (
  methods: readonly { readonly solver: string; readonly options: Readonly<Record<string, unknown>> }[],
): string => [...new Set(methods.map(({ solver, options }) => nameMethod(solver, options)))].join(" and ");
