import { compile } from "vega-lite";
import type { TopLevelSpec } from "vega-lite";
import { View, parse } from "vega";

/** A point of a scatter plot, or of a line. */
export interface PlotPoint {
  readonly x: number;
  readonly y: number;
  /** What the points of one colour have in common. */
  readonly series: string;
  /** Its own panel beside the others'. */
  readonly panel: string;
}

export interface PlotShape {
  readonly x: string;
  readonly y: string;
  readonly mark: "point" | "line";
  readonly logX?: boolean;
  readonly percentY?: boolean;
  /** Each panel has its own scales. */
  readonly ownScales?: boolean;
}

/** Blue, orange, green, red, purple, grey: told apart by colour-blind eyes. */
const colours = ["#3b82c4", "#e08214", "#35a06a", "#c94f4f", "#8f6bb8", "#777777"];

/** Draws a picture without a window. */
export async function toSvg(spec: TopLevelSpec): Promise<string> {
  const view = new View(parse(compile(spec).spec), { renderer: "none" });
  const svg = await view.toSVG();
  view.finalize();
  return svg;
}

/**
 * Draws points or lines, panels side by side.
 *
 * @returns SVG on white, for pages whose colours are not known
 */
export async function drawPlot(points: readonly PlotPoint[], shape: PlotShape): Promise<string> {
  const spec: TopLevelSpec = {
    data: { values: [...points] },
    facet: { field: "panel", type: "nominal", title: null, sort: null },
    columns: 2,
    ...(shape.ownScales && { resolve: { scale: { x: "independent", y: "independent" } } }),
    spec: {
      width: 300,
      height: 220,
      mark: shape.mark === "line" ? { type: "line", point: true } : { type: "point", filled: true, size: 35, opacity: 0.8 },
      encoding: {
        x: { field: "x", type: "quantitative", title: shape.x, scale: { zero: false, type: shape.logX ? "log" : "linear" } },
        y: {
          field: "y",
          type: "quantitative",
          title: shape.y,
          scale: { zero: false },
          axis: shape.percentY ? { format: "+%" } : {},
        },
        color: { field: "series", type: "nominal", sort: null, title: null, scale: { range: colours } },
      },
    },
    config: { background: "white", font: "sans-serif", legend: { labelLimit: 0, orient: "bottom", columns: 4 } },
  };
  return toSvg(spec);
}
