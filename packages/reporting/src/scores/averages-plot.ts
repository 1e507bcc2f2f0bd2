import type { Average, ModelAverages } from "@mbs/evaluation";
import { palette } from "../plots/palette.ts";
import { renderPlot } from "../plots/render-plot.ts";
import type { Plot } from "../page/section.ts";
import { rangeText } from "./rises-plot.ts";

/** The three figures of merit, in the words of every page. */
export const figures = ["unweighted mean", "weighted by training mixture", "worst language"] as const;

/** One of the three figures of one model: its rise above the reference. */
export interface FigureRise {
  readonly model: string;
  readonly figure: (typeof figures)[number];
  readonly rise: number;
  /** 95% interval; that of the worst language is this language's own. NaN where there are too few windows. */
  readonly low: number;
  readonly high: number;
  /** The worst language; "" for a mean. */
  readonly language: string;
}

/** The three figures of every model that was compared with the reference. */
export function figureRises(averages: readonly ModelAverages[]): FigureRise[] {
  return averages.flatMap(({ model, unweighted, weighted, worstRise }): FigureRise[] => {
    const mean = (figure: FigureRise["figure"], average: Average | undefined): FigureRise[] => {
      const { rise, riseInterval } = average ?? {};
      if (rise === undefined || riseInterval === undefined) return [];
      return [{ model, figure, rise, low: riseInterval[0], high: riseInterval[1], language: "" }];
    };
    const worst: FigureRise[] = worstRise
      ? [
          {
            model,
            figure: figures[2],
            rise: worstRise.rise,
            low: worstRise.interval[0],
            high: worstRise.interval[1],
            language: worstRise.language,
          },
        ]
      : [];
    return [...mean(figures[0], unweighted), ...mean(figures[1], weighted), ...worst];
  });
}

const presentFigures = (rises: readonly FigureRise[]): string[] =>
  figures.filter((figure) => rises.some((rise) => rise.figure === figure));

/** The three figures of every model as points with 95% intervals, one row per model. */
export function plotAverages(rises: readonly FigureRise[], reference: string): Promise<Plot> {
  const shown = presentFigures(rises);
  const shared = {
    y: { field: "model", type: "nominal", sort: null, title: null },
    yOffset: { field: "figure", type: "nominal", sort: shown },
    color: {
      field: "figure",
      type: "nominal",
      sort: shown,
      title: null,
      scale: { domain: shown, range: palette },
    },
  };
  const spec = {
    width: 210,
    height: { step: 10 },
    encoding: shared,
    layer: [
      {
        mark: { type: "rule", strokeWidth: 2 },
        encoding: {
          x: { field: "low", type: "quantitative", title: "rise of perplexity", axis: { format: "+%", tickCount: 5 } },
          x2: { field: "high" },
        },
      },
      { mark: { type: "point", filled: true, size: 55 }, encoding: { x: { field: "rise", type: "quantitative" } } },
    ],
  };
  const texts = shown.map((figure) =>
    rangeText(
      figure,
      rises.filter((rise) => rise.figure === figure),
      (rise) => rise.model,
    ),
  );
  return renderPlot(
    spec,
    rises.map((rise) => ({ ...rise })),
    `rise of perplexity above ${reference}, three figures: ${texts.join("; ")}`,
  );
}
