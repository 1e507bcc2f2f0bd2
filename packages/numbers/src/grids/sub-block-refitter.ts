import { copyRows } from "../wasm/copy-rows.ts";
import { KernelLayout } from "../wasm/kernel-memory.ts";
import { mostOffsetOf } from "./block-fit-reference.ts";
import type { BlockRule, BlockScales } from "./block-rule.ts";
import { droppedBits } from "./short-floats.ts";
import { sharedCurvature, type FrozenSubBlock } from "./sub-block-refit-reference.ts";

/** Rows that the kernel treats at a time. */
const strip = 16;

/** Most bytes of a sub-block that lie in the kernel's memory at once, so that they stay in the second cache. */
const mostBytes = 256 * 1024;

/**
 * Chooses scales of sub-blocks again by a SIMD kernel. It gives the same bits as {@link refitSubBlockReference}.
 *
 * @param rows rows of W
 * @returns the function that {@link refitSubBlockReference} is of one rule
 */
export function createSubBlockRefitter(
  rule: BlockRule,
  rows: number,
): (frozen: FrozenSubBlock, made: BlockScales, sub: number) => void {
  const { subColumns: columns, zero, levels, scales: whole, offsets: offsetKind, significantBits } = rule;
  const fitting = Math.floor(mostBytes / (4 * columns * strip)) * strip;
  const part = Math.min(Math.max(fitting, strip), Math.ceil(rows / strip) * strip);
  const kind = whole ? 0 : offsetKind === "half" ? 2 : 1;
  const layout = new KernelLayout();
  const X = layout.take(4 * columns * part);
  const C = layout.take(columns * part);
  const T = layout.take(3 * 4 * columns * strip);
  const H = layout.take(4 * columns * columns);
  const B = layout.take(4 * 4 * columns);
  const L = levels ? layout.take(16) : 0;
  const [F, G, s, o] = [layout.take(4 * part), layout.take(4 * part), layout.take(4 * part), layout.take(4 * part)];
  const [S, O] = [layout.take(4 * part), layout.take(4 * part)];
  const { buffer, kernels } = layout.build();
  const floats = (address: number, length: number): Float32Array => new Float32Array(buffer, address, length);
  const [panel, codePanel] = [floats(X, columns * part), new Uint8Array(buffer, C, columns * part)];
  if (levels) new Int8Array(buffer, L, 16).set(levels);
  const dropped = significantBits ? droppedBits(significantBits) : 0;
  const limits = [whole?.least ?? 0, whole?.most ?? 0, mostOffsetOf(rule)] as const;

  return ({ best, codes, hessian }, made, sub) => {
    const shared = sharedCurvature(hessian, columns);
    floats(H, columns * columns).set(shared.hessian);
    floats(B, 4 * columns).set(shared.byColumn);
    for (let from = 0; from < rows; from += part) {
      const count = Math.min(part, rows - from);
      const padded = Math.ceil(count / strip) * strip;
      const [there, here] = [
        { row: from, stride: rows },
        { row: 0, stride: part },
      ];
      const numbers = [sub * rows + from, sub * rows + from + count] as const;
      copyRows(best, there, panel, here, count, columns);
      copyRows(codes, there, codePanel, here, count, columns);
      floats(F, count).set(made.scales.subarray(from, from + count));
      floats(G, count).set(made.offsets.subarray(from, from + count));
      floats(s, count).set(made.subScales.subarray(...numbers));
      floats(o, count).set(made.subOffsets.subarray(...numbers));
      kernels.refit(X, C, T, H, B, F, G, s, o, S, O, part, padded, columns, zero, shared.total, ...limits, kind, dropped, L);
      copyRows(panel, here, best, there, count, columns);
      if (whole) {
        made.subScales.set(floats(s, count), numbers[0]);
        made.subOffsets.set(floats(o, count), numbers[0]);
      } else {
        made.scales.set(floats(S, count), from);
        made.offsets.set(floats(O, count), from);
      }
    }
  };
}
