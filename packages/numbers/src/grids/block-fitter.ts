import { at } from "@mbs/contracts";
import { KernelLayout } from "../wasm/kernel-memory.ts";
import { mostOffsetOf, relativeTo, unitsOf } from "./block-fit-reference.ts";
import { hasShortScales, type BlockRule, type BlockScales } from "./block-rule.ts";
import { limitsOf } from "./column-grids.ts";
import { droppedBits, shortsInDoubling } from "./short-floats.ts";
import { triedInverses, triedShares } from "./sub-block-fit.ts";

/** Rows that the kernel treats at a time. */
const strip = 16;

/** Most bytes of a block that lie in the kernel's memory at once, so that they stay in the second cache. */
const mostBytes = 512 * 1024;

/**
 * Fits the scales of GGUF's blocks by SIMD kernels, one block a row. It gives the same bits as {@link fitBlocksReference}.
 *
 * @param rows rows of W
 * @returns a function of Wᵀ of a block, [rule.columns, rows], and of its columns' importances, as {@link fitBlocksReference} takes
 * them
 */
export function createBlockFitter(
  rule: BlockRule,
  rows: number,
): (weights: Float32Array, importances: Float32Array) => BlockScales {
  const { columns, subColumns, zero, maximum, levels, scales: whole, offsets: offsetKind } = rule;
  const subs = columns / subColumns;
  const tried = offsetKind ? triedShares(maximum) : triedInverses(rule);
  const mostOffset = mostOffsetOf(rule);
  const fitting = Math.floor(mostBytes / (4 * columns * strip)) * strip;
  const part = Math.min(Math.max(fitting, strip), Math.ceil(rows / strip) * strip);
  const layout = new KernelLayout();
  const W = layout.take(4 * columns * part);
  const T = layout.take(4 * subColumns * strip);
  const D = layout.take(4 * columns);
  const A = layout.take(4 * tried.length);
  const L = levels ? layout.take(16 + 15 * 4) : 0;
  const [S, O] = [layout.take(4 * subs * part), layout.take(4 * subs * part)];
  const [F, G] = [layout.take(4 * part), layout.take(4 * part)];
  const [s, o] = [layout.take(4 * part), layout.take(4 * part)];
  const { buffer, kernels } = layout.build();
  const floats = (address: number, length: number): Float32Array => new Float32Array(buffer, address, length);
  const panel = floats(W, columns * part);
  floats(A, tried.length).set(tried);
  if (levels) {
    new Int8Array(buffer, L, 16).set(levels);
    floats(L + 16, 15).set(limitsOf(levels));
  }

  function fitSubBlock(sub: number, count: number): void {
    const weights = W + sub * subColumns * part * 4;
    const [importances, scales] = [D + sub * subColumns * 4, S + sub * part * 4];
    const sizes = [part, count, subColumns, tried.length] as const;
    if (hasShortScales(rule)) {
      const [dropped, reach] = [droppedBits(rule.significantBits), shortsInDoubling(rule.significantBits)];
      const largest = at(rule.levels, maximum);
      kernels.fitShort(weights, T, importances, scales, part, count, subColumns, largest, dropped, reach, L);
    } else if (offsetKind) {
      const fromZero = offsetKind === "half" ? 0 : 1;
      kernels.fitAffine(weights, T, importances, A, scales, O + sub * part * 4, ...sizes, maximum, fromZero);
    } else {
      kernels.fitSigned(weights, T, importances, A, scales, ...sizes, -zero, maximum - zero, L);
    }
  }

  function chooseNumbers(sub: number, count: number, { least, most }: NonNullable<BlockRule["scales"]>): void {
    const weights = W + sub * subColumns * part * 4;
    const [importances, scales, offsets] = [D + sub * subColumns * 4, S + sub * part * 4, O + sub * part * 4];
    const limits = [zero, maximum, least, most, mostOffset] as const;
    kernels.chooseNumbers(weights, T, importances, scales, offsets, F, G, s, o, part, count, subColumns, ...limits, L);
  }

  return (weights, importances) => {
    const relative = relativeTo(importances);
    floats(D, columns).set(relative);
    const made = {
      scales: new Float32Array(rows),
      offsets: new Float32Array(rows),
      subScales: new Int16Array(subs * rows).fill(1),
      subOffsets: new Uint8Array(subs * rows).fill(1),
    };
    for (let from = 0; from < rows; from += part) {
      const count = Math.min(part, rows - from);
      const padded = Math.ceil(count / strip) * strip;
      for (let column = 0; column < columns; column += 1) {
        const start = column * rows + from;
        panel.set(weights.subarray(start, start + count), column * part);
      }
      for (let sub = 0; sub < subs; sub += 1) fitSubBlock(sub, padded);
      if (hasShortScales(rule)) {
        made.scales.set(floats(S, count), from);
        continue;
      }
      const units = unitsOf({ scales: floats(S, subs * part), offsets: floats(O, subs * part) }, part, rule);
      made.scales.set(units.scales.subarray(0, count), from);
      made.offsets.set(units.offsets.subarray(0, count), from);
      if (whole === undefined) continue;
      floats(F, part).set(units.scales);
      floats(G, part).set(units.offsets);
      for (let sub = 0; sub < subs; sub += 1) {
        chooseNumbers(sub, padded, whole);
        made.subScales.set(floats(s, count), sub * rows + from);
        made.subOffsets.set(floats(o, count), sub * rows + from);
      }
    }
    return made;
  };
}
