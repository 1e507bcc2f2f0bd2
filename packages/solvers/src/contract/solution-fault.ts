import { isObject, type QuantisedWeight, type SiteWeight, type Solution } from "@mbs/contracts";
import { quantisationTypeNamed } from "@mbs/gguf";
import { findNonfinite, roundTo } from "@mbs/numbers";
import { firstOffCode, firstUnmasked, hasAbove } from "./solution-values.ts";

const position = (index: number, columns: number): string => `row ${Math.floor(index / columns)}, column ${index % columns}`;

const kindOf = (value: unknown): string => (value === null ? "null" : Array.isArray(value) ? "a list" : typeof value);

/** The first check that says something. */
function firstOf(checks: Iterable<string | false>): string | undefined {
  for (const found of checks) if (found !== false) return found;
  return undefined;
}

function* quantisedFaults({ rows, columns }: SiteWeight, quantised: unknown): Generator<string | false> {
  if (!isObject(quantised)) return yield `handed back ${kindOf(quantised)} for quantised`;
  const { bits, groupSize, symmetric, codes, scales, zeros, groupOf } = quantised;
  if (typeof bits !== "number" || !Number.isInteger(bits) || bits < 1 || bits > 8)
    return yield `quantised to ${String(bits)} bits`;
  if (typeof groupSize !== "number" || !Number.isInteger(groupSize) || groupSize < 1 || groupSize > columns) {
    return yield `has groups of ${String(groupSize)} columns of ${columns}`;
  }
  yield typeof symmetric !== "boolean" && "does not say whether its grids are symmetric";
  if (!(groupOf instanceof Int32Array)) return yield "handed back groupOf that is no Int32Array";
  yield groupOf.length !== columns && `has groups of ${groupOf.length} columns, the weight has ${columns}`;
  yield groupOf.some((group) => group < 0) && "has a group with a negative number";
  const groups = groupOf.reduce((largest, group) => Math.max(largest, group), 0) + 1;
  yield (
    groups !== Math.ceil(columns / groupSize) && `has ${groups} groups of ${groupSize} columns for a weight of ${columns} columns`
  );
  const sizes = new Map<number, number>();
  for (const group of groupOf) sizes.set(group, (sizes.get(group) ?? 0) + 1);
  yield [...sizes.values()].some((count) => count > groupSize) && `has a group of more than ${groupSize} columns, its groupSize`;
  const grids = `${rows} rows and ${groups} groups`;
  const largest = 2 ** bits - 1;
  if (!(codes instanceof Uint8Array)) return yield "handed back codes that are no Uint8Array";
  yield codes.length !== rows * columns && `has ${codes.length} codes for a weight of ${rows}×${columns}`;
  if (!(scales instanceof Float32Array)) return yield "handed back scales that are no Float32Array";
  yield scales.length !== rows * groups && `has ${scales.length} scales for ${grids}`;
  if (!(zeros instanceof Uint8Array)) return yield "handed back zeros that are no Uint8Array";
  yield zeros.length !== rows * groups && `has ${zeros.length} zeros for ${grids}`;
  yield hasAbove(codes, largest) && `has a code above ${largest}, the largest of ${bits} bits`;
  yield hasAbove(zeros, largest) && `has a zero point above ${largest}, the largest of ${bits} bits`;
  const scale = scales.find((value) => !Number.isFinite(value) || value <= 0);
  yield scale !== undefined && `has a scale ${scale}`;
}

/** Bytes of a row of so many columns in blocks of a type. */
function rowBytes(type: string, columns: number): number {
  const { values, bytes } = quantisationTypeNamed(type);
  return (columns / values) * bytes;
}

function* blockFaults({ columns, parts }: SiteWeight, blocks: unknown): Generator<string | false> {
  const isAsked = parts.some(({ grid }) => grid.kind === "blocks");
  if (blocks === undefined) return yield isAsked && "handed back no blocks, and its weight asks for them";
  if (!(blocks instanceof Uint8Array)) return yield "handed back blocks that are no Uint8Array";
  if (!isAsked) return yield "handed back blocks that nothing asked for";
  const wanted = parts.reduce(
    (sum, { rows, grid }) => sum + (grid.kind === "blocks" ? rows * rowBytes(grid.type, columns) : 0),
    0,
  );
  yield blocks.length !== wanted && `handed back ${blocks.length} bytes of blocks, ${wanted} expected`;
}

