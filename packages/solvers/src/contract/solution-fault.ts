import { isObject, type QuantisedWeight, type SiteWeight, type Solution } from "@mbs/contracts";
import { quantisationTypeNamed } from "@mbs/gguf";
import { codedValuesFault, codedWeightFault, findNonfinite, placeOf, roundTo, type PartFault } from "@mbs/numbers";

const kindOf = (value: unknown): string => (value === null ? "null" : Array.isArray(value) ? "a list" : typeof value);

/** The first check that says something. */
function firstOf(checks: Iterable<string | false>): string | undefined {
  for (const found of checks) if (found !== false) return found;
  return undefined;
}

const madeWith = (fault: PartFault | undefined): string | false => fault !== undefined && `made ${fault.part} that ${fault.says}`;

function* quantisedFaults({ rows, columns }: SiteWeight, quantised: unknown): Generator<string | false> {
  if (!isObject(quantised)) return yield `handed back ${kindOf(quantised)} for quantised`;
  const { symmetric, codes, scales, zeros, groupOf } = quantised;
  yield typeof symmetric !== "boolean" && "does not say whether its grids are symmetric";
  yield !(codes instanceof Uint8Array) && "handed back codes that are no Uint8Array";
  yield !(scales instanceof Float32Array) && "handed back scales that are no Float32Array";
  yield !(zeros instanceof Uint8Array) && "handed back zeros that are no Uint8Array";
  yield !(groupOf instanceof Int32Array) && "handed back groupOf that is no Int32Array";
  // bits and groupSize are looked at as whatever they are
  yield madeWith(codedWeightFault(quantised as unknown as QuantisedWeight, rows, columns));
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
    yield mask.some((kept) => kept > 1) && "has a mask of other numbers than 0 and 1";
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
  return wrong < 0 ? undefined : `${values[wrong]} at ${placeOf(wrong, columns)}`;
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
    return `has the value ${values[first + wrong]} at ${placeOf(first + wrong, columns)}, its block says ${decoded[wrong]}`;
  }
  return false;
}

function scalesFault({ scales }: QuantisedWeight, dtype: SiteWeight["scaleDtype"] = "f32"): string | false {
  const rounded = roundTo(dtype, scales);
  const wrong = scales.find((scale, index) => scale !== rounded[index]);
  return wrong !== undefined && `has the scale ${wrong}, which is none of ${dtype}: the weight's scaleDtype asks for those`;
}

/**
 * How values differ from what codes and mask say, or scales from what files can hold; undefined where all agree.
 *
 * @param solution of the right shape
 */
export function agreementFault(weight: SiteWeight, solution: Solution): string | undefined {
  const { columns, scaleDtype } = weight;
  const { values, mask: kept, quantised: coded, blocks } = solution;
  return firstOf([
    blocks !== undefined && blocksFault(weight, values, blocks),
    madeWith(codedValuesFault({ values, columns, firstRow: 0, dtype: "f32", coded, kept })),
    coded !== undefined && scalesFault(coded, scaleDtype),
  ]);
}
