import { at } from "@mbs/contracts";
import { mean } from "@mbs/numbers";
import { markdownTable } from "../pages/blocks.ts";
import { plotConfig, toSvg } from "../pages/plot.ts";
import { figureDifference, ofLanguage } from "./draws.ts";
import type { DrawnFigure, DrawnRow, WindowRises } from "./draws.ts";
import { methodsIn, pairOf, titleOf } from "./languages-rows.ts";
import { twelveLanguages } from "./languages.ts";
import { drawnText, thousandths } from "./tables.ts";

const others = twelveLanguages.map(({ tag }) => tag).filter((tag) => tag !== "en");

const meanOfOthers = (rises: WindowRises): number => mean(others.map((tag) => ofLanguage(tag)(rises)));

/** What English-only calibration costs the other languages of a method, beside an equal mix. */
interface Onset {
  readonly title: string;
  readonly equal: { readonly english: number; readonly others: number };
  readonly only: { readonly english: number; readonly others: number };
  readonly cost: DrawnFigure;
}

/** Methods that have both rows, those that lose least with an equal mix first. */
function onsets(rows: readonly DrawnRow[]): readonly Onset[] {
  return methodsIn(rows)
    .flatMap((method) => {
      const [only, equal] = pairOf(rows, method, "english", "equal");
      if (only.length === 0) return [];
      const lossesOf = (draws: readonly WindowRises[]) => ({
        english: mean(draws.map(ofLanguage("en"))),
        others: mean(draws.map(meanOfOthers)),
      });
      const cost = figureDifference(only, equal, meanOfOthers);
      return [{ title: titleOf(method), equal: lossesOf(equal), only: lossesOf(only), cost }];
    })
    .sort((a, b) => a.equal.others - b.equal.others);
}

/** At which widths and sparsities calibration text counts. */
export function onsetTable(rows: readonly DrawnRow[]): string {
  const lines = onsets(rows).map(({ title, equal, only, cost }) => [
    title,
    thousandths(equal.english),
    thousandths(only.english),
    thousandths(equal.others),
    thousandths(only.others),
    drawnText(cost),
  ]);
  const head = ["method", "English, equal mix", "English, English-only", "others, equal mix", "others, English-only"];
  return markdownTable([...head, "what it costs the others"], lines, 1);
}

/** The losses of English and of the other languages, by method, with an equal mix and with English alone. */
export function plotOnset(rows: readonly DrawnRow[]): Promise<string> {
  const found = onsets(rows);
  const series = ["other languages, English-only", "other languages, equal mix", "English, English-only", "English, equal mix"];
  const values = found.flatMap(({ title, equal, only }) =>
    [only.others, equal.others, only.english, equal.english].map((value, place) => ({
      title,
      // what gains a ten-thousandth, which a root does not show
      value: Math.max(value, 0),
      series: at(series, place),
    })),
  );
  return toSvg({
    title: { text: "Gemma 3 270m: where calibration text begins to count", anchor: "start", fontWeight: "normal", fontSize: 13 },
    data: { values },
    width: 480,
    height: { step: 24 },
    mark: { type: "point", filled: true, size: 65, opacity: 0.9 },
    encoding: {
      y: {
        field: "title",
        type: "nominal",
        title: null,
        sort: found.map(({ title }) => title),
        axis: { labelFontSize: 12, grid: true },
      },
      x: {
        field: "value",
        type: "quantitative",
        title: "rise of the loss, nats a token (axis by its square root)",
        // zero is on it, and what is small is told apart
        scale: { type: "sqrt", nice: false },
        axis: { values: [0, 0.1, 0.5, 1, 2, 3, 4, 5, 6], format: ".1~f" },
      },
      color: {
        field: "series",
        type: "nominal",
        sort: series,
        title: null,
        scale: { range: ["#d95f5f", "#3b82c4", "#e6a9a9", "#a9c7e6"] },
      },
    },
    config: { ...plotConfig, legend: { ...plotConfig.legend, columns: 2 } },
  });
}
