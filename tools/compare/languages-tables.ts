import { at } from "@mbs/contracts";
import { mean } from "@mbs/numbers";
import { markdownTable } from "../pages/blocks.ts";
import {
  figureDifference,
  figuresCombined,
  lossesOverDraws,
  meanOfLanguages,
  ofLanguage,
  overDraws,
  weightedBy,
  worstOfLanguages,
} from "./draws.ts";
import type { DrawnRow, Figure } from "./draws.ts";
import { drawsOf, isUsual, methodsIn, mixesIn, onSharedDraws, pairOf, shares, titleOf, twelve } from "./languages-rows.ts";
import { twelveLanguages } from "./languages.ts";
import { allMixes, crossedMixes, namedPowers, usualSegments } from "./rows.ts";
import { drawnText, mixTitle, thousandths } from "./tables.ts";

/** A line a method and mix: three averages, over the draws that there are. */
export function mixesTable(rows: readonly DrawnRow[]): string {
  const lines = methodsIn(rows).flatMap((method) =>
    mixesIn(rows, method).map((mix) => {
      const draws = drawsOf(rows, method, mix).map(({ rises }) => rises);
      const { mean: ofAll, worst } = lossesOverDraws(draws);
      return [
        titleOf(method),
        mixTitle(mix),
        String(draws.length),
        drawnText(ofAll),
        drawnText(overDraws(draws, weightedBy(shares))),
        drawnText(overDraws(draws, worstOfLanguages)),
        worst.language,
      ];
    }),
  );
  const head = ["method", "mix", "draws", "mean of languages", "weighted by share", "language that loses most"];
  return markdownTable([...head, "in the mean of draws"], lines, 2);
}

/** Mixes between equal, proportional and found ones that have a first draw. */
const frontierOf = (rows: readonly DrawnRow[], method: string) =>
  Object.entries(allMixes).flatMap(([mix, { frontier = namedPowers[mix] }]) => {
    const first = drawsOf(rows, method, mix).find(({ draw }) => draw === 0);
    if (frontier === undefined || first === undefined) return [];
    const losses = Object.keys(first.rises).map((language) => ({ language, loss: ofLanguage(language)(first.rises) }));
    const worst = losses.reduce((most, next) => (next.loss > most.loss ? next : most));
    return [{ mix, ...frontier, rises: first.rises, worst: worst.loss, language: worst.language }];
  });

/**
 * What each of many mixes loses in one draw, the one first whose worst language loses least; and against the equal mix in all
 * draws, where there are several.
 */
export function frontierTable(rows: readonly DrawnRow[], method: string): string {
  const lines = [...frontierOf(rows, method)]
    .sort((a, b) => a.worst - b.worst)
    .map(({ mix, shares: exponent, power, rises, worst, language }) => {
      const [own, equal] = pairOf(rows, method, mix, "equal");
      const isCompared = mix !== "equal" && own.length > 1;
      const differences = [worstOfLanguages, meanOfLanguages].map((figure) => drawnText(figureDifference(own, equal, figure)));
      return [
        String(exponent),
        String(power),
        mix in namedPowers ? mixTitle(mix) : "",
        `${worst.toFixed(2)} ${language}`,
        thousandths(meanOfLanguages(rises)),
        thousandths(weightedBy(shares)(rises)),
        ...(isCompared ? [String(own.length), ...differences] : ["", "", ""]),
      ];
    });
  const head = ["power of shares", "power of losses", "name", "worst language", "mean of languages", "weighted by share"];
  return markdownTable([...head, "draws", "worst against equal", "mean against equal"], lines, 3);
}

/** What one language loses with less and with more text of its own, the others having the usual amount; a line a draw. */
export function amountsOfOneTable(rows: readonly DrawnRow[], method: string): string {
  const amounts = Object.entries(allMixes).flatMap(([mix, { amountOf }]) =>
    amountOf === undefined ? [] : [{ mix, ...amountOf }],
  );
  const languages = [...new Set(amounts.map(({ language }) => language))];
  const lines = languages.flatMap((language) => {
    const own = amounts.filter((amount) => amount.language === language);
    const draws = new Set(own.flatMap(({ mix }) => drawsOf(rows, method, mix).map(({ draw }) => draw)));
    const others = twelveLanguages.filter(({ tag }) => tag !== language);
    return [...own, { mix: "equal", segments: usualSegments }]
      .sort((a, b) => a.segments - b.segments)
      .flatMap(({ mix, segments }) =>
        drawsOf(rows, method, mix)
          .filter(({ draw }) => draws.has(draw))
          .map(({ draw, rises }) => [
            language,
            String(segments),
            String(segments * twelve.length),
            String(draw),
            thousandths(ofLanguage(language)(rises)),
            thousandths(mean(others.map(({ tag }) => ofLanguage(tag)(rises)))),
          ]),
      );
  });
  return markdownTable(["language", "segments", "tokens", "draw", "its loss", "mean of the eleven others"], lines, 1);
}

