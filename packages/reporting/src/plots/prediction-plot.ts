import { groupBy } from "@mbs/contracts";
import { colourOf } from "./palette.ts";
import { scatterPlots } from "./scatter-plot.ts";
import type { Plot } from "../page/section.ts";

/** One point of a scatter plot. */
export interface PredictionPoint {
  readonly language: string;
  readonly series: string;
  readonly predicted: number;
  readonly rise: number;
}

/** Predicted against actual rise, one picture per series, one point per language. */
export function plotPredictions(points: readonly PredictionPoint[], xTitle: string, label: string): Promise<Plot[]> {
  const series = [...groupBy(points, (point) => point.series)];
  const panels = series.map(([name, own], index) => ({
    title: series.length > 1 ? name : "",
    points: own.map(({ language, predicted, rise }) => ({
      x: predicted,
      y: rise,
      text: language,
      colour: colourOf(index),
    })),
    label: `${label}${series.length > 1 ? `, ${name}` : ""}: ${own.length} points`,
    rows: own.map(({ language, predicted, rise }) => ({ language, series: name, predicted, rise })),
  }));
  return scatterPlots(panels, xTitle);
}
