import type { OptionTable, PlannedCodes } from "@mbs/contracts";

const flagOf = (description: string, value: boolean) => ({ kind: "flag", description, default: value }) as const;

/** The options of every solver that rounds weights to a grid, beside the number of bits. */
export const gridOptions = {
  groupSize: {
    kind: "integer",
    description: "columns that share a scale; 0 for one scale a row",
    default: 128,
    minimum: 0,
    maximum: 1_048_576,
  },
  symmetric: flagOf("centre the grid on zero", true),
  mse: flagOf("search the grid's range for the least error instead of spanning all weights", false),
} as const satisfies OptionTable;

/** Option `bits` where the method always rounds. */
export const bitsOption = {
  kind: "integer",
  description: "bits of a weight",
  default: 4,
  minimum: 2,
  maximum: 8,
} as const;

/** Option `blockSize` of the methods that carry errors on. */
export const blockSizeOption = {
  kind: "integer",
  description: "columns that are settled before the rest catches up",
  default: 128,
  minimum: 1,
  maximum: 4096,
} as const;

/** The codes of a method whose groups are neighbours in the weight. */
export const neighbouringCodes = ({ bits, groupSize }: Omit<PlannedCodes, "scattered">): PlannedCodes => ({
  bits,
  groupSize,
  scattered: false,
});
