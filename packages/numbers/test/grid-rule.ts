import type { ZeroPoints } from "@mbs/contracts";
import type { GridRule, WeightDtype } from "@mbs/numbers";

/** A rule whose groups are as large as what it is fitted to. */
export const gridRule = (
  bits: number,
  zeroPoints: ZeroPoints,
  search: GridRule["search"],
  scaleDtype: WeightDtype = "f32",
): GridRule => ({ grid: { kind: "groups", bits, groupSize: 0, zeroPoints }, search, scaleDtype });
