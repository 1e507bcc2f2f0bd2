import type { PythonValue, Row } from "../python/values.ts";

/** The text, target or choices of a row. */
export type RowFunction = (row: Row) => PythonValue;
/** Filters rows or adds columns to them. */
export type RowsFunction = (rows: readonly Row[]) => Row[];

/** The functions of one Python file of lm-evaluation-harness, written again. */
export interface HelperFile {
  /** Path of the file below `tasks`, without `.py`: `hellaswag/utils`. */
  readonly path: RegExp;
  /** SHA-256 of the file in lm-evaluation-harness 0.4.13, which these functions were compared with. */
  readonly digest: string;
  /** The functions by name; undefined where there is none. `source` is the user's own file, for what is read from it. */
  readonly rows?: (name: string, source: string) => RowsFunction | undefined;
  readonly row?: (name: string, source: string) => RowFunction | undefined;
}