/** A line a language: its share and what it loses with each mix, the mean over draws. */
export function languagesOfMixes(rows: readonly DrawnRow[], method: string): string {
  const mixes = mixesIn(rows, method).filter(isUsual);
  const lines = twelveLanguages.map(({ tag, script }) => [
    tag,
    script,
    `${(100 * (shares[tag] ?? 0)).toFixed(1)}%`,
    ...mixes.map((mix) => thousandths(mean(drawsOf(rows, method, mix).map(({ rises }) => ofLanguage(tag)(rises))))),
  ]);
  return markdownTable(["language", "script", "share", ...mixes.map(mixTitle)], lines, 2);
}

/** What is shown of mixes that tell text and weight apart: averages, the language with most text and the one that was named. */
const crossedFigures: Readonly<Record<string, Figure>> = {
  "mean of languages": meanOfLanguages,
  "weighted by share": weightedBy(shares),
  "worst language": worstOfLanguages,
  en: ofLanguage("en"),
  km: ofLanguage("km"),
};

/**
 * What methods lose with text in equal or proportional amounts and weights alike or as proportional text has them, on the draws that
 * all four mixes have; what equal text and what equal weights change, each in the mean of both settings of the other; and the second
 * change less the first, below zero where weights take off more.
 *
 * @param sets rows by the windows that they are scored on
 */
export function weightOrAmountTable(sets: Readonly<Record<string, readonly DrawnRow[]>>): string {
  const lines = Object.entries(sets).flatMap(([windows, rows]) =>
    methodsIn(rows).flatMap((method) => {
      const rises = onSharedDraws(rows, method, crossedMixes);
      const { length: draws } = at(rises, 0);
      if (draws === 0) return [];
      const terms = (...halves: readonly number[]) => rises.map((own, place) => [at(halves, place), own] as const);
      return Object.entries(crossedFigures).map(([name, figure]) => [
        titleOf(method),
        windows,
        String(draws),
        name,
        ...rises.map((own) => thousandths(mean(own.map(figure)))),
        drawnText(figuresCombined(terms(-0.5, 0.5, -0.5, 0.5), figure)),
        drawnText(figuresCombined(terms(-0.5, -0.5, 0.5, 0.5), figure)),
        drawnText(figuresCombined(terms(0, -1, 1, 0), figure)),
      ]);
    }),
  );
  const head = ["method", "windows", "draws", "loss", "both proportional", "equal text", "equal weights", "both equal"];
  return markdownTable([...head, "equal text changes", "equal weights change", "their difference"], lines, 4);
}

/**
 * What each language loses with text of one language alone, of all of them, and of all but itself, at as many tokens in all; a line a
 * text, in bold where language and text have one script.
 */
export function standInsTable(rows: readonly DrawnRow[], method: string): string {
  const scripts = new Map(twelveLanguages.map(({ tag, script }) => [tag, script]));
  const lossesWith = (mix: string) => drawsOf(rows, method, mix).slice(0, 1);
  const lines = Object.entries(allMixes).flatMap(([mix, { alone }]) => {
    const [own] = lossesWith(mix);
    if (own === undefined || (alone === undefined && mix !== "equal-third")) return [];
    const cells = twelveLanguages.map(({ tag, script }) => {
      const text = ofLanguage(tag)(own.rises).toFixed(2);
      return tag !== alone && script === scripts.get(alone ?? "") ? `**${text}**` : text;
    });
    return [[alone ?? "all twelve", ...cells, meanOfLanguages(own.rises).toFixed(2)]];
  });
  const left = twelveLanguages.map(({ tag }) => {
    const [own] = lossesWith(`without-${tag}`);
    return own === undefined ? "" : ofLanguage(tag)(own.rises).toFixed(2);
  });
  return markdownTable(
    ["text", ...twelveLanguages.map(({ tag }) => tag), "mean"],
    [...lines, ["all but this one", ...left, ""]],
    1,
  );
}
