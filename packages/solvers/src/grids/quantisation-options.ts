import type { OptionTable, OptionValues, PlannedCodes, SolverSetting, ZeroPoints } from "@mbs/contracts";
import { bitLimits, type GridRule } from "@mbs/numbers";

/** The options of every solver that rounds weights to a grid, beside the number of bits. */
export const gridOptions = {
  groupSize: {
    kind: "integer",
    description: "columns that share a scale; 0 for one scale a row",
    default: 128,
    minimum: 0,
    maximum: 1_048_576,
  },
  symmetric: {
    kind: "flag",
    description: "centre the grid on zero; if not given: yes above 3 bits or in a recipe whose format requires it, otherwise no",
    optional: true,
  },
  minZeroPoint: {
    kind: "integer",
    description:
      "smallest zero point of an asymmetric grid; if not given: 1 in a recipe whose format requires it (gptq), otherwise 0",
    minimum: 0,
    maximum: 1,
    optional: true,
  },
  search: {
    kind: "choice",
    description: "how the grid's range is found: all of it (none), or the one with the least error",
    choices: ["none", "error"],
    default: "none",
  },
} as const satisfies OptionTable;

/** Option `bits` where the method always rounds. */
export const bitsOption = {
  kind: "integer",
  description: "bits of a weight",
  default: 4,
  minimum: bitLimits.fewest,
  maximum: bitLimits.most,
} as const;

/** Option `blockSize` of the methods with error feedback. */
export const blockSizeOption = {
  kind: "integer",
  description: "columns that are processed before the rest is updated",
  default: 128,
  minimum: 1,
  maximum: 4096,
} as const;

/** The options of a grid; all but the bits may be absent. */
export interface GridValues extends Partial<Omit<OptionValues<typeof gridOptions>, "search">> {
  readonly bits: number;
  readonly search?: GridRule["search"];
}

/**
 * Whether grids are symmetric where nothing asks for either. Up to 3 bits an asymmetric one loses less than a symmetric one of as
 * many bits a weight, zero points counted: docs/quantisers.md.
 */
export const isSymmetricAt = (bits: number): boolean => bits > 3;

/** The grids that the options ask for. */
export const gridRuleOf = ({ bits, symmetric, minZeroPoint, search = "none" }: GridValues): GridRule => ({
  bits,
  symmetric: symmetric ?? isSymmetricAt(bits),
  minZeroPoint,
  search,
});

/** Values of grid options that were not given; none without `bits`. */
export function gridDefaults({ bits, symmetric: given }: Partial<GridValues>, { zeroPoints }: Pick<SolverSetting, "zeroPoints">) {
  if (bits === undefined) return {};
  const symmetric = given ?? (zeroPoints === "middle" || isSymmetricAt(bits));
  return { symmetric, ...(!symmetric && zeroPoints === "from-one" && { minZeroPoint: 1 }) };
}

/** The zero points that the grids of the options may have. */
export function zeroPointsOf(options: GridValues): ZeroPoints {
  const { symmetric, minZeroPoint } = gridRuleOf(options);
  if (symmetric) return "middle";
  return minZeroPoint === 1 ? "from-one" : "any";
}

/** The codes of a method whose groups are neighbours in the weight. */
export const neighbouringCodes = (options: GridValues & { readonly groupSize: number }): PlannedCodes => ({
  bits: options.bits,
  groupSize: options.groupSize,
  scattered: false,
  zeroPoints: zeroPointsOf(options),
});
