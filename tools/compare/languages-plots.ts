import { mean } from "@mbs/numbers";
import { plotConfig, toSvg } from "../pages/plot.ts";
import { meanOfLanguages, ofLanguage } from "./draws.ts";
import type { DrawnRow } from "./draws.ts";
import { drawsOf, isOtherAmount, titleOf, twelve } from "./languages-rows.ts";
import { twelveLanguages } from "./languages.ts";
import { allMixes } from "./rows.ts";
import { mixTitle } from "./tables.ts";

/** Tokens of each language at the usual amount of text. */
const usualTokens = (twelve.segments * twelve.length) / twelveLanguages.length;

const amountMixes = Object.entries(allMixes)
  .filter(([mix, { text }]) => mix === "equal" || (text === "equal" && isOtherAmount(mix)))
  .map(([mix, { times = 1 }]) => ({ mix, tokens: Math.round(usualTokens * times) }))
  .sort((a, b) => a.tokens - b.tokens);

/** Losses of each language by how much of its text there is, all languages alike. */
export function plotAmounts(rows: readonly DrawnRow[], method: string): Promise<string> {
  const found = amountMixes.flatMap(({ mix, tokens }) => {
    const draws = drawsOf(rows, method, mix).filter(({ draw }) => draw === 0);
    return draws.map(({ rises }) => ({ tokens, rises }));
  });
  const names = new Intl.DisplayNames("en", { type: "language" });
  const values = found.flatMap(({ tokens, rises }) => [
    ...twelveLanguages.map(({ tag }) => ({ tokens, language: names.of(tag) ?? tag, value: ofLanguage(tag)(rises), all: false })),
    { tokens, language: "mean of languages", value: meanOfLanguages(rises), all: true },
  ]);
  const x = {
    field: "tokens",
    type: "quantitative",
    title: "calibration tokens of each language (logarithmic)",
    scale: { type: "log", base: 2, nice: false },
    axis: { values: amountMixes.map(({ tokens }) => tokens) },
  } as const;
  const y = { field: "value", type: "quantitative", title: "rise of the loss, nats a token", scale: { zero: true } } as const;
  const last = Math.max(...found.map(({ tokens }) => tokens));
  // names of all would lie on each other
  const ends = values.filter(({ tokens, all }) => tokens === last && !all).sort((a, b) => a.value - b.value);
  const usual = values.filter(({ tokens, all }) => tokens === usualTokens && !all).sort((a, b) => b.value - a.value);
  const named = ["mean of languages", ends[0]?.language, ends.at(-1)?.language];
  const most = usual.slice(0, 1);
  // what draws alone do to the language that loses most with the most text
  const varying = twelveLanguages.find(({ tag }) => names.of(tag) === ends.at(-1)?.language);
  const ofDraws = drawsOf(rows, method, "equal").map(({ rises }) => ofLanguage(varying?.tag ?? "")(rises));
  const range = [{ tokens: usualTokens, least: Math.min(...ofDraws), most: Math.max(...ofDraws) }];
  return toSvg({
    title: {
      text: `Gemma 3 270m, ${titleOf(method)}, more text of every language, one draw`,
      anchor: "start",
      fontWeight: "normal",
      fontSize: 13,
    },
    data: { values },
    width: 420,
    height: 300,
    layer: [
      {
        mark: { type: "line", point: true },
        encoding: {
          x,
          y,
          detail: { field: "language", type: "nominal" },
          color: { condition: { test: "datum.all", value: "#222222" }, value: "#a9c7e6" },
          size: { condition: { test: "datum.all", value: 3 }, value: 1.2 },
        },
      },
      {
        data: { values: range },
        mark: { type: "rule", strokeWidth: 5, opacity: 0.35, color: "#d95f5f" },
        encoding: { x, y: { ...y, field: "least" }, y2: { field: "most" } },
      },
      {
        data: { values: range },
        mark: { type: "text", align: "left", dx: 8, fontSize: 10, color: "#d95f5f" },
        encoding: {
          x,
          y: { ...y, field: "most" },
          text: { value: `${ends.at(-1)?.language ?? ""} in ${ofDraws.length} draws` },
        },
      },
      {
        data: { values: most },
        mark: { type: "text", align: "left", dx: 6, dy: -6, fontSize: 10 },
        encoding: { x, y, text: { field: "language", type: "nominal" } },
      },
      {
        transform: [{ filter: `datum.tokens === ${last}` }, { filter: { field: "language", oneOf: named.map(String) } }],
        mark: { type: "text", align: "left", dx: 6, fontSize: 10 },
        encoding: { x, y, text: { field: "language", type: "nominal" } },
      },
    ],
    config: plotConfig,
  });
}

/** The mixes of the guide. */
const plottedMixes = ["english", "equal", "proportional", "found-alike"] as const;

/** Losses by language, a mark a mix; languages in the order of their shares. */
export function plotLanguages(rows: readonly DrawnRow[], method: string): Promise<string> {
  const seriesOf = (mix: string): string => {
    const draws = drawsOf(rows, method, mix).length;
    const title = mix === "proportional" ? "by assumed shares" : mixTitle(mix).replaceAll("`", "");
    return `${title} (${draws} draws)`;
  };
  const names = new Intl.DisplayNames("en", { type: "language" });
  const values = plottedMixes.flatMap((mix) =>
    twelveLanguages.map(({ tag }) => {
      const ofDraws = drawsOf(rows, method, mix).map(({ rises }) => ofLanguage(tag)(rises));
      const [least, most] = [Math.min(...ofDraws), Math.max(...ofDraws)];
      return { mix: seriesOf(mix), language: names.of(tag) ?? tag, value: mean(ofDraws), least, most };
    }),
  );
  const series = plottedMixes.map(seriesOf);
  const x = {
    type: "quantitative" as const,
    title: "rise of the loss, nats a token (logarithmic): mean, least and most of draws",
    scale: { type: "log" as const, domain: [0.2, 6], nice: false },
  };
  return toSvg({
    title: {
      text: `Gemma 3 270m, ${titleOf(method)}: what each language loses`,
      anchor: "start",
      fontWeight: "normal",
      fontSize: 13,
    },
    data: { values },
    width: 520,
    height: { step: 26, for: "position" },
    encoding: {
      y: {
        field: "language",
        type: "nominal",
        title: null,
        sort: twelveLanguages.map(({ tag }) => names.of(tag) ?? tag),
        axis: { labelFontSize: 12, grid: true },
      },
      yOffset: { field: "mix", type: "nominal", sort: series },
      color: {
        field: "mix",
        type: "nominal",
        sort: series,
        title: null,
        scale: { range: ["#777777", "#3b82c4", "#e08214", "#1b9e77"] },
      },
    },
    layer: [
      // from the least to the most of draws
      {
        mark: { type: "rule", strokeWidth: 2, opacity: 0.45 },
        encoding: { x: { ...x, field: "least" }, x2: { field: "most" } },
      },
      {
        mark: { type: "point", filled: true, size: 45, opacity: 0.95 },
        encoding: { x: { ...x, field: "value" }, shape: { field: "mix", type: "nominal", sort: series, title: null } },
      },
    ],
    config: { ...plotConfig, legend: { ...plotConfig.legend, columns: 2 } },
  });
}
