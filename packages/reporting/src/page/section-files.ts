import { csvFormat } from "d3-dsv";
import type { DataRow, Section } from "./section.ts";

/** A file that is made of a section. */
export interface SectionFile {
  readonly name: string;
  readonly content: string;
}

/** The pictures of a page, a file each. */
export const svgFiles = (sections: readonly Section[]): readonly SectionFile[] =>
  sections.flatMap(({ id, plots = [] }) =>
    plots.map(({ svg }, index) => ({ name: `${id}${index === 0 ? "" : `-picture-${index + 1}`}.svg`, content: `${svg}\n` })),
  );

/** The numbers of a page, unformatted, one file per section that has some. */
export const csvFiles = (sections: readonly Section[]): readonly SectionFile[] =>
  sections.flatMap(({ id, data, plots = [] }) => {
    const numbers: readonly DataRow[] = data ?? plots.flatMap(({ rows: own }) => own);
    return numbers.length === 0 ? [] : [{ name: `${id}.csv`, content: `${csvFormat(numbers.map((row) => ({ ...row })))}\n` }];
  });
