import { at, InternalError } from "@mbs/contracts";
import { hasNoBasis } from "@mbs/models";
import type { ArchitectureModel, NormTensors, ResidualStream, StreamNorm, ValueHeads } from "@mbs/models";
import type { Block } from "./change-basis.ts";
import type { Rotations } from "./rotations.ts";

/** How the basis of what a weight reads and makes changes: W becomes Qᵀ·W·diag(scales)·P, block by block. */
export interface WeightChange {
  /** The norm whose weight is folded into the columns. */
  readonly norm?: NormTensors;
  /** P: blocks of columns. */
  readonly columns: readonly Block[];
  /** Q: blocks of rows. */
  readonly rows: readonly Block[];
}

/** What a rotation makes of a model's tensors, by the names of the layout; what is in none of these stays as it is. */
export interface WeightChanges {
  readonly weights: ReadonlyMap<string, WeightChange>;
  /** Norms whose weights are folded into what reads them. */
  readonly norms: readonly StreamNorm[];
  /** The table of an embedding whose rows are normed. */
  readonly normedTable: string | undefined;
}

type Changes = Map<string, WeightChange>;

/** The change of a weight that stays as it is. */
export const unchanged: WeightChange = { columns: [], rows: [] };

function add(changes: Changes, tensor: string, change: Partial<WeightChange>): void {
  const known = changes.get(tensor) ?? unchanged;
  changes.set(tensor, {
    ...known,
    ...change,
    columns: [...known.columns, ...(change.columns ?? [])],
    rows: [...known.rows, ...(change.rows ?? [])],
  });
}

function addStream(changes: Changes, { tables, norms, writers }: ResidualStream, rotation: Block["rotation"]): void {
  const whole: readonly Block[] = [{ first: 0, rotation }];
  for (const table of tables) add(changes, table, { columns: whole });
  for (const norm of norms) for (const reader of norm.readers) add(changes, reader, { norm, columns: whole });
  for (const writer of writers) add(changes, writer, { rows: whole });
}

function addValues(changes: Changes, heads: ValueHeads, rotation: Block["rotation"]): void {
  const { headSize, tensor, bias, firstRows, output, sharedBy } = heads;
  const rows = firstRows.map((first) => ({ first, rotation }));
  for (const name of [tensor, ...(bias === undefined ? [] : [bias])]) add(changes, name, { rows });
  const columns = Array.from({ length: firstRows.length * sharedBy }, (_, head) => ({ first: head * headSize, rotation }));
  add(changes, output, { columns });
}

/** Which tensors of a model a rotation changes, and how. */
export function weightChanges({ layout: { bases } }: ArchitectureModel, rotations: Rotations): WeightChanges {
  const weights: Changes = new Map();
  let norms: readonly StreamNorm[] = [];
  let normedTable: string | undefined;
  if (rotations.stream !== undefined) {
    if (hasNoBasis(bases.stream)) throw new InternalError(`the residual stream cannot be rotated: ${bases.stream.reason}`);
    addStream(weights, bases.stream, rotations.stream);
    ({ norms } = bases.stream);
    if (bases.stream.embeddingNorm !== undefined) normedTable = at(bases.stream.tables, 0);
  }
  if (rotations.values !== undefined) {
    if (hasNoBasis(bases.values)) throw new InternalError(`values cannot be rotated: ${bases.values.reason}`);
    for (const [index, heads] of bases.values.entries()) addValues(weights, heads, at(rotations.values, index));
  }
  return { weights, norms, normedTable };
}
