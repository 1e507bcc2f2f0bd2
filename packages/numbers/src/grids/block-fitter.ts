import { at } from "@mbs/contracts";
import { KernelLayout, type Kernels } from "../wasm/kernel-memory.ts";
import { mostOffsetOf, relativeTo, unitsOf } from "./block-fit-reference.ts";
import { hasShortScales, type BlockRule, type BlockScales } from "./block-rule.ts";
import { limitsOf } from "./column-grids.ts";
import { droppedBits, shortsInDoubling } from "./short-floats.ts";
import { triedInverses, triedShares } from "./sub-block-fit.ts";

/** Rows that the kernel treats at a time. */
const strip = 16;

/** Most bytes of a block that lie in the kernel's memory at once, so that they stay in the second cache. */
const mostBytes = 512 * 1024;

/** Where the arrays of the kernels lie, for `part` rows. */
interface Addresses {
  /** Wᵀ of the block. */
  readonly W: number;
  /** The kernels' own. */
  readonly T: number;
  /** Importances of the columns. */
  readonly D: number;
  /** Which scales are tried. */
  readonly A: number;
  /** Levels and their limits; 0 without. */
  readonly L: number;
  /** Scales and offsets of sub-blocks, [sub-blocks, part]. */
  readonly S: number;
  readonly O: number;
  /** d and dmin of rows. */
  readonly F: number;
  readonly G: number;
  /** Whole numbers of the sub-block that was chosen last. */
  readonly s: number;
  readonly o: number;
}

function takeArrays(layout: KernelLayout, rule: BlockRule, part: number, tries: number): Addresses {
  const { columns, subColumns, levels } = rule;
  const subs = columns / subColumns;
  return {
    W: layout.take(4 * columns * part),
    T: layout.take(4 * subColumns * strip),
    D: layout.take(4 * columns),
    A: layout.take(4 * tries),
    L: levels ? layout.take(16 + 15 * 4) : 0,
    S: layout.take(4 * subs * part),
    O: layout.take(4 * subs * part),
    F: layout.take(4 * part),
    G: layout.take(4 * part),
    s: layout.take(4 * part),
    o: layout.take(4 * part),
  };
}

/** Fits a part of the rows at a time. */
class BlockFitter {
  readonly #rule: BlockRule;
  readonly #rows: number;
  /** Rows of a part: whole strips. */
  readonly #part: number;
  readonly #tries: number;
  readonly #addresses: Addresses;
  readonly #buffer: ArrayBuffer;
  readonly #kernels: Kernels;

  constructor(rule: BlockRule, rows: number) {
    const { columns, maximum, levels, offsets } = rule;
    const tried = offsets ? triedShares(maximum) : triedInverses(rule);
    const fitting = Math.floor(mostBytes / (4 * columns * strip)) * strip;
    const layout = new KernelLayout();
    this.#rule = rule;
    this.#rows = rows;
    this.#part = Math.min(Math.max(fitting, strip), Math.ceil(rows / strip) * strip);
    this.#tries = tried.length;
    this.#addresses = takeArrays(layout, rule, this.#part, tried.length);
    const { buffer, kernels } = layout.build();
    this.#buffer = buffer;
    this.#kernels = kernels;
    const { A, L } = this.#addresses;
    this.#floats(A, tried.length).set(tried);
    if (levels) {
      new Int8Array(buffer, L, 16).set(levels);
      this.#floats(L + 16, 15).set(limitsOf(levels));
    }
  }

