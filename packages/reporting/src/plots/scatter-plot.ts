import { labelPositions, paddedAxis, type Axis } from "./label-positions.ts";
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

/** From values to pixels and back; pixels count from the left and the top. */
class Axes {
  readonly #x: Axis;
  readonly #y: Axis;
  /** How both are drawn. */
  readonly encoding: { readonly x: object; readonly y: object };

  /** Axes with space for all points and their intervals. */
  constructor(points: readonly ScatterPoint[], xTitle: string) {
    this.#x = paddedAxis(
      points.map(({ x }) => x),
      width,
    );
    this.#y = paddedAxis(
      points.flatMap(({ y, interval = [] }) => [y, ...interval]),
      height,
    );
    const x = {
      field: "x",
      type: "quantitative",
      title: xTitle,
      scale: { domain: this.#x.domain, nice: false, zero: false },
      axis: { tickCount: 5 },
    };
    const y = {
      field: "y",
      type: "quantitative",
      title: "rise of perplexity",
      scale: { domain: this.#y.domain, nice: false, zero: false },
      axis: { format: "+%", tickCount: 5 },
    };
    this.encoding = { x, y };
  }

  across(value: number): number {
    return this.#x.toPixels(value);
  }

  down(value: number): number {
    return height - this.#y.toPixels(value);
  }

  toValues({ x, y }: { readonly x: number; readonly y: number }): { x: number; y: number } {
    return { x: this.#x.toValue(x), y: this.#y.toValue(height - y) };
  }
}

/** Where the names of points stand, and the lines that tie them to their points, in values of the axes. */
interface PlacedNames {
  readonly texts: readonly { readonly x: number; readonly y: number; readonly text: string }[];
  readonly ties: readonly { readonly x: number; readonly y: number; readonly x2: number; readonly y2: number }[];
}

/** Places names apart from each other, from points and from intervals; one that has no space is left out. */
function placeNames(points: readonly ScatterPoint[], axes: Axes): PlacedNames {
  const intervals = points.flatMap(({ x, interval }) => {
    const across = axes.across(x);
    return interval === undefined
      ? []
      : [{ left: across - 1, right: across + 1, top: axes.down(interval[1]), bottom: axes.down(interval[0]) }];
  });
  const named = points.filter(({ text }) => text !== "");
  const positions = labelPositions(
    named.map(({ x, y, text }) => ({ x: axes.across(x), y: axes.down(y), text })),
    { width, height },
    intervals,
  );
  const texts = named.flatMap(({ text }, index) => {
    const position = positions[index];
    return position === undefined ? [] : [{ ...axes.toValues(position), text }];
  });
  const ties = named.flatMap(({ x, y }, index) => {
    const end = positions[index]?.line;
    if (end === undefined) return [];
    const { x: x2, y: y2 } = axes.toValues(end);
    return [{ x, y, x2, y2 }];
  });
  return { texts, ties };
}

/** The layers of one picture, the first one behind the others: intervals, ties, points, names. */
function layersOf(points: readonly ScatterPoint[], axes: Axes): object[] {
  const { x, y } = axes.encoding;
  const color = { field: "colour", type: "nominal", scale: null };
  const values = points.map(({ x, y, text, colour }) => ({ x, y, text, colour }));
  const intervals = points.flatMap(({ interval, x, colour }) =>
    interval === undefined ? [] : [{ x, colour, low: interval[0], high: interval[1] }],
  );
  const { texts, ties } = placeNames(points, axes);
  const intervalLayer = {
    data: { values: intervals },
    mark: { type: "rule", strokeWidth: 1.5 },
    encoding: { x, y: { ...y, field: "low" }, y2: { field: "high" }, color },
  };
  return [
    ...(intervals.length === 0 ? [] : [intervalLayer]),
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
  ];
}

/** Scatter plots beside each other with the same axes; a name that has no space next to its point is tied to it by a line. */
export function scatterPlots(panels: readonly ScatterPanel[], xTitle: string): Promise<Plot[]> {
  const axes = new Axes(
    panels.flatMap(({ points }) => points),
    xTitle,
  );
  const draw = ({ title, points, label, rows }: ScatterPanel): Promise<Plot> => {
    const spec = { ...(title === "" ? {} : { title }), width, height, layer: layersOf(points, axes) };
    return renderPlot(spec, rows, label, growth);
  };
  return Promise.all(panels.map(draw));
}
