import { at, groupBy } from "@mbs/contracts";
import type { ScoresReport } from "@mbs/evaluation";
import { formatRise } from "../numbers.ts";
import { palette } from "../plots/palette.ts";
import { renderPlot } from "../plots/render-plot.ts";
import type { Plot } from "../page/section.ts";

/** One bar with its interval, rises as fractions. */
export interface RiseBar {
  readonly language: string;
  /** What the bars of one language are told apart by. */
  readonly series: string;
  readonly rise: number;
  readonly interval: readonly [number, number];
}

/** More than this many series in one picture have no colours of their own. */
export const mostSeries = palette.length;

/** "dense from +1.0% (en) to +5.0% (te)": a picture in words, for those who do not see it. */
export function rangeText<Item extends { readonly rise: number }>(
  name: string,
  items: readonly Item[],
  labelOf: (item: Item) => string,
): string {
  const sorted = items.toSorted((a, b) => a.rise - b.rise);
  const [least, most] = [at(sorted, 0), at(sorted, sorted.length - 1)];
  return `${name} from ${formatRise(least.rise)} (${labelOf(least)}) to ${formatRise(most.rise)} (${labelOf(most)})`;
}

/**
 * Rises of perplexity by language, or of another figure, as bars with 95% intervals.
 *
 * @param bars of at most five series
 * @param label what the bars are of: "rise of perplexity above dense by language"
 * @param figure the title of the axis
 */
export function plotRises(bars: readonly RiseBar[], label: string, figure = "rise of perplexity"): Promise<Plot> {
  const languages = [...new Set(bars.map(({ language }) => language))];
  const series = [...new Set(bars.map((bar) => bar.series))];
  const rows = bars.map(({ language, series: name, rise, interval: [low, high] }) => ({
    language,
    series: name,
    rise,
    low,
    high,
  }));
  const spec = {
    width: 290,
    height: { step: Math.max(7, 18 / series.length) },
    encoding: {
      y: { field: "language", type: "nominal", title: null, scale: { domain: languages, paddingInner: 0.25 } },
      yOffset: { field: "series", type: "nominal", scale: { domain: series } },
    },
    layer: [
      {
        mark: "bar",
        encoding: {
          x: { field: "rise", type: "quantitative", title: figure, axis: { format: "+%", tickCount: 5 } },
          color: {
            field: "series",
            type: "nominal",
            sort: null,
            title: null,
            scale: { range: palette },
          },
        },
      },
      {
        mark: { type: "rule", color: "currentColor", strokeWidth: 1 },
        encoding: { x: { field: "low", type: "quantitative" }, x2: { field: "high" } },
      },
    ],
  };
  const ranges = [...groupBy(bars, (bar) => bar.series)].map(([name, own]) => rangeText(name, own, (bar) => bar.language));
  return renderPlot(spec, rows, `${label}: ${ranges.join("; ")}`);
}

/** The models that were compared with the reference, in the order of the scores. */
export const comparedModels = ({ pairs }: ScoresReport): readonly string[] => [...new Set(pairs.map(({ model }) => model))];

/** The paired rises of some models in a report. */
export const risesOf = (report: ScoresReport, models: readonly string[]): RiseBar[] =>
  report.pairs
    .filter(({ model }) => models.includes(model))
    .map(({ model, language, rise, interval }) => ({ language, series: model, rise, interval }));
