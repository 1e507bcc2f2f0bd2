import { BadDataError, InternalError } from "@mbs/contracts";
import type { Layout } from "../panels.ts";

/** Refuses the values of a writer that do not have the length of their layout. */
export function requireLength(what: string, layout: Layout, values: { readonly length: number }): void {
  const expected = layout.before(layout.rows);
  if (expected === 0 || values.length !== expected) {
    throw new InternalError(`${what}: ${values.length} values, expected ${expected}`, { what, expected, found: values.length });
  }
}

/** Refuses a shape that was read and that no matrix has. */
export function requireShape(what: string, rows: number, columns: number): void {
  if (rows < 1 || columns < 1)
    throw new BadDataError(`${what}: a matrix of ${rows} × ${columns} cannot be`, { what, rows, columns });
}
