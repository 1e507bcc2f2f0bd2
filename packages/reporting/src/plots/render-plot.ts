import type { TopLevelSpec } from "vega-lite";
import { escapeHtml } from "../escape-html.ts";
import type { DataRow, Plot } from "../page/section.ts";

/** Text and lines take the page's own colour, so that one picture serves light and dark. */
const ink = "currentColor";
const config = {
  // The page gives each picture one text for all of it, and the numbers as a table.
  aria: false,
  background: "transparent",
  font: "system-ui, sans-serif",
  view: { stroke: "transparent" },
  title: { color: ink, fontSize: 12, fontWeight: "bold", anchor: "start" },
  axis: {
    labelColor: ink,
    titleColor: ink,
    tickColor: ink,
    domainColor: ink,
    gridColor: ink,
    gridOpacity: 0.15,
    labelFontSize: 12,
    titleFontSize: 12,
    titleFontWeight: "normal",
    labelLimit: 260,
    // Every label stands in the middle of its tick.
    labelFlush: false,
    labelBound: false,
  },
  header: { labelColor: ink, titleColor: ink, labelFontSize: 12, labelFontWeight: "bold", labelAnchor: "start" },
  legend: {
    labelColor: ink,
    titleColor: ink,
    labelFontSize: 12,
    titleFontSize: 12,
    titleFontWeight: "normal",
    orient: "top",
    columns: 1,
    labelLimit: 320,
  },
  point: { opacity: 1 },
} as const;

/** A picture shrinks to this share of its size, so that its text stays legible; on a narrower screen it scrolls. */
const smallest = 0.8;

/**
 * Draws a plot without a browser.
 *
 * @param spec without data; names are ordered by the rows or by a `scale.domain`, never by `sort`: of that vega-lite makes an
 *   expression, in which vega takes "constructor" for a signal
 * @param rows the data
 * @param label what the picture shows, for those who do not see it
 * @param largest how far it grows on a wide screen
 */
export async function renderPlot(spec: object, rows: readonly DataRow[], label: string, largest = 1.3): Promise<Plot> {
  const [vega, { compile }] = await Promise.all([import("vega"), import("vega-lite")]);
  const whole = { ...spec, data: { values: [...rows] }, config } as unknown as TopLevelSpec;
  const view = new vega.View(vega.parse(compile(whole).spec), { renderer: "none" });
  const svg = await view.toSVG();
  view.finalize();
  // The marks' own roles mean nothing within a picture that has one text for all of it.
  const plain = svg.replaceAll(/ (?:role|aria-[a-z]+)="[^"]*"/g, "");
  const sized = plain.replace(
    /<svg([^>]*?) width="(\d+(?:\.\d+)?)" height="\d+(?:\.\d+)?"/,
    (_, attributes: string, width: string) =>
      `<svg role="img" aria-label="${escapeHtml(label)}"${attributes} style="width:${Math.floor(Number(width) * largest)}px;max-width:100%;min-width:${Math.floor(Number(width) * smallest)}px;height:auto"`,
  );
  return { svg: sized, rows };
}
