import { compile } from "vega-lite";
import type { TopLevelSpec } from "vega-lite";
import { View, parse } from "vega";

/** How all plots of pages look. */
export const plotConfig = { background: "white", font: "sans-serif", legend: { labelLimit: 0, orient: "bottom" } } as const;

/** Draws a picture without a window. */
export async function toSvg(spec: TopLevelSpec): Promise<string> {
  const view = new View(parse(compile(spec).spec), { renderer: "none" });
  const svg = await view.toSVG();
  view.finalize();
  return svg;
}
