import Table from "cli-table3";

/** Rows of text under headings; a column of numbers is aligned to the right. */
export interface TextTable {
  readonly columns: readonly {
    readonly title: string;
    readonly numeric?: boolean;
    /** Long text, which breaks into lines where there is no space. */
    readonly wide?: boolean;
  }[];
  readonly rows: readonly (readonly string[])[];
}

/** The headings of columns of text, then of columns of numbers. */
export const headings = (texts: readonly string[], numbers: readonly string[]): TextTable["columns"] => [
  ...texts.map((title) => ({ title })),
  ...numbers.map((title) => ({ title, numeric: true })),
];

/** A borderless table for a terminal, with its last line break. */
export function formatTable({ columns, rows }: TextTable): string {
  const none = Object.fromEntries(
    [
      "top",
      "top-mid",
      "top-left",
      "top-right",
      "bottom",
      "bottom-mid",
      "bottom-left",
      "bottom-right",
      "left",
      "left-mid",
      "mid",
      "mid-mid",
      "right",
      "right-mid",
    ].map((part) => [part, ""]),
  );
  const table = new Table({
    head: columns.map(({ title }) => title),
    colAligns: columns.map(({ numeric }) => (numeric ? "right" : "left")),
    chars: { ...none, middle: "  " },
    style: { head: [], border: [], "padding-left": 0, "padding-right": 0 },
  });
  table.push(...rows.map((row) => [...row]));
  const lines = table.toString().split("\n");
  return `${lines.map((line) => line.trimEnd()).join("\n")}\n`;
}
