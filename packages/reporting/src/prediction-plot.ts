import { palette } from "./palette.ts";
import { renderPlot } from "./render-plot.ts";
import type { Plot } from "./section.ts";

/** One point of a scatter plot. */
export interface PredictionPoint {
  readonly language: string;
  readonly series: string;
  readonly predicted: number;
  readonly rise: number;
}

/** Predicted against actual rise, a point a language. */
export function plotPrediction(points: readonly PredictionPoint[], xTitle: string, label: string): Promise<Plot> {
  const series = [...new Set(points.map((point) => point.series))];
  const shared = {
    x: { field: "predicted", type: "quantitative", title: xTitle, scale: { zero: false }, axis: { tickCount: 5 } },
    y: { field: "rise", type: "quantitative", title: "rise of perplexity", axis: { format: "+%" }, scale: { zero: false } },
    color: { field: "series", type: "nominal", title: null, scale: { domain: series, range: palette } },
  };
  const spec = {
    width: 290,
    height: 260,
    layer: [
      { mark: { type: "point", filled: true, size: 50 }, encoding: shared },
      { mark: { type: "text", dx: 8, align: "left", fontSize: 11 }, encoding: { ...shared, text: { field: "language" } } },
    ],
  };
  const rows = points.map(({ language, series: name, predicted, rise }) => ({ language, series: name, predicted, rise }));
  return renderPlot(spec, rows, `${label}, ${points.length} points`);
}
