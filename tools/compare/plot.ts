import { plotConfig, toSvg } from "../pages/plot.ts";
import type { ComparedRow } from "./comparison.ts";
import { languages } from "./languages.ts";
import { methods } from "./rows.ts";
import { mixTitle } from "./tables.ts";

/** Rises in nats by language, a panel a method, with their intervals; languages in the order of their shares. */
export function plotRows(rows: readonly ComparedRow[]): Promise<string> {
  const order = languages.map(({ tag }) => tag);
  const points = rows.flatMap(({ method, mix, losses }) => {
    const known = methods[method];
    if (known === undefined || known.withoutText) return [];
    return [...losses.languages].map(
      ([
        language,
        {
          value,
          interval: [low, high],
        },
      ]) => ({
        panel: known.title,
        mix: mixTitle(mix),
        language,
        value,
        low,
        high,
      }),
    );
  });
  const x = { field: "language", type: "nominal", sort: order, title: null, axis: { labelAngle: 0 } } as const;
  const xOffset = { field: "mix", type: "nominal", sort: null } as const;
  const color = {
    field: "mix",
    type: "nominal",
    sort: null,
    title: null,
    scale: { range: ["#777777", "#3b82c4", "#e08214"] },
  } as const;
  return toSvg({
    data: { values: points },
    facet: { field: "panel", type: "nominal", title: null, sort: null },
    columns: 2,
    resolve: { scale: { y: "independent" }, axis: { x: "independent" } },
    spec: {
      width: 300,
      height: 170,
      layer: [
        {
          mark: { type: "rule", strokeWidth: 2 },
          encoding: {
            x,
            xOffset,
            color,
            y: { field: "low", type: "quantitative", title: "rise, nats a token", scale: { zero: true } },
            y2: { field: "high" },
          },
        },
        {
          mark: { type: "point", filled: true, size: 30, opacity: 1 },
          encoding: { x, xOffset, color, y: { field: "value", type: "quantitative" } },
        },
      ],
    },
    config: plotConfig,
  });
}
