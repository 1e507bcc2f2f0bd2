import { at, InternalError } from "@mbs/contracts";
import highsModule from "highs";
import type { Highs } from "highs";

// The package's types describe its CommonJS entry; what Node imports is the loader itself.
const loadHighs = highsModule as unknown as typeof highsModule.default;

/** One way to store or prune some tensors. */
export interface CostedChoice {
  readonly name: string;
  /** What it takes of the limit: bits, with scales and zero points, or weights that are not pruned. */
  readonly size: number;
  /** What it costs in each of the sums that are to be small, ≥ 0. */
  readonly costs: readonly number[];
}

/** Tensors that get the same. */
export interface ChoiceUnit {
  readonly choices: readonly CostedChoice[];
}

/** How far the best solution may be below the one that is taken, as a share: choices that close cannot be told apart anyway. */
const gap = 1e-4;

/** Nodes of the search after which the best solution so far is taken. The clock would make results differ. */
const mostNodes = 20_000;

let loaded: Promise<Highs> | undefined;

/**
 * One choice for each unit, so that the largest of the sums of costs is least and the sizes fit: a mixed-integer program. With
 * one cost a choice it is the multiple-choice knapsack.
 *
 * @param limit of the sum of sizes; the smallest choices fit into it
 * @returns index of the choice of each unit
 * @throws {InternalError} where the solver finds none, though there is one
 */
export async function chooseLeast(units: readonly ChoiceUnit[], limit: number): Promise<number[]> {
  const highs = await (loaded ??= loadHighs());
  const model = highs.createModel();
  try {
    const sums = at(at(units, 0).choices, 0).costs.length;
    const columns = units.flatMap(({ choices }, unit) => choices.map((choice, index) => ({ unit, index, choice })));
    const all = columns.map((_, column) => column);
    // sizes and costs of very different orders would be lost in the solver's tolerances
    const scale = Math.max(...units.map(({ choices }) => Math.max(...choices.flatMap(({ costs }) => costs))), 1e-30);
    model.options.set({ output_flag: false, mip_rel_gap: gap, mip_max_nodes: mostNodes });
    for (const _ of all) model.addVar(0, 1);
    model.addVar(0, highs.infinity);
    const worst = columns.length;
    model.changeColCost(worst, 1);
    for (const column of all) model.changeColIntegrality(column, highs.constants.variableType.integer);
    for (const unit of units.keys()) {
      const own = all.filter((column) => at(columns, column).unit === unit);
      model.addRow(1, 1, { indices: own, values: own.map(() => 1) });
    }
    model.addRow(-highs.infinity, 1, { indices: all, values: columns.map(({ choice }) => choice.size / limit) });
    for (let sum = 0; sum < sums; sum += 1) {
      const costs = columns.map(({ choice }) => at(choice.costs, sum) / scale);
      model.addRow(0, highs.infinity, { indices: [...all, worst], values: [...costs.map((cost) => -cost), 1] });
    }
    const { modelStatus } = model.run();
    const { colValue } = model.getSolution();
    const chosen = units.map((_, unit) =>
      columns.findIndex((column, place) => column.unit === unit && at(colValue, place) > 0.5),
    );
    if (chosen.some((column) => column < 0)) {
      throw new InternalError(`the program of ${columns.length} choices ended with status ${modelStatus}; report it`);
    }
    return chosen.map((column) => at(columns, column).index);
  } finally {
    model.dispose();
  }
}
