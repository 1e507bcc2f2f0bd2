import { at, defineSolver, InterruptedError, type GroupGrid, type Solution, type SolverContext } from "@mbs/contracts";
import { createGridFitter, groupWidth } from "@mbs/numbers";
import { scaleColumns, scaleGram, unscaledChange } from "./grids/channel-scaling.ts";
import { clippedGrid } from "./grids/clipped-grid.ts";
import { roundToNearest } from "./grids/nearest-rounding.ts";
import { outputByRow } from "./output-error.ts";
import { gridRuleOf, neighbouringCodes, requireGroups } from "./grids/site-grid.ts";

/** Powers of the channels' size that are tried: 0, 1/20 … 19/20, as the reference program does. */
const tries = 20;

/** What a size to a power is at least, before the scales are centred; the reference program's. */
const smallestScale = 1e-4;

/**
 * Scales of channels: size to a power, no smaller than `smallestScale`, centred so that the largest times the smallest is 1.
 *
 * @param sizes √E[x²] of each channel
 */
function channelScales(sizes: Float64Array, power: number): Float32Array {
  const scales = sizes.map((size) => Math.max(size ** power, smallestScale));
  const centre = Math.sqrt(scales.reduce((a, b) => Math.max(a, b)) * scales.reduce((a, b) => Math.min(a, b)));
  return Float32Array.from(scales, (scale) => scale / centre);
}

/**
 * AWQ: rounds weights whose channels were scaled by the size of what they read, so that those that matter get a finer grid;
 * the norm before the site takes the inverse. Where there is none to take it, only the grids' ranges are clipped.
 *
 * The power is the one of twenty with the least tr(ΔW·H·ΔWᵀ) over all weights of the site. The reference program measures a
 * channel by E|x| and the error at the output of the whole attention or MLP; known here are √E[x²] and the linear output.
 */
export const awq = defineSolver({
  name: "awq",
  source: "https://arxiv.org/abs/2306.00978",
  summary: "rounds to nearest after scaling each input channel by its size and clipping each group's range",
  needs: ["gram"],
  grids: ["groups"],
  options: {
    clip: {
      kind: "flag",
      description: "shrink each group's range if that reduces the error of its own output",
      default: true,
    },
  },
  plannedCodes: (_options, _order, grid: GroupGrid) => neighbouringCodes(grid),
  async solve(weight, { gram }, { clip }, context) {
    const { rows, columns, values, scalable = false } = weight;
    const grid = requireGroups(weight);
    const shared = { rows, columns, grid };
    const fitter = createGridFitter(groupWidth(columns, grid), rows, gridRuleOf(weight, grid));
    const fit = (panel: Float32Array) => fitter(panel);
    const round = (weights: Float32Array): Promise<Solution> => roundToNearest({ ...shared, values: weights, fit });
    const scales = scalable ? await searchScales(values, gram, round, context) : undefined;
    const scaled = scales ? scaleColumns(values, scales) : values;
    const moment = scales ? scaleGram(gram, scales) : gram;
    const solution = clip
      ? await roundToNearest({
          ...shared,
          values: scaled,
          fit: (panel, first) => clippedGrid(context.blas, panel, { rows, first, gram: moment, fit }),
        })
      : await round(scaled);
    return { ...solution, ...(scales && { inputScale: scales }) };
  },
});

/** The scales with the least error of the output; undefined where none is better than no scales. */
async function searchScales(
  values: Float32Array,
  gram: Float32Array,
  round: (weights: Float32Array) => Promise<Solution>,
  { blas, signal }: SolverContext,
): Promise<Float32Array | undefined> {
  const columns = Math.sqrt(gram.length);
  const rows = values.length / columns;
  const sizes = Float64Array.from({ length: columns }, (_, column) => Math.sqrt(at(gram, column * (columns + 1))));
  let best: Float32Array | undefined;
  let least = Infinity;
  for (let step = 0; step < tries; step += 1) {
    if (signal.aborted) throw new InterruptedError("stopped while solving a site");
    const scales = channelScales(sizes, step / tries);
    const rounded = await round(scaleColumns(values, scales));
    const change = unscaledChange(rounded.values, scales, values);
    const error = (await outputByRow(blas, change, rows, { gram })).reduce((sum, value) => sum + value, 0);
    if (error < least) {
      least = error;
      best = step === 0 ? undefined : scales;
    }
  }
  return best;
}
