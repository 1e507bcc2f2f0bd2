export { decodeBrain, encodeBrain } from "./dtypes/brain.ts";
export { createReferenceKernel } from "./columns/column-kernel-reference.ts";
export { parseOrder } from "./columns/column-order.ts";
export type { ColumnOrder } from "./columns/column-order.ts";
export { createSimdKernel } from "./columns/column-kernel-simd.ts";
export { createGroupRescaler, createReferenceRescaler } from "./columns/group-rescaler.ts";
export type { GroupRescaler, ScaleSums } from "./columns/group-rescaler.ts";
export type { Choice, ColumnKernel, KernelOptions } from "./columns/column-kernel.ts";
export { walkColumns } from "./columns/column-walk.ts";
export type { ColumnBlock, ColumnWalk } from "./columns/column-walk.ts";
export { nearestOdd } from "./grids/block-rule.ts";
export type { BlockRule, BlockScales } from "./grids/block-rule.ts";
export { fitBlocksReference } from "./grids/block-fit-reference.ts";
export { createBlockFitter } from "./grids/block-fitter.ts";
export { refitSubBlockReference } from "./grids/sub-block-refit-reference.ts";
export type { FrozenSubBlock } from "./grids/sub-block-refit-reference.ts";
export { createSubBlockRefitter } from "./grids/sub-block-refitter.ts";
export { createNearestPoints } from "./grids/nearest-points.ts";
export { createNearestReference } from "./grids/nearest-points-reference.ts";
export type { NearestPoints, NearestTables } from "./grids/nearest-points-reference.ts";
export { createPointRounder } from "./grids/point-rounder.ts";
export { createPointSearch, roundPointsReference } from "./grids/point-rounder-reference.ts";
export type { PointChoice, PointSearch, PointTables } from "./grids/point-rounder-reference.ts";
export { columnCodeOf, columnValueOf } from "./grids/column-grids.ts";
export type { ColumnGrids } from "./grids/column-grids.ts";
export {
  bitLimits,
  codeBits,
  codeOf,
  gridInRows,
  groupCount,
  groupWidth,
  largestSparsity,
  limitsOfGrid,
  valueOf,
} from "./grids/grid.ts";
export type { FittedGrid, GridRule } from "./grids/grid.ts";
export { codedGridFault, codedValuesFault, codedWeightFault, placeOf } from "./grids/coded-weight.ts";
export type { PartFault } from "./grids/coded-weight.ts";
export { createGridFitter } from "./grids/grid-fitter.ts";
export { fitGridReference } from "./grids/grid-reference.ts";
export { pearson, randomOrders, spearman, testCorrelation } from "./statistics/correlation.ts";
export type { TestedCorrelation } from "./statistics/correlation.ts";
export { damp, findDead } from "./hessian/damping.ts";
export type { LivingDiagonal } from "./hessian/damping.ts";
export { decodeE4m3, encodeE4m3 } from "./dtypes/e4m3.ts";
export { decodeHalf, encodeHalf } from "./dtypes/half.ts";
export { inverseFactorReference, NotPositiveDefiniteError } from "./hessian/inverse-factor-reference.ts";
export { inverseFactor } from "./hessian/inverse-factor.ts";
export { findNonfinite, findNonfiniteStored } from "./dtypes/nonfinite.ts";
export {
  columnsInOrder,
  invertOrder,
  naturalOrder,
  permuteSymmetric,
  restoreOrder,
  transposeInOrder,
  transposeInto,
  unpackInOrder,
} from "./columns/ordering.ts";
export { packedDiagonal, packedLength, packedRowStart, packUpper, unpackUpper } from "./hessian/packing.ts";
export { hadamard, hasHadamard } from "./rotations/hadamard.ts";
export { keepingMean, randomHadamard, randomOrthogonal } from "./rotations/rotation.ts";
export { createLogitSums } from "./statistics/logit-sums.ts";
export type { LogitSums, LogitTerms } from "./statistics/logit-sums.ts";
export { mean } from "./statistics/mean.ts";
export { percentileInterval } from "./statistics/percentile-interval.ts";
export { withRelativeError } from "./statistics/relative-error.ts";
export type { Interval } from "./statistics/percentile-interval.ts";
export { bytesOfDtype, decodeWeights, encodeWeights, isWeightDtype, roundHalfEven, roundTo } from "./dtypes/rounding.ts";
export type { WeightDtype } from "./dtypes/rounding.ts";
export { seededGenerator } from "./statistics/seeded-generator.ts";
