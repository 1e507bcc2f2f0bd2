/**
 * The picture of the README: what English-only calibration costs each language of Gemma 3 270m, and what a mix of its languages
 * does, from the numbers of docs/measured/real-models/comparison.json.
 *
 * usage: node --conditions=mbs-source --import tsx tools/compare/front-picture.ts
 */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { toSvg } from "../pages/plot.ts";
import { languages } from "./languages.ts";

const root = join(import.meta.dirname, "../..");

interface Numbers {
  readonly rows: readonly {
    readonly name: string;
    readonly languages: Readonly<Record<string, { readonly value: number }>>;
  }[];
}

const bars = new Map([
  ["gptq-3 english", "English-only calibration"],
  ["gptq-3 proportional", "text of all languages, by their shares"],
]);

const { rows } = JSON.parse(await readFile(join(root, "docs/measured/real-models/comparison.json"), "utf8")) as Numbers;
const names = new Intl.DisplayNames("en", { type: "language" });
const values = rows.flatMap(({ name, languages: own }) => {
  const series = bars.get(name);
  if (series === undefined) return [];
  return Object.entries(own).map(([tag, { value }]) => ({ language: names.of(tag) ?? tag, series, times: Math.exp(value) }));
});
if (values.length !== bars.size * languages.length) throw new Error("comparison.json lacks a row of the picture");

const svg = await toSvg({
  title: {
    text: "Gemma 3 270m at 3 bits (GPTQ): perplexity on held-out text, times that of the model before",
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
      sort: languages.map(({ tag }) => names.of(tag) ?? tag),
      title: null,
      axis: { labelFontSize: 13, ticks: false, domain: false },
    },
    yOffset: { field: "series", type: "nominal", sort: [...bars.values()] },
  },
  layer: [
    {
      mark: "bar",
      encoding: {
        x: {
          field: "times",
          type: "quantitative",
          scale: { type: "log", domainMin: 1 },
          title: null,
          axis: { values: [1, 2, 5, 10, 20, 50, 100], format: "~s", labelExpr: "datum.label + '×'" },
        },
        x2: { datum: 1 },
        color: {
          field: "series",
          type: "nominal",
          sort: [...bars.values()],
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
    legend: { labelLimit: 0, labelFontSize: 12, orient: "top" },
    view: { stroke: null },
  },
});
await writeFile(join(root, "docs/english-only.svg"), `${svg}\n`);
