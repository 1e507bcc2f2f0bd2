import type { TopLevelSpec } from "vega-lite";
import { escapeHtml } from "./escape-html.ts";
import type { DataRow, Plot } from "./section.ts";

/** Text and lines take the page's own colour, so that one picture serves light and dark. */
const ink = "currentColor";
const config = {
  // The page gives each picture one text for all of it, and the numbers as a table.
  aria: false,
  background: "transparent",
  font: "system-ui, sans-serif",
  view: { stroke: "transparent" },
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

/** A picture grows and shrinks within these shares of its size, so that its text stays legible; on a narrower screen it scrolls. */
const [smallest, largest] = [0.8, 1.3];

/**
 * Draws a plot without a browser.
 *
 * @param spec without data
 * @param rows the data
 * @param label what the picture shows, for those who do not see it
 */
export async function renderPlot(spec: object, rows: readonly DataRow[], label: string): Promise<Plot> {
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
      `<svg role="img" aria-label="${escapeHtml(label)}"${attributes} style="width:100%;max-width:${Math.floor(Number(width) * largest)}px;min-width:${Math.floor(Number(width) * smallest)}px;height:auto"`,
  );
  return { svg: sized, rows };
}
