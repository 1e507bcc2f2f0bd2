import { at } from "@mbs/contracts";
import { escapeHtml } from "../escape-html.ts";
import type { CaptionedTable, Page, Part, Plot, Section } from "./section.ts";
import type { TextTable } from "../terminal/table.ts";
import { pageColours } from "../plots/palette.ts";

const variables = (colours: Readonly<Record<string, string>>): string =>
  Object.entries(colours)
    .map(([name, colour]) => `--${name}:${colour}`)
    .join(";");

const shadow = (side: "left" | "right"): string =>
  `linear-gradient(to ${side === "left" ? "right" : "left"},var(--shade),transparent) ${side}/.75rem 100% no-repeat scroll`;
const cover = (side: "left" | "right"): string =>
  `linear-gradient(to ${side === "left" ? "right" : "left"},var(--paper) 50%,transparent) ${side}/2rem 100% no-repeat local`;
/** A shadow at an edge beyond which there is more; at the end a cover scrolls over it. */
const scrollShadows = [cover("left"), cover("right"), shadow("left"), shadow("right")].join(",");

/** The style of every page: light and dark, a phone's width and a desk's, screen and paper. */
const pageStyle = `
:root{color-scheme:light dark;${variables(pageColours.light)}}
@media (prefers-color-scheme:dark){:root{${variables(pageColours.dark)}}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:80rem;padding:1rem;font:1rem/1.55 system-ui,sans-serif;color:var(--ink);background:var(--paper);overflow-wrap:break-word}
h1{font-size:1.6rem;line-height:1.2;margin:.5rem 0 1rem}
h2{font-size:1.25rem;line-height:1.3;margin:0 0 .5rem}
h3{font-size:1rem;line-height:1.4;margin:0 0 .25rem}
p,ul{margin:.5rem 0;max-width:48rem}
a{color:var(--link)}
section{margin-top:2.5rem;padding-top:1.25rem;border-top:1px solid var(--line)}
nav{font-size:.95rem}nav ul{margin:0;max-width:none;padding:0;list-style:none;columns:16rem}nav li{padding:.2rem 0;break-inside:avoid}
article{margin:1rem 0;max-width:60rem;padding:.75rem 1rem;background:var(--tint);border-left:.25rem solid var(--link)}
article p{margin:.25rem 0}
.shown{display:flex;flex-wrap:wrap;align-items:flex-start;gap:.5rem 2rem;margin:1rem 0}
.shown>*{max-width:100%;flex:0 0 100%}.shown>figure{flex:0 1 auto}.shown>figure+.scroll{flex:1 1 min-content}
figure{margin:0}svg{display:block}
.scroll{overflow-x:auto;max-width:100%;background:${scrollShadows}}
:focus-visible{outline:2px solid var(--link);outline-offset:2px}
table{border-spacing:0;font-size:.9rem;font-variant-numeric:tabular-nums;margin:.5rem 0}
caption{text-align:left;color:var(--soft);padding:.25rem 0}
caption span{display:inline-block;position:sticky;left:0;max-width:calc(100vw - 3rem)}
th,td{padding:.3rem .5rem;text-align:left;border-bottom:1px solid var(--line);vertical-align:top}
thead th{border-bottom-width:2px;vertical-align:bottom}
tbody th{font-weight:600;position:sticky;left:0;background:var(--paper)}
figure+.scroll tbody th{max-width:9rem}
.n{text-align:right}.wide{min-width:8rem}.address{min-width:12rem;overflow-wrap:anywhere}
summary{cursor:pointer;color:var(--link);padding:.4rem 0}
pre,code{font:.85rem/1.45 ui-monospace,monospace}pre{margin:.5rem 0;padding:.75rem;background:var(--tint);white-space:pre-wrap;overflow-wrap:anywhere}
article pre{padding:.5rem 0;background:none}
@media (max-width:40rem){ul{padding-left:1.25rem}table{font-size:.8rem}th,td{padding:.3rem .25rem}}
@media print{nav{display:none}section{break-inside:avoid}}
`.trim();

/** A box that scrolls sideways on a narrow screen; the keyboard reaches it. */
const scrolling = (label: string, content: string): string =>
  `<div class="scroll" role="group" aria-label="${escapeHtml(label)}" tabindex="0">${content}</div>`;

/** Where there is no space, a cell of numbers breaks after the name of a language and before a bracket, and nowhere else. */
const unbroken = (cell: string): string => cell.replaceAll(/(?<=…) | (?![(+-])/g, "\u00a0");

/** Names of models break where their parts meet. */
const heading = (text: string): string => escapeHtml(text).replaceAll("/", "/<wbr>");

/** It breaks where there is no space for it. */
const contentAddress = /[0-9a-f]{64}/;

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
    const shape = contentAddress.test(cell) ? ' class="address"' : mark(column);
    return `<td${shape}>${escapeHtml(column.numeric ? unbroken(cell) : cell)}</td>`;
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
