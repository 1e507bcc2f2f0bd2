import type { OptionTable, SolverSetting } from "@mbs/contracts";
import { blockGrids } from "@mbs/gguf";
import { gridDefaults, type GridValues } from "./quantisation-options.ts";

/** Option `grid` of the methods that round to the blocks of GGUF too. */
export const blockOption = {
  kind: "choice",
  description: "round to the grids of this GGUF type, or of its fallback where rows are no whole blocks, instead of groups",
  choices: [...blockGrids.keys()],
  optional: true,
  excludes: ["bits", "groupSize", "symmetric", "minZeroPoint", "search"],
} as const;

type Excludable<Table extends OptionTable> = { readonly [Name in keyof Table]: Table[Name] & { readonly optional: true } };

/** Options that `grid` excludes: absent beside it, with their defaults otherwise. */
export function besideBlocks<const Table extends OptionTable>(table: Table): Excludable<Table> {
  return Object.fromEntries(
    Object.entries(table).map(([name, option]) => [name, { ...option, optional: true }]),
  ) as unknown as Excludable<Table>;
}

/** Values of {@link besideBlocks} where no grid is given: then all that have a default are there. */
export const withoutBlocks = <Values extends object>(values: Values) =>
  values as {
    readonly [Name in keyof Values]: Name extends "bits" | "groupSize" | "search" | "gridRule"
      ? NonNullable<Values[Name]>
      : Values[Name];
  };

/** Defaults of groups, none beside a grid. */
export const groupDefaults = (
  options: Partial<Omit<GridValues, "bits">> & { readonly bits?: number | undefined; readonly grid?: string | undefined },
  setting: Pick<SolverSetting, "zeroPoints">,
) => (options.grid === undefined && options.bits !== undefined ? gridDefaults({ ...options, bits: options.bits }, setting) : {});

/** Super-blocks stay together, whatever the type; within them, and of them, the largest inputs come first. */
export const blockOrder = "group-aware:256";
