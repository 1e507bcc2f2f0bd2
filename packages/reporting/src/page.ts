import type { TextTable } from "./table.ts";

/** One part of a page. Texts are plain; the picture is SVG of this package's own. */
export interface Section {
  readonly title: string;
  readonly texts?: readonly string[];
  readonly plot?: string;
  /** The numbers behind the picture. */
  readonly table?: TextTable;
  /** Whether the table stands open; default when there is no picture. */
  readonly open?: boolean;
}

export interface Page {
  readonly title: string;
  readonly lead: readonly string[];
  readonly sections: readonly Section[];
}

const escape = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");

const style = `
:root{color-scheme:light dark;--ink:#1c2126;--paper:#fff;--line:#d5dae0;--soft:#5b6670}
@media (prefers-color-scheme:dark){:root{--ink:#e6e9ec;--paper:#15181b;--line:#363c42;--soft:#a3adb6}}
body{margin:0 auto;max-width:52rem;padding:1rem;font:16px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper)}
h1{font-size:1.5rem;line-height:1.2}h2{font-size:1.15rem;margin-top:2.5rem}
.lead{font-size:1.05rem}.scroll{overflow-x:auto}
table{border-collapse:collapse;font-size:.9rem;font-variant-numeric:tabular-nums}
th,td{padding:.2rem .6rem;text-align:left;border-bottom:1px solid var(--line);white-space:nowrap}
.n{text-align:right}summary{cursor:pointer;color:var(--soft);margin:.5rem 0}
`.trim();

function formatHtmlTable({ columns, rows }: TextTable): string {
  const mark = (index: number): string => (columns[index].numeric ? ' class="n"' : "");
  const head = columns.map(({ title }, index) => `<th scope="col"${mark(index)}>${escape(title)}</th>`).join("");
  const body = rows
    .map((row) => `<tr>${row.map((cell, index) => `<td${mark(index)}>${escape(cell)}</td>`).join("")}</tr>`)
    .join("\n");
  return `<div class="scroll"><table>\n<thead><tr>${head}</tr></thead>\n<tbody>\n${body}\n</tbody>\n</table></div>`;
}

function formatSection({ title, texts = [], plot, table, open }: Section): string {
  const shown = open ?? plot === undefined;
  return [
    `<section>\n<h2>${escape(title)}</h2>`,
    ...texts.map((text) => `<p>${escape(text)}</p>`),
    ...(plot === undefined ? [] : [`<figure style="margin:1rem 0">${plot}</figure>`]),
    ...(table === undefined
      ? []
      : [`<details${shown ? " open" : ""}><summary>numbers</summary>${formatHtmlTable(table)}</details>`]),
    "</section>",
  ].join("\n");
}

/** One HTML file that needs nothing else: no network, no script; light and dark; readable on a phone. */
export function formatPage({ title, lead, sections }: Page): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escape(title)}</title>
<style>${style}</style>
</head>
<body>
<h1>${escape(title)}</h1>
${lead.map((text) => `<p class="lead">${escape(text)}</p>`).join("\n")}
${sections.map(formatSection).join("\n")}
</body>
</html>
`;
}
