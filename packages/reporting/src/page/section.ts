import type { TextTable } from "../terminal/table.ts";

/** Numbers and names behind a plot or a table, unformatted: one record per row, each with the same keys. */
export type DataRow = Readonly<Record<string, string | number | boolean>>;

/** A picture and what it was drawn from. */
export interface Plot {
  /** SVG that scales with the width it is given. */
  readonly svg: string;
  readonly rows: readonly DataRow[];
}

export interface CaptionedTable {
  readonly caption: string;
  readonly table: TextTable;
  /** Whether it is seen at once; else a click away. */
  readonly open: boolean;
}

/** A piece of a section under a heading of its own. */
export interface Part {
  readonly title: string;
  readonly texts: readonly string[];
  /** Shown as code, to be copied. */
  readonly command?: string;
}

/** One part of a page. Texts are plain; the picture is SVG of this package's own. */
export interface Section {
  /** Lower-case words joined by hyphens, unique on its page: anchor, and name of its SVG and CSV files. */
  readonly id: string;
  readonly title: string;
  readonly texts?: readonly string[];
  readonly points?: readonly string[];
  readonly parts?: readonly Part[];
  readonly plots?: readonly Plot[];
  /** The numbers of each plot stand in one of them. */
  readonly tables?: readonly CaptionedTable[];
  /** For CSV; default the plots' rows. */
  readonly data?: readonly DataRow[];
  /** Shown as it is: a recipe. */
  readonly source?: string;
}

export interface Page {
  readonly title: string;
  readonly lead: readonly string[];
  readonly sections: readonly Section[];
}

/** What the sections of one artifact are called where there may be several of its kind. */
export interface SectionNames {
  /** An anchor that is unique on its page. */
  id(base: string): string;
  /** A heading, with the artifact's name where it is not the only one. */
  title(base: string): string;
}

/**
 * @param name of the artifact
 * @param index of it among those of its kind
 * @param count of those of its kind
 */
export const sectionNames = (name: string, index: number, count: number): SectionNames => ({
  id: (base) => (index === 0 ? base : `${base}-of-${index + 1}`),
  title: (base) => (count === 1 ? base : `${base} (${name})`),
});
