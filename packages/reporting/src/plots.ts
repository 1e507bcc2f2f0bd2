import type { ScoresReport } from "@mbs/evaluation";
import type { TopLevelSpec } from "vega-lite";
import { renderPlot } from "./render-plot.ts";
import { alikeOrder, isLikeness } from "./similarity-matrix.ts";
import type { SimilarityMatrix } from "./similarity-matrix.ts";

/** One bar with its interval, rises as fractions. */
export interface RiseBar {
  readonly language: string;
  /** What the bars of one language are told apart by. */
  readonly series: string;
  readonly rise: number;
  readonly interval: readonly [number, number];
}

/** Blue, orange, green, red, purple: read on white and on black, and by colour-blind eyes. */
const palette = ["#3b82c4", "#e08214", "#35a06a", "#c94f4f", "#8f6bb8"];

/**
 * Rises of perplexity by language as bars with 95% intervals.
 *
 * @returns SVG
 */
export function plotRises(bars: readonly RiseBar[], label: string): Promise<string> {
  const languages = [...new Set(bars.map(({ language }) => language))];
  const series = [...new Set(bars.map((bar) => bar.series))];
  const spec: TopLevelSpec = {
    width: 300,
    height: { step: Math.max(7, 18 / series.length) },
    data: { values: bars.map(({ interval: [low, high], ...bar }) => ({ ...bar, low, high })) },
    encoding: {
      y: { field: "language", type: "nominal", sort: languages, title: null, scale: { paddingInner: 0.25 } },
      yOffset: { field: "series", type: "nominal", sort: series },
    },
    layer: [
      {
        mark: "bar",
        encoding: {
          x: { field: "rise", type: "quantitative", title: "rise of perplexity", axis: { format: "+%" } },
          color: { field: "series", type: "nominal", sort: series, title: null, scale: { domain: series, range: palette } },
        },
      },
      {
        mark: { type: "rule", color: "currentColor", strokeWidth: 1 },
        encoding: { x: { field: "low", type: "quantitative" }, x2: { field: "high" } },
      },
    ],
  };
  return renderPlot(spec, label);
}

/** The paired rises of a report. */
export const risesOf = (report: ScoresReport): RiseBar[] =>
  report.pairs.map(({ model, language, rise, interval }) => ({ language, series: model, rise, interval }));

/**
 * A heat map of one measure between languages, alike languages beside each other.
 *
 * @returns SVG
 */
export function plotSimilarity(matrix: SimilarityMatrix, label: string): Promise<string> {
  const { languages, values, measure } = matrix;
  const order = alikeOrder(matrix).map((index) => languages[index]);
  const cells = languages.flatMap((row, i) => languages.map((column, j) => ({ row, column, value: values[i][j] })));
  const spec: TopLevelSpec = {
    width: { step: 20 },
    height: { step: 20 },
    data: { values: cells },
    mark: "rect",
    encoding: {
      x: { field: "column", type: "nominal", sort: order, title: null, axis: { orient: "top", labelAngle: -60 } },
      y: { field: "row", type: "nominal", sort: order, title: null },
      color: {
        field: "value",
        type: "quantitative",
        scale: { scheme: "viridis", reverse: !isLikeness(matrix) },
        legend: { title: measure, orient: "bottom" },
      },
    },
  };
  return renderPlot(spec, label);
}

/** One point of a scatter plot. */
export interface PredictionPoint {
  readonly language: string;
  readonly series: string;
  readonly predicted: number;
  readonly rise: number;
}

/**
 * Predicted against actual rise, a point a language.
 *
 * @returns SVG
 */
export function plotPrediction(points: readonly PredictionPoint[], xTitle: string, label: string): Promise<string> {
  const series = [...new Set(points.map((point) => point.series))];
  const shared = {
    x: { field: "predicted", type: "quantitative", title: xTitle, scale: { zero: false } },
    y: { field: "rise", type: "quantitative", title: "rise of perplexity", axis: { format: "+%" }, scale: { zero: false } },
    color: { field: "series", type: "nominal", title: null, scale: { domain: series, range: palette } },
  } as const;
  const spec: TopLevelSpec = {
    width: 320,
    height: 260,
    data: { values: [...points] },
    layer: [
      { mark: { type: "point", filled: true, size: 50 }, encoding: shared },
      { mark: { type: "text", dx: 8, align: "left", fontSize: 11 }, encoding: { ...shared, text: { field: "language" } } },
    ],
  };
  return renderPlot(spec, label);
}
