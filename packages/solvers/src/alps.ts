import { defineSolver, type Blas, type SiteWeight, type Solution } from "@mbs/contracts";
import { createAdmm, sizesOf, type ChooseKept } from "./pruning/admm.ts";
import { schedules, type Schedule } from "./pruning/admm-schedule.ts";
import { propagateError, qepDefault, qepOption, readsOfQep } from "./feedback/error-propagation.ts";
import { refineKept } from "./pruning/conjugate-gradient.ts";
import { layerProblem, unscale, type LayerProblem } from "./pruning/layer-problem.ts";
import { allocationByDamage, defaultSparsity, noCodes, parsePattern, sparsityOptions, type Pattern } from "./pruning/pattern.ts";
import { dropSmallest, maskedValues, patternMask } from "./pruning/selection.ts";

type Parts = SiteWeight["parts"];

/** The same share of each part, or N of M neighbours. */
function keptOf(parts: Parts, columns: number, sparsity: number, pattern: Pattern | undefined): ChooseKept {
  if (pattern) return (sizes) => patternMask(sizes, columns, pattern);
  return (sizes) => {
    const mask = new Uint8Array(sizes.length);
    for (const { firstRow, rows } of parts) {
      const start = firstRow * columns;
      const ofPart = sizes.subarray(start, start + rows * columns);
      mask.set(dropSmallest(ofPart, ofPart.length - Math.round((1 - sparsity) * ofPart.length)), start);
    }
    return mask;
  };
}

/** The problem of some rows. */
function rowsOfProblem({ dense, wanted, ...shared }: LayerProblem, firstRow: number, rows: number): LayerProblem {
  const { columns } = dense;
  const part = ({ values }: { readonly values: Float32Array }) => ({
    rows,
    columns,
    values: values.subarray(firstRow * columns, (firstRow + rows) * columns),
  });
  return { ...shared, dense: part(dense), wanted: part(wanted) };
}

/** Weights of the problem that obey the mask. */
async function prune(
  blas: Blas,
  problem: LayerProblem,
  choose: ChooseKept,
  schedule: Schedule,
  signal: AbortSignal,
): Promise<Required<Pick<Solution, "values" | "mask">>> {
  const admm = createAdmm(blas, problem, choose, schedule.relaxation, signal);
  const { free } = await schedule.run(admm);
  const mask = choose(sizesOf(free));
  const values = maskedValues(free, mask);
  await refineKept(blas, problem, values, mask, schedule.refinement, signal);
  return { values: unscale(values, problem), mask };
}

/** ALPS: finds the mask by ADMM on the error of the site's output, then the best weights on it by conjugate gradients. */
export const alps = defineSolver({
  name: "alps",
  source: "https://arxiv.org/abs/2406.07831",
  summary: "prunes a share of the weights or N of M, searching for mask and weights together",
  needs: ["factor", "gram", "crossMoment"],
  reads: ({ qep = 0 }) => ["factor", "gram", ...readsOfQep(qep)],
  options: {
    ...sparsityOptions,
    schedule: {
      kind: "choice",
      choices: ["short", "paper"],
      description: "9 iterations of ADMM with given penalties, or as many as the mask takes to converge, about 30",
      default: "short",
    },
    qep: qepOption,
  },
  prefersNormalisedTokens: true,
  preferredAllocation: allocationByDamage,
  dependentDefaults: (_, setting) => qepDefault(setting),
  plannedCodes: noCodes,
  async solve(weight, statistics, { sparsity = defaultSparsity, pattern: text, schedule: name, qep = 0 }, { blas, signal }) {
    const { rows, columns, parts } = weight;
    const { factor, gram } = statistics;
    const pattern = text === undefined ? undefined : parsePattern(text);
    const aimed = await propagateError(blas, weight, statistics, qep);
    const problem = await layerProblem(blas, { rows, columns, values: aimed }, gram, factor);
    const schedule = schedules[name];
    if (!schedule.apart) return prune(blas, problem, keptOf(parts, columns, sparsity, pattern), schedule, signal);
    const values = new Float32Array(rows * columns);
    const mask = new Uint8Array(rows * columns);
    for (const part of parts) {
      const choose = keptOf([{ ...part, firstRow: 0 }], columns, sparsity, pattern);
      const solved = await prune(blas, rowsOfProblem(problem, part.firstRow, part.rows), choose, schedule, signal);
      values.set(solved.values, part.firstRow * columns);
      mask.set(solved.mask, part.firstRow * columns);
    }
    return { values, mask };
  },
});