function* shapeFaults(weight: SiteWeight, solution: unknown): Generator<string | false> {
  if (!isObject(solution)) return yield `handed back ${kindOf(solution)}, not a solution`;
  const { rows, columns, scalable } = weight;
  const { values, mask, quantised, inputScale, blocks } = solution;
  if (!(values instanceof Float32Array)) return yield "handed back values that are no Float32Array";
  yield values.length !== rows * columns && `handed back ${values.length} values for a weight of ${rows}×${columns}`;
  if (mask !== undefined) {
    if (!(mask instanceof Uint8Array)) return yield "handed back a mask that is no Uint8Array";
    yield mask.length !== rows * columns && `has ${mask.length} mask entries for a weight of ${rows}×${columns}`;
    yield hasAbove(mask, 1) && "has a mask of other numbers than 0 and 1";
  }
  if (inputScale !== undefined) {
    yield scalable !== true && "scales an input that nothing can scale";
    if (!(inputScale instanceof Float32Array)) return yield "handed back an inputScale that is no Float32Array";
    yield inputScale.length !== columns && `has ${inputScale.length} scales for ${columns} channels of the input`;
    const channel = inputScale.find((value) => !Number.isFinite(value) || value <= 0);
    yield channel !== undefined && `has an input scale ${channel}`;
  }
  yield* blockFaults(weight, blocks);
  if (quantised !== undefined) yield* quantisedFaults(weight, quantised);
}

/** What keeps a value from being a solution for this weight, or undefined where it has the shape of one. */
export const shapeFault = (weight: SiteWeight, solution: unknown): string | undefined => firstOf(shapeFaults(weight, solution));

/** The first value that is not finite, and where; undefined where all are. */
export function nonfiniteValue({ columns }: SiteWeight, { values }: Solution): string | undefined {
  const wrong = findNonfinite(values);
  return wrong < 0 ? undefined : `${values[wrong]} at ${position(wrong, columns)}`;
}

function dequantisedFault(columns: number, values: Float32Array, quantised: QuantisedWeight): string | false {
  const wrong = firstOffCode(values, quantised, columns);
  return (
    wrong !== undefined && `has the value ${wrong.value} at ${position(wrong.index, columns)}, its code says ${wrong.expected}`
  );
}

/** @param blocks of the right length */
function blocksFault({ columns, parts }: SiteWeight, values: Float32Array, blocks: Uint8Array): string | false {
  let from = 0;
  for (const { grid, firstRow, rows } of parts) {
    if (grid.kind !== "blocks") continue;
    const to = from + rows * rowBytes(grid.type, columns);
    const decoded = new Float32Array(rows * columns);
    quantisationTypeNamed(grid.type).decode?.(blocks.subarray(from, to), decoded);
    from = to;
    const first = firstRow * columns;
    const wrong = decoded.findIndex((value, index) => value !== values[first + index]);
    if (wrong < 0) continue;
    return `has the value ${values[first + wrong]} at ${position(first + wrong, columns)}, its block says ${decoded[wrong]}`;
  }
  return false;
}

function scalesFault({ scales }: QuantisedWeight, dtype: SiteWeight["scaleDtype"] = "f32"): string | false {
  const rounded = roundTo(dtype, scales);
  const wrong = scales.find((scale, index) => scale !== rounded[index]);
  return wrong !== undefined && `has the scale ${wrong}, which is none of ${dtype}: the weight's scaleDtype asks for those`;
}

function maskFault(columns: number, values: Float32Array, mask: Uint8Array): string | false {
  const kept = firstUnmasked(values, mask);
  return kept >= 0 && `has ${values[kept]} at ${position(kept, columns)}, which the mask says is pruned`;
}

/**
 * How values differ from what codes and mask say, or scales from what files can hold; undefined where all agree.
 *
 * @param solution of the right shape
 */
export function agreementFault(weight: SiteWeight, solution: Solution): string | undefined {
  const { columns, scaleDtype } = weight;
  const { values, mask, quantised, blocks } = solution;
  return firstOf([
    blocks !== undefined && blocksFault(weight, values, blocks),
    quantised !== undefined && dequantisedFault(columns, values, quantised),
    quantised !== undefined && scalesFault(quantised, scaleDtype),
    mask !== undefined && maskFault(columns, values, mask),
  ]);
}
