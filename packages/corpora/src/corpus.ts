import type { Revisions } from "@mbs/hub";

/** One text of one language. */
export interface CorpusDocument {
  readonly text: string;
  /** The text's target, such as its translation; only where the corpus was opened with a target field. */
  readonly target?: string;
  /** Where the text comes from, by the corpus's own `source` column; "" where it has none. */
  readonly source: string;
}

/** Which fields or columns of a file are read. */
export interface CorpusFields {
  readonly text: string;
  readonly target: string | undefined;
}

/** The fields with the option that names each. */
export const wantedFields = ({ text, target }: CorpusFields): readonly { readonly field: string; readonly option: string }[] => [
  { field: text, option: "--field" },
  ...(target === undefined ? [] : [{ field: target, option: "--target-field" }]),
];

/** Where a document comes from is in this field, unless that is the text's own. */
export const originField = "source";

/** Texts by language, read again and again from their files, never held as a whole. */
export interface Corpus {
  /** The manifest's own name, else the base name of its path. */
  readonly name: string;
  readonly license: string | undefined;
  /** Of a dataset on the Hub, the name with its commit in the place of a branch; absent for a path. */
  readonly pinnedName?: string | undefined;
  /** Which commits the revisions of its datasets on the Hub are; absent where it has none. */
  readonly revisions?: Revisions;
  /** Language names, in the manifest's order (a folder's are sorted). */
  readonly languages: readonly string[];
  /** Paths of the files of all languages; for a dataset of the Hub its folder in the cache. */
  readonly files: readonly string[];
  /** SHA-256 over the language names and the bytes of their files, computed when first asked for. */
  readonly address: Promise<string>;
  /**
   * The documents of a language, in the order of its files. Each call reads the files again.
   *
   * @throws {BadDataError} on a file that is broken beyond the stated tolerance
   * @throws {UsageError} on a language that the corpus does not have
   */
  documents(language: string): AsyncIterable<CorpusDocument>;
}
