import { figures } from "./averages-plot.ts";
import type { FigureRise } from "./averages-plot.ts";
import { palette } from "./palette.ts";
import { renderPlot } from "./render-plot.ts";
import type { Plot } from "./section.ts";

/** A figure of a model and the model's size. */
export interface SizedRise extends FigureRise {
  /** Weight files on disk. */
  readonly bytes: number;
}

/** Models that no other beats by both size and figure: the choices worth thinking about. */
export const onFrontier = (rise: SizedRise, all: readonly SizedRise[]): boolean =>
  !all.some(
    (other) =>
      other.figure === rise.figure &&
      other.bytes <= rise.bytes &&
      other.rise <= rise.rise &&
      (other.bytes < rise.bytes || other.rise < rise.rise),
  );

/** Size on disk against each of the three figures, a picture each; models that no other beats by both have their names. */
export function plotSizes(rises: readonly SizedRise[], reference: string): Promise<Plot> {
  const shown = figures.filter((figure) => rises.some((rise) => rise.figure === figure));
  const rows = rises.map((rise) => ({ ...rise, frontier: onFrontier(rise, rises) }));
  const largest = Math.max(...rises.map(({ bytes }) => bytes));
  const [unit, divisor] = largest >= 1e9 ? ["GB", 1e9] : ["MB", 1e6];
  const x = { field: "size", type: "quantitative", title: `weight files, ${unit}`, scale: { zero: false, padding: 12 } };
  const y = { field: "rise", type: "quantitative", title: "rise of perplexity", axis: { format: "+%", tickCount: 5 } };
  const color = {
    condition: { test: "datum.frontier", value: palette[0] },
    value: palette[1],
  };
  const spec = {
    transform: [{ calculate: `datum.bytes / ${divisor}`, as: "size" }],
    facet: { row: { field: "figure", type: "nominal", sort: shown, title: null, header: { labelOrient: "top" } } },
    spec: {
      width: 290,
      height: 170,
      layer: [
        {
          mark: { type: "rule", strokeWidth: 1.5 },
          encoding: { x, y: { ...y, field: "low" }, y2: { field: "high" }, color },
        },
        { mark: { type: "point", filled: true, size: 50 }, encoding: { x, y, color } },
        {
          transform: [{ filter: "datum.frontier" }],
          mark: { type: "text", dx: 8, align: "left", fontSize: 11, color: "currentColor" },
          encoding: { x, y, text: { field: "model" } },
        },
      ],
    },
  };
  const texts = shown.map((figure) => {
    const names = rows.filter((row) => row.figure === figure && row.frontier).map(({ model }) => model);
    return `${figure}: ${names.join(", ")} beaten by none`;
  });
  return renderPlot(spec, rows, `size on disk against rise of perplexity above ${reference}; ${texts.join("; ")}`);
}
