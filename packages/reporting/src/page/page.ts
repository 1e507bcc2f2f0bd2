import { at } from "@mbs/contracts";
import { escapeHtml } from "../escape-html.ts";
import { pageStyle } from "./page-style.ts";
import type { CaptionedTable, Page, Part, Plot, Section } from "./section.ts";
import type { TextTable } from "../terminal/table.ts";

/** A box that scrolls sideways on a narrow screen; the keyboard reaches it. */
const scrolling = (label: string, content: string): string =>
  `<div class="scroll" role="group" aria-label="${escapeHtml(label)}" tabindex="0">${content}</div>`;

/** Where there is no space, a cell of numbers breaks after the name of a language and before a bracket, and nowhere else. */
const unbroken = (cell: string): string => cell.replaceAll(/(?<=…) | (?![(+-])/g, "\u00a0");

/** Names of models break where their parts meet. */
const heading = (text: string): string => escapeHtml(text).replaceAll("/", "/<wbr>");

/** The class of a column's cells. */
const mark = ({ numeric, wide }: TextTable["columns"][number]): string => (numeric ? ' class="n"' : wide ? ' class="wide"' : "");

function formatHtmlTable(caption: string, { columns, rows }: TextTable): string {
  const head = columns
    // An empty heading is no heading: it belongs to the cells beside it.
    .map((column) => (column.title === "" ? "<td></td>" : `<th scope="col"${mark(column)}>${heading(column.title)}</th>`))
    .join("");
  // A first column without a title marks rows; the next one names them.
  const naming = columns.findIndex(({ title }) => title !== "");
  const cellOf = (cell: string, index: number): string => {
    if (index === naming) return `<th scope="row">${heading(cell)}</th>`;
    const column = at(columns, index);
    return `<td${mark(column)}>${escapeHtml(column.numeric ? unbroken(cell) : cell)}</td>`;
  };
  const body = rows.map((row) => `<tr>${row.map(cellOf).join("")}</tr>`).join("\n");
  return scrolling(
    caption,
    `<table>\n<caption><span>${escapeHtml(caption)}</span></caption>\n<thead><tr>${head}</tr></thead>\n<tbody>\n${body}\n</tbody>\n</table>`,
  );
}

const formatCaptioned = ({ caption, table, open }: CaptionedTable): string =>
  open
    ? formatHtmlTable(caption, table)
    : `<details><summary>Numbers: ${escapeHtml(caption)}</summary>\n${formatHtmlTable(caption, table)}</details>`;

const formatPlots = (title: string, plots: readonly Plot[]): string[] =>
  plots.map(({ svg }, index) => {
    const number = plots.length === 1 ? "" : ` ${index + 1} of ${plots.length}`;
    return `<figure>${scrolling(`${title}, picture${number}`, svg)}</figure>`;
  });

const formatPart = ({ title, texts, command }: Part): string =>
  [
    `<article>\n<h3>${escapeHtml(title)}</h3>`,
    ...texts.map((text) => `<p>${escapeHtml(text)}</p>`),
    ...(command === undefined ? [] : [`<pre><code>${escapeHtml(command)}</code></pre>`]),
    "</article>",
  ].join("\n");

function formatSection({ id, title, texts = [], points = [], parts = [], plots = [], tables = [], source }: Section): string {
  return [
    `<section id="${escapeHtml(id)}" aria-labelledby="${escapeHtml(id)}-title">\n<h2 id="${escapeHtml(id)}-title">${escapeHtml(title)}</h2>`,
    ...texts.map((text) => `<p>${escapeHtml(text)}</p>`),
    ...(points.length === 0 ? [] : [`<ul>${points.map((point) => `<li>${escapeHtml(point)}</li>`).join("\n")}</ul>`]),
    ...parts.map(formatPart),
    ...(plots.length + tables.length === 0
      ? []
      : ['<div class="shown">', ...formatPlots(title, plots), ...tables.map(formatCaptioned), "</div>"]),
    ...(source === undefined ? [] : [`<pre>${escapeHtml(source)}</pre>`]),
    "</section>",
  ].join("\n");
}

/** One HTML file that needs nothing else: no network, no script; light and dark; readable on a phone. */
export function formatPage({ title, lead, sections }: Page): string {
  const contents = sections
    .map(({ id, title: name }) => `<li><a href="#${escapeHtml(id)}">${escapeHtml(name)}</a></li>`)
    .join("\n");
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)}</title>
<style>${pageStyle}</style>
</head>
<body>
<header>
<h1>${escapeHtml(title)}</h1>
${lead.map((text) => `<p>${escapeHtml(text)}</p>`).join("\n")}
</header>
<nav aria-label="Contents">
<details><summary>Contents</summary>
<ul>
${contents}
</ul>
</details>
</nav>
<main>
${sections.map(formatSection).join("\n")}
</main>
</body>
</html>
`;
}