  fit(weights: Float32Array, importances: Float32Array): BlockScales {
    const { columns, subColumns } = this.#rule;
    const rows = this.#rows;
    const subs = columns / subColumns;
    this.#floats(this.#addresses.D, columns).set(relativeTo(importances));
    const made = {
      scales: new Float32Array(rows),
      offsets: new Float32Array(rows),
      subScales: new Int16Array(subs * rows).fill(1),
      subOffsets: new Uint8Array(subs * rows).fill(1),
    };
    for (let from = 0; from < rows; from += this.#part) this.#fitPart(weights, from, made);
    return made;
  }

  #floats(address: number, length: number): Float32Array {
    return new Float32Array(this.#buffer, address, length);
  }

  /** Fits the rows from `from` on, as many as a part has. @param made receives what was found */
  #fitPart(weights: Float32Array, from: number, made: BlockScales): void {
    const [rule, rows, part] = [this.#rule, this.#rows, this.#part];
    const { W, S, O, F, G, s, o } = this.#addresses;
    const subs = rule.columns / rule.subColumns;
    const count = Math.min(part, rows - from);
    const padded = Math.ceil(count / strip) * strip;
    const panel = this.#floats(W, rule.columns * part);
    for (let column = 0; column < rule.columns; column += 1) {
      const start = column * rows + from;
      panel.set(weights.subarray(start, start + count), column * part);
    }
    for (let sub = 0; sub < subs; sub += 1) this.#fitSubBlock(sub, padded);
    if (hasShortScales(rule)) {
      made.scales.set(this.#floats(S, count), from);
      return;
    }
    const units = unitsOf({ scales: this.#floats(S, subs * part), offsets: this.#floats(O, subs * part) }, part, rule);
    made.scales.set(units.scales.subarray(0, count), from);
    made.offsets.set(units.offsets.subarray(0, count), from);
    if (rule.scales === undefined) return;
    this.#floats(F, part).set(units.scales);
    this.#floats(G, part).set(units.offsets);
    for (let sub = 0; sub < subs; sub += 1) {
      this.#chooseNumbers(sub, padded, rule.scales);
      made.subScales.set(this.#floats(s, count), sub * rows + from);
      made.subOffsets.set(this.#floats(o, count), sub * rows + from);
    }
  }

  /** Where weights, importances, scales and offsets of a sub-block begin. */
  #subBlockAt(sub: number): {
    readonly weights: number;
    readonly importances: number;
    readonly scales: number;
    readonly offsets: number;
  } {
    const { W, D, S, O } = this.#addresses;
    const [part, { subColumns }] = [this.#part, this.#rule];
    return {
      weights: W + sub * subColumns * part * 4,
      importances: D + sub * subColumns * 4,
      scales: S + sub * part * 4,
      offsets: O + sub * part * 4,
    };
  }

  #fitSubBlock(sub: number, count: number): void {
    const [rule, kernels, part] = [this.#rule, this.#kernels, this.#part];
    const { subColumns, zero, maximum, offsets: offsetKind } = rule;
    const { T, A, L } = this.#addresses;
    const { weights, importances, scales, offsets } = this.#subBlockAt(sub);
    const sizes = [part, count, subColumns, this.#tries] as const;
    if (hasShortScales(rule)) {
      const [dropped, reach] = [droppedBits(rule.significantBits), shortsInDoubling(rule.significantBits)];
      const largest = at(rule.levels, maximum);
      kernels.fitShort(weights, T, importances, scales, part, count, subColumns, largest, dropped, reach, L);
    } else if (offsetKind) {
      const fromZero = offsetKind === "half" ? 0 : 1;
      kernels.fitAffine(weights, T, importances, A, scales, offsets, ...sizes, maximum, fromZero);
    } else {
      kernels.fitSigned(weights, T, importances, A, scales, ...sizes, -zero, maximum - zero, L);
    }
  }

  #chooseNumbers(sub: number, count: number, { least, most }: NonNullable<BlockRule["scales"]>): void {
    const { subColumns, zero, maximum } = this.#rule;
    const { T, L, F, G, s, o } = this.#addresses;
    const { weights, importances, scales, offsets } = this.#subBlockAt(sub);
    const sizes = [this.#part, count, subColumns] as const;
    const limits = [zero, maximum, least, most, mostOffsetOf(this.#rule)] as const;
    this.#kernels.chooseNumbers(weights, T, importances, scales, offsets, F, G, s, o, ...sizes, ...limits, L);
  }
}

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
  const fitter = new BlockFitter(rule, rows);
  return (weights, importances) => fitter.fit(weights, importances);
}
