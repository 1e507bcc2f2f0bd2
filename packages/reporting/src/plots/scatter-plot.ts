import { paddedAxis, labelPositions } from "./label-positions.ts";
import { renderPlot } from "./render-plot.ts";
import type { DataRow, Plot } from "../page/section.ts";

/** One point of a scatter plot, y a rise of perplexity. */
export interface ScatterPoint {
  readonly x: number;
  readonly y: number;
  /** Its 95% interval; drawn as a line. */
  readonly interval?: readonly [number, number];
  /** Its name; "" for a point that has none. */
  readonly text: string;
  readonly colour: string;
}

export interface ScatterPanel {
  /** Above the picture; "" for none. */
  readonly title: string;
  readonly points: readonly ScatterPoint[];
  /** What is shown, for those who do not see it. */
  readonly label: string;
  readonly rows: readonly DataRow[];
}

const [width, height] = [260, 210];
/** Three fit beside each other on a desk. */
const growth = 1.1;

/** Scatter plots beside each other with the same axes; a name that has no space next to its point is tied to it by a line. */
export function scatterPlots(panels: readonly ScatterPanel[], xTitle: string): Promise<Plot[]> {
  const all = panels.flatMap(({ points }) => points);
  const xAxis = paddedAxis(
    all.map(({ x }) => x),
    width,
  );
  const yAxis = paddedAxis(
    all.flatMap(({ y, interval = [] }) => [y, ...interval]),
    height,
  );
  const down = (value: number): number => height - yAxis.toPixels(value);
  const x = {
    field: "x",
    type: "quantitative",
    title: xTitle,
    scale: { domain: xAxis.domain, nice: false, zero: false },
    axis: { tickCount: 5 },
  };
  const y = {
    field: "y",
    type: "quantitative",
    title: "rise of perplexity",
    scale: { domain: yAxis.domain, nice: false, zero: false },
    axis: { format: "+%", tickCount: 5 },
  };
  const color = { field: "colour", type: "nominal", scale: null };
  const draw = ({ title, points, label, rows }: ScatterPanel): Promise<Plot> => {
    const lines = points.flatMap((point) => {
      const { interval } = point;
      const across = xAxis.toPixels(point.x);
      return interval === undefined
        ? []
        : [{ left: across - 1, right: across + 1, top: down(interval[1]), bottom: down(interval[0]) }];
    });
    const named = points.filter(({ text }) => text !== "");
    const positions = labelPositions(
      named.map((point) => ({ x: xAxis.toPixels(point.x), y: down(point.y), text: point.text })),
      { width, height },
      lines,
    );
    const toValues = (pixels: { readonly x: number; readonly y: number }) => ({
      x: xAxis.toValue(pixels.x),
      y: yAxis.toValue(height - pixels.y),
    });
    const texts = named.flatMap(({ text }, index) => {
      const position = positions[index];
      return position === undefined ? [] : [{ ...toValues(position), text }];
    });
    const ties = named.flatMap((point, index) => {
      const end = positions[index]?.line;
      if (end === undefined) return [];
      const { x: x2, y: y2 } = toValues(end);
      return [{ x: point.x, y: point.y, x2, y2 }];
    });
    const values = points.map(({ x, y, text, colour }) => ({ x, y, text, colour }));
    const intervals = points.flatMap(({ interval, x, colour }) =>
      interval === undefined ? [] : [{ x, colour, low: interval[0], high: interval[1] }],
    );
    const spec = {
      ...(title === "" ? {} : { title }),
      width,
      height,
      layer: [
        ...(lines.length === 0
          ? []
          : [
              {
                data: { values: intervals },
                mark: { type: "rule", strokeWidth: 1.5 },
                encoding: { x, y: { ...y, field: "low" }, y2: { field: "high" }, color },
              },
            ]),
        {
          data: { values: ties },
          mark: { type: "rule", strokeWidth: 0.75, color: "currentColor", opacity: 0.6 },
          encoding: { x, y, x2: { field: "x2" }, y2: { field: "y2" } },
        },
        { data: { values }, mark: { type: "point", filled: true, size: 45 }, encoding: { x, y, color } },
        {
          data: { values: texts },
          mark: { type: "text", fontSize: 11, align: "center", baseline: "middle", color: "currentColor" },
          encoding: { x, y, text: { field: "text" } },
        },
      ],
    };
    return renderPlot(spec, rows, label, growth);
  };
  return Promise.all(panels.map(draw));
}
