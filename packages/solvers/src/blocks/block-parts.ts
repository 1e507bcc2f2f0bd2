import { InternalError, type SiteWeight, type Solution } from "@mbs/contracts";
import { joinRows, rowsOf } from "../row-slices.ts";

/** Whether the rows of a weight are to be rounded to blocks of GGUF types. @throws {InternalError} where only some are */
export function isInBlocks({ parts }: SiteWeight): boolean {
  const asked = parts.filter(({ grid }) => grid.kind === "blocks").length;
  if (asked > 0 && asked < parts.length) throw new InternalError("some parts of a site are in blocks and others not");
  return asked > 0;
}

/**
 * Solves the rows of each block type by themselves.
 *
 * @param weight all of whose parts name a type
 * @param solve neighbouring rows that are of one type
 */
export async function solveByType(
  weight: SiteWeight,
  solve: (rows: SiteWeight, type: string) => Promise<Solution> | Solution,
): Promise<Solution> {
  const ranges: { readonly type: string; readonly firstRow: number; rows: number }[] = [];
  for (const { grid, firstRow, rows } of weight.parts) {
    const last = ranges.at(-1);
    if (grid.kind !== "blocks") throw new InternalError("a part of a site names no block type");
    if (last?.type === grid.type) last.rows += rows;
    else ranges.push({ type: grid.type, firstRow, rows });
  }
  const solutions: Solution[] = [];
  for (const { type, ...range } of ranges) {
    solutions.push(await solve(ranges.length === 1 ? weight : rowsOf(weight, range), type));
  }
  return joinRows(solutions);
}
