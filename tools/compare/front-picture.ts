/**
 * The picture of the README: what English-only calibration costs each language of Gemma 3 270m, and what the same amount of text
 * divided among them does: means over the draws in docs/measured/languages-pages.json, whose windows are of many pages.
 *
 * usage: node --conditions=mbs-source --import tsx tools/compare/front-picture.ts
 */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { mean } from "@mbs/numbers";
import { toSvg } from "../pages/plot.ts";
import { ofLanguage } from "./draws.ts";
import type { DrawnRow } from "./draws.ts";
import { twelveLanguages } from "./languages.ts";

const root = join(import.meta.dirname, "../..");

const bars = { english: "English-only calibration", equal: "the same amount, divided among the twelve" } as const;

const { rows } = JSON.parse(await readFile(join(root, "docs/measured/languages-pages.json"), "utf8")) as {
  readonly rows: readonly DrawnRow[];
};
const names = new Intl.DisplayNames("en", { type: "language" });
const order = twelveLanguages.map(({ tag }) => names.of(tag) ?? tag);
const values = Object.entries(bars).flatMap(([mix, series]) => {
  const draws = rows.filter((row) => row.method === "gptq-3" && row.mix === mix);
  if (draws.length === 0) throw new Error(`languages-pages.json lacks the rows of ${mix}`);
  return twelveLanguages.map(({ tag }, place) => ({
    language: order[place],
    series,
    times: Math.exp(mean(draws.map(({ rises }) => ofLanguage(tag)(rises)))),
  }));
});

const svg = await toSvg({
  title: {
    text: ["Gemma 3 270m at 3 bits (GPTQ): perplexity on held-out text,", "times that of the model before"],
    fontSize: 13,
    fontWeight: "normal",
    anchor: "start",
  },
  data: { values },
  width: 560,
  height: { step: 15 },
  encoding: {
    y: {
      field: "language",
      type: "nominal",
      sort: order,
      title: null,
      axis: { labelFontSize: 13, ticks: false, domain: false },
    },
    yOffset: { field: "series", type: "nominal", sort: Object.values(bars) },
  },
  layer: [
    {
      mark: "bar",
      encoding: {
        x: {
          field: "times",
          type: "quantitative",
          scale: { type: "log", domainMin: 1, nice: false },
          title: "logarithmic scale",
          axis: { values: [1, 2, 5, 10, 20, 50, 100], format: "~s", labelExpr: "datum.label + '×'" },
        },
        x2: { datum: 1 },
        color: {
          field: "series",
          type: "nominal",
          sort: Object.values(bars),
          title: null,
          scale: { range: ["#9a9a9a", "#3b82c4"] },
        },
      },
    },
    {
      mark: { type: "text", align: "left", dx: 4, fontSize: 11 },
      encoding: {
        x: { field: "times", type: "quantitative" },
        text: { field: "times", type: "quantitative", format: ".2~r" },
      },
    },
  ],
  config: {
    background: "white",
    font: "sans-serif",
    legend: { labelLimit: 0, labelFontSize: 12, orient: "top", direction: "vertical" },
    view: { stroke: null },
  },
});
await writeFile(join(root, "docs/english-only.svg"), `${svg}\n`);
