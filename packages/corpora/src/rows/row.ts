import type { Progress } from "@mbs/contracts";

/** A row of a dataset: its columns by name, as JSON has them. */
export type Row = Readonly<Record<string, unknown>>;

/** A split of a dataset, as evaluation tasks name it. */
export interface RowsDataset {
  /** Name of a dataset on the Hub (`facebook/belebele`), or `json` or `parquet` for `files`. */
  readonly path: string;
  /** Configuration of the dataset: `hin_Deva`. */
  readonly name?: string;
  readonly split: string;
  /** Paths of local files, which are then the split. */
  readonly files?: readonly string[];
}

export interface ReadRowsOptions {
  /** Folder with copies of datasets, below their names; default: the Hub and its cache. */
  readonly folder?: string | undefined;
  /** Called for each file with a byte-order mark. Default: no warnings. */
  readonly warn?: (message: string) => void;
  /** Stops reading. */
  readonly signal?: AbortSignal | undefined;
  /** Called while files of the Hub are fetched. */
  readonly progress?: (progress: Progress) => void;
}

/** A file with rows. */
export interface RowFile {
  readonly path: string;
  readonly format: "json" | "parquet";
  readonly gzip: boolean;
}

/** A row, and how many bytes or characters of text it is made of. */
export interface SizedRow {
  readonly row: Row;
  readonly size: number;
}

/** How the names of files with rows end. */
export const rowEndings = ["jsonl", "jsonl.gz", "json", "json.gz", "parquet"] as const;

/** The file at `path`, with the format that its name ends in. */
export const rowFile = (path: string): RowFile => ({
  path,
  format: path.endsWith(".parquet") ? "parquet" : "json",
  gzip: path.endsWith(".gz"),
});

/** A split in words, for messages: "facebook/belebele, hin_Deva, test". */
export const describeSplit = ({ path, name, split }: RowsDataset): string =>
  [path, ...(name === undefined ? [] : [name]), split].join(", ");
