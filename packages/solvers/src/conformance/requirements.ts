import type { PlannedCodes, QuantisedWeight, SiteWeight, Solution } from "@mbs/contracts";
import { roundTo } from "@mbs/numbers";

/** A solver that does not keep the contract: what it did, and where. */
export class ConformanceError extends Error {
  override readonly name = "ConformanceError";
}

export function require(condition: boolean, message: string): asserts condition {
  if (!condition) throw new ConformanceError(message);
}

const place = (index: number, columns: number): string => `row ${Math.floor(index / columns)}, column ${index % columns}`;

export function requireShape({ rows, columns, scalable }: SiteWeight, { values, mask, quantised, inputScale }: Solution): void {
  require(values.length === rows * columns, `${values.length} values for a weight of ${rows}×${columns}`);
  require(!mask || mask.length === rows * columns, `${mask?.length} mask entries for a weight of ${rows}×${columns}`);
  require(!mask || mask.every((kept) => kept <= 1), "a mask holds 0 and 1 alone");
  require(!inputScale || scalable === true, "scales an input that nothing can scale");
  require(!inputScale || inputScale.length === columns, `${inputScale?.length} scales for ${columns} channels of the input`);
  if (!quantised) return;
  const { bits, codes, scales, zeros, groupOf } = quantised;
  const groups = groupOf.reduce((largest, group) => Math.max(largest, group), 0) + 1;
  require(codes.length === rows * columns, `${codes.length} codes for a weight of ${rows}×${columns}`);
  require(groupOf.length === columns, `groups of ${groupOf.length} columns, the weight has ${columns}`);
  require(groupOf.every((group) => group >= 0), "a group's number is negative");
  require(scales.length === rows * groups, `${scales.length} scales for ${rows} rows and ${groups} groups`);
  require(zeros.length === rows * groups, `${zeros.length} zeros for ${rows} rows and ${groups} groups`);
  const largest = 2 ** bits - 1;
  require(codes.every((code) => code <= largest), `a code is above ${largest}, the largest of ${bits} bits`);
  require(zeros.every((zero) => zero <= largest), `a zero point is above ${largest}, the largest of ${bits} bits`);
}

export function requireFinite({ columns }: SiteWeight, { values, quantised, inputScale }: Solution): void {
  const wrong = values.findIndex((value) => !Number.isFinite(value));
  require(wrong < 0, `${values[wrong]} at ${place(wrong, columns)}`);
  const scale = quantised?.scales.find((value) => !Number.isFinite(value) || value <= 0);
  require(scale === undefined, `scale ${scale}`);
  const channel = inputScale?.find((value) => !Number.isFinite(value) || value <= 0);
  require(channel === undefined, `input scale ${channel}`);
}

function requireDequantised(columns: number, values: Float32Array, quantised: QuantisedWeight): void {
  const { codes, scales, zeros, groupOf } = quantised;
  const groups = scales.length / (values.length / columns);
  for (const [index, value] of values.entries()) {
    const grid = Math.floor(index / columns) * groups + groupOf[index % columns];
    const expected = Math.fround((codes[index] - zeros[grid]) * scales[grid]);
    require(value === expected, `value ${value} at ${place(index, columns)}, its code says ${expected}`);
  }
}

function requireRoundedScales({ scales }: QuantisedWeight, dtype: SiteWeight["scaleDtype"] = "f32"): void {
  const rounded = roundTo(dtype, scales);
  const wrong = scales.find((scale, index) => scale !== rounded[index]);
  require(wrong === undefined, `scale ${wrong} is none of ${dtype}, which the weight's scaleDtype asks for`);
}

/** Values are exactly those of codes and mask, and files can hold the scales. */
export function requireAgreement({ columns, scaleDtype }: SiteWeight, { values, mask, quantised }: Solution): void {
  if (quantised) {
    requireDequantised(columns, values, quantised);
    requireRoundedScales(quantised, scaleDtype);
  }
  const kept = mask ? values.findIndex((value, index) => mask[index] === 0 && value !== 0) : -1;
  require(kept < 0, `${values[kept]} at ${place(kept, columns)}, which the mask says is pruned`);
}

/** The codes are those that were foretold; a weight of one group has no other than its place. */
export function requirePlanned({ columns }: SiteWeight, { quantised }: Solution, planned: PlannedCodes | "none"): void {
  if (planned === "none") return require(quantised === undefined, "makes codes, and its plannedCodes says none");
  require(quantised !== undefined, "makes no codes, and its plannedCodes says that it does");
  const { bits, groupSize, groupOf } = quantised;
  const size = planned.groupSize === 0 ? columns : Math.min(planned.groupSize, columns);
  require(bits === planned.bits, `codes have ${bits} bits, its plannedCodes says ${planned.bits}`);
  require(groupSize === size, `groups have ${groupSize} columns, its plannedCodes says ${size}`);
  const apart = groupOf.some((group, column) => group !== Math.floor(column / size));
  require(planned.scattered || !apart, "columns of a group stand apart, and its plannedCodes says that they do not");
}

const sameArray = (a: ArrayLike<number> | undefined, b: ArrayLike<number> | undefined): boolean =>
  a === b ||
  (a !== undefined &&
    b !== undefined &&
    a.length === b.length &&
    Array.from(a).every((value, index) => Object.is(value, b[index])));

/** Refuses two solutions that differ in a bit. */
export function requireSame(first: Solution, second: Solution, when: string): void {
  require(sameArray(first.values, second.values), `values differ ${when}`);
  require(sameArray(first.mask, second.mask), `masks differ ${when}`);
  require(sameArray(first.inputScale, second.inputScale), `input scales differ ${when}`);
  for (const key of ["codes", "scales", "zeros", "groupOf"] as const) {
    require(sameArray(first.quantised?.[key], second.quantised?.[key]), `${key} differ ${when}`);
  }
}
