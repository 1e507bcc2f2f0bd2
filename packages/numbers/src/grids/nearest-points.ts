import { KernelLayout } from "../wasm/kernel-memory.ts";
import { superColumns, type NearestPoints, type NearestTables } from "./nearest-points-reference.ts";

/** {@link createNearestReference} by a kernel, with the same bits. */
export function createNearestPoints({ width, columns, sizes, evenSigns, firsts, starts, seconds }: NearestTables): NearestPoints {
  const layout = new KernelLayout();
  const [X, W] = [layout.take(4 * superColumns), layout.take(4 * superColumns)];
  const [C, Z] = [layout.take(superColumns), layout.take(sizes.length)];
  const [F, G, S] = [layout.take(firsts.length), layout.take(2 * starts.length), layout.take(seconds.length)];
  const B = layout.take(8 * (4 * 16 + 4 * 96));
  const { buffer, kernels } = layout.build();
  new Uint8Array(buffer, Z, sizes.length).set(sizes);
  new Uint8Array(buffer, F, firsts.length).set(firsts);
  new Uint16Array(buffer, G, starts.length).set(starts);
  new Uint8Array(buffer, S, seconds.length).set(seconds);
  const constant = [columns, sizes.length, firsts.length, width, Number(evenSigns)] as const;
  return {
    values: new Float32Array(buffer, X, superColumns),
    weights: new Float32Array(buffer, W, superColumns),
    codes: new Uint8Array(buffer, C, superColumns),
    find: (at, scale, limit) => kernels.findNearest(X, W, C, F, G, S, Z, B, at, ...constant, scale, limit),
  };
}
