import type { StateRecord } from "@mbs/artifacts";
import type { Matrix } from "@mbs/contracts";

/** The states of equally long segments under each other, [segments · rows, width]. One segment is not copied. */
export function stackStates(records: readonly Pick<StateRecord, "rows" | "width" | "values">[]): Matrix {
  const [{ rows, width, values }] = records;
  if (records.length === 1) return { rows, columns: width, values };
  const stacked = new Float32Array(records.length * rows * width);
  for (const [place, record] of records.entries()) stacked.set(record.values, place * rows * width);
  return { rows: records.length * rows, columns: width, values: stacked };
}
