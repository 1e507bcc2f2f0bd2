import type { TopLevelSpec } from "vega-lite";

/** Text and lines take the page's own colour, so that one picture serves light and dark. */
const ink = "currentColor";
const config = {
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
  },
  legend: { labelColor: ink, titleColor: ink, labelFontSize: 12, titleFontSize: 12, orient: "top" },
  title: { color: ink, subtitleColor: ink },
} as const;

/**
 * Draws a plot without a browser.
 *
 * @returns SVG that grows and shrinks with its place
 */
export async function renderPlot(spec: TopLevelSpec, label: string): Promise<string> {
  const [vega, { compile }] = await Promise.all([import("vega"), import("vega-lite")]);
  const compiled = compile({ ...spec, config }).spec;
  const view = new vega.View(vega.parse(compiled), { renderer: "none" });
  const svg = await view.toSVG();
  view.finalize();
  return svg.replace(
    /<svg([^>]*?) width="(\d+(?:\.\d+)?)" height="\d+(?:\.\d+)?"/,
    (_, attributes: string, width: string) =>
      `<svg role="img" aria-label="${label.replaceAll("&", "&amp;").replaceAll('"', "&quot;").replaceAll("<", "&lt;")}"${attributes} style="width:100%;max-width:${width}px;height:auto"`,
  );
}
