import { csvFormat } from "d3-dsv";
import type { DataRow, Section } from "./section.ts";

/** A file that is made of a section. */
export interface SectionFile {
  readonly name: string;
  readonly content: string;
}

/** The pictures of a page, a file each. */
export const svgFiles = (sections: readonly Section[]): readonly SectionFile[] =>
  sections.flatMap(({ id, plot }) => (plot === undefined ? [] : [{ name: `${id}.svg`, content: `${plot.svg}\n` }]));

/** The numbers of a page, unformatted, a file each section that has some. */
export const csvFiles = (sections: readonly Section[]): readonly SectionFile[] =>
  sections.flatMap(({ id, data, plot }) => {
    const rows: readonly DataRow[] = data ?? plot?.rows ?? [];
    return rows.length === 0 ? [] : [{ name: `${id}.csv`, content: `${csvFormat(rows.map((row) => ({ ...row })))}\n` }];
  });
