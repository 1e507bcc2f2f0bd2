import { compile } from "vega-lite";
import type { TopLevelSpec } from "vega-lite";
import { View, parse } from "vega";

/** Draws a picture without a window. */
export async function toSvg(spec: TopLevelSpec): Promise<string> {
  const view = new View(parse(compile(spec).spec), { renderer: "none" });
  const svg = await view.toSVG();
  view.finalize();
  return svg;
}
