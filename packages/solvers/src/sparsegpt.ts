import { defineSolver, UsageError, type Factor, type GroupGrid, type SiteWeight, type WeightPart } from "@mbs/contracts";
import type { GridRule } from "@mbs/numbers";
import { layOutGroups } from "./grids/column-groups.ts";
import { fixColumns, type Pruning, type Rounding } from "./feedback/error-feedback.ts";
import { propagateError, qepDefault, qepOption, readsOfQep } from "./feedback/error-propagation.ts";
import { allocationByDamage, defaultSparsity, noCodes, parsePattern, sparsityOptions, type Pattern } from "./pruning/pattern.ts";
import { blockSizeOption } from "./feedback/column-rounding.ts";
import { gridRuleOf, gridOfSite, neighbouringCodes, searchOption } from "./grids/site-grid.ts";
import { dropInGroup, dropUpToShare, removalCosts } from "./pruning/selection.ts";

/** One threshold a block and part: the share of all its weights, over all rows. */
const unstructured = (parts: readonly WeightPart[], sparsity: number, blockSize: number): Pruning => ({
  span: blockSize,
  choose(block, from, to) {
    const scores = removalCosts(block, from, to);
    const kept = new Uint8Array(scores.length);
    for (const { firstRow, rows } of parts) {
      const ofPart = new Float32Array((to - from) * rows);
      const startOf = (column: number) => column * block.rows + firstRow;
      for (let column = 0; column < to - from; column += 1) {
        ofPart.set(scores.subarray(startOf(column), startOf(column) + rows), column * rows);
      }
      const keptOfPart = dropUpToShare(ofPart, sparsity);
      for (let column = 0; column < to - from; column += 1) {
        kept.set(keptOfPart.subarray(column * rows, (column + 1) * rows), startOf(column));
      }
    }
    return kept;
  },
});

/** N of M neighbours of each row, chosen when the first of them is reached. */
const structured = (pattern: Pattern): Pruning => ({
  span: pattern.of,
  choose(block, from, to) {
    const scores = removalCosts(block, from, to);
    const kept = new Uint8Array(scores.length).fill(1);
    for (let row = 0; row < block.rows; row += 1) {
      dropInGroup(scores, kept, { start: row, stride: block.rows, columns: to - from }, pattern);
    }
    return kept;
  },
});

/** @throws {UsageError} for any other order: groups and patterns are neighbours in the weight */
function requireNatural(order: string): void {
  if (order === "natural") return;
  throw new UsageError(`sparsegpt prunes neighbours, the factor's order is ${order}; factor with --order natural`, { order });
}

/** How what is left is rounded. */
function roundingTo(weight: SiteWeight, grid: GroupGrid, factor: Factor, search: GridRule["search"]): Rounding {
  const groups = layOutGroups(factor.order, grid, "position");
  return { rule: gridRuleOf(weight, grid, search), groups, fit: groups.groups === 1 ? "beforehand" : "reference" };
}

/** SparseGPT: removes the weights that cost least and lets later columns compensate for them. */
export const sparsegpt = defineSolver({
  name: "sparsegpt",
  source: "https://arxiv.org/abs/2301.00774",
  summary: "prunes with error feedback, a share of the weights or N of M, on request rounding them too",
  needs: ["factor", "crossMoment"],
  reads: ({ qep = 0 }) => ["factor", ...readsOfQep(qep)],
  grids: ["groups", "none"],
  options: {
    ...sparsityOptions,
    search: searchOption,
    blockSize: blockSizeOption,
    qep: qepOption,
  },
  prefersNormalisedTokens: true,
  preferredAllocation: allocationByDamage,
  dependentDefaults: (_, setting) => qepDefault(setting),
  plannedCodes({ pattern }, order, grid) {
    requireNatural(order);
    const none = noCodes({ pattern });
    return grid.kind === "groups" ? neighbouringCodes(grid) : none;
  },
  async solve(
    weight,
    statistics,
    { sparsity = defaultSparsity, pattern: patternText, search, blockSize: wanted, qep = 0 },
    context,
  ) {
    const { factor } = statistics;
    requireNatural(factor.orderName);
    const pattern = patternText === undefined ? undefined : parsePattern(patternText);
    // no group of N:M is cut by the end of a block
    const blockSize = pattern ? Math.max(Math.floor(wanted / pattern.of), 1) * pattern.of : wanted;
    const grid = gridOfSite(weight);
    const rounding = grid.kind === "groups" ? roundingTo(weight, grid, factor, search) : undefined;
    const pruning = pattern ? structured(pattern) : unstructured(weight.parts, sparsity, blockSize);
    const values = await propagateError(context.blas, weight, statistics, qep);
    return fixColumns({ ...weight, values }, factor, { blockSize, rounding, pruning }, context);
  },
});
