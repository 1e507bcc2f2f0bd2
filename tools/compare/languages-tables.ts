import { at, parseLanguageMix } from "@mbs/contracts";
import { countSegments } from "@mbs/corpus-sampling";
import { lawError, lossAt } from "@mbs/mix-recommendation";
import { mean, spearman } from "@mbs/numbers";
import { markdownTable } from "../pages/blocks.ts";
import { toSvg } from "../pages/plot.ts";
import {
  figureDifference,
  holdTogether,
  lossesOverDraws,
  meanOfLanguages,
  ofLanguage,
  overDraws,
  weightedBy,
  worstOfLanguages,
} from "./draws.ts";
import type { Difference, DrawnRow, WindowRises } from "./draws.ts";
import { twelveLanguages } from "./languages.ts";
import { allMethods, allMixes, sizes } from "./rows.ts";
import { mixTitle, natsText, pairsOf, thousandths, withInterval } from "./tables.ts";
import type { WrittenLanguage, WrittenRow } from "./written-rows.ts";

const { twelve } = sizes;

const total = twelveLanguages.reduce((sum, { share }) => sum + share, 0);
/** Assumed shares of the training mixture, sum 1. */
const shares: Readonly<Record<string, number>> = Object.fromEntries(
  twelveLanguages.map(({ tag, share }) => [tag, share / total]),
);

const titleOf = (method: string): string => allMethods[method]?.title ?? method;

/** Draws of one method and mix, in order. */
const drawsOf = (rows: readonly DrawnRow[], method: string, mix: string): readonly DrawnRow[] =>
  rows.filter((row) => row.method === method && row.mix === mix).sort((a, b) => a.draw - b.draw);

const methodsIn = (rows: readonly DrawnRow[]): readonly string[] =>
  Object.keys(allMethods).filter((method) => rows.some((row) => row.method === method));
/** Mixes of all languages, and English alone, that have rows. */
const mixesIn = (rows: readonly DrawnRow[], method: string): readonly string[] =>
  Object.entries(allMixes)
    .filter(([, { alone, without }]) => alone === undefined && without === undefined)
    .map(([mix]) => mix)
    .filter((mix) => drawsOf(rows, method, mix).length > 0);

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
        natsText(ofAll),
        natsText(overDraws(draws, weightedBy(shares))),
        natsText(overDraws(draws, worstOfLanguages)),
        worst.language,
      ];
    }),
  );
  const head = ["method", "mix", "draws", "mean of languages", "weighted by share", "language that loses most"];
  return markdownTable([...head, "in the mean of draws"], lines, 2);
}

/** What a language is for the dense model, by which its losses have other units. */
export interface DenseLanguage {
  /** UTF-8 bytes of a held-out token. */
  readonly bytes: number;
  /** Its loss, nats a token. */
  readonly nats: number;
}

/** Units of losses: from nats a token, with how losses and differences of them are shown. */
const units: readonly {
  readonly of: (nats: number, dense: DenseLanguage) => number;
  readonly text: (value: number) => string;
  readonly difference: (difference: Difference) => string;
}[] = [
  { of: (nats) => nats, text: (value) => value.toFixed(2), difference: natsText },
  { of: (nats, { bytes }) => nats / bytes / Math.LN2, text: thousandths, difference: withInterval(thousandths) },
  {
    of: (nats, dense) => nats / dense.nats,
    text: (value) => `${(100 * value).toFixed(0)}%`,
    difference: withInterval((value) => (100 * value).toFixed(1)),
  },
];

/** The mean of languages and the language that loses most with each mix, in several units, means over draws. */
export function unitsTable(rows: readonly DrawnRow[], method: string, dense: Readonly<Record<string, DenseLanguage>>): string {
  const languages = Object.entries(dense);
  const lines = mixesIn(rows, method).flatMap((mix) => {
    const draws = drawsOf(rows, method, mix);
    if (!isUsual(mix)) return [];
    const cells = units.map(({ of, text }) => {
      const own = draws.map(({ rises }) => languages.map(([name, language]) => of(ofLanguage(name)(rises), language)));
      const means = languages.map((_, place) => mean(own.map((losses) => at(losses, place))));
      const [worst] = at(languages, means.indexOf(Math.max(...means)));
      return { mean: text(mean(means)), worst: `${text(mean(own.map((losses) => Math.max(...losses))))} ${worst}` };
    });
    return [[mixTitle(mix), String(draws.length), ...cells.map((cell) => cell.mean), ...cells.map((cell) => cell.worst)]];
  });
  const head = ["mean", "loses most"].flatMap((what) => [`${what}, nats a token`, "bits a byte", "of its loss"]);
  return markdownTable(["mix", "draws", ...head], lines, 1);
}

const isOtherAmount = (mix: string): boolean => allMixes[mix]?.times !== undefined;

/** Whether one language, or several, count more than others to see what that does. */
const favoursSome = (mix: string): boolean => allMixes[mix]?.weights !== undefined || allMixes[mix]?.favours !== undefined;

/** Whether its languages count by their text, of the usual amount and of all pages. */
const isUsual = (mix: string): boolean => !isOtherAmount(mix) && !favoursSome(mix) && allMixes[mix]?.pages === undefined;

/** Rows of two mixes on the draws that both have. */
function pairOf(
  rows: readonly DrawnRow[],
  method: string,
  first: string,
  second: string,
): readonly [readonly WindowRises[], readonly WindowRises[]] {
  const pairs = pairsOf(drawsOf(rows, method, first), drawsOf(rows, method, second));
  return [pairs.map(({ row }) => row.rises), pairs.map(({ other }) => other.rises)];
}

/** Whether this is what namedTable has, the worst language of a found mix against the equal one, which has no star here. */
const isNamed = ({ method, mix, against }: Outcome, figure: keyof typeof outcomes): boolean =>
  method === "gptq-3" && against === "equal" && figure === "worst" && namedOutcomes.some((named) => named.mix === mix);

const outcomes = { worst: worstOfLanguages, mean: meanOfLanguages, shares: weightedBy(shares) };

/** A comparison of two mixes. */
interface Outcome {
  readonly method: string;
  readonly mix: string;
  readonly against: string;
  readonly draws: number;
  readonly figures: Readonly<Record<keyof typeof outcomes, Difference>>;
}

/** The mixes whose losses are set beside those of each other one. */
const compared = ["found", "found-alike", "equal"] as const;

function outcomesOf(rows: readonly DrawnRow[]): readonly Outcome[] {
  return methodsIn(rows).flatMap((method) =>
    compared.flatMap((mix, place) =>
      mixesIn(rows, method).flatMap((against) => {
        if (against === mix || compared.slice(0, place).some((before) => before === against) || !isUsual(against)) return [];
        return outcomeOf(rows, method, mix, against);
      }),
    ),
  );
}

/** One mix against another one; none without draws that both have. */
function outcomeOf(rows: readonly DrawnRow[], method: string, mix: string, against: string): readonly Outcome[] {
  const [own, other] = pairOf(rows, method, mix, against);
  if (own.length === 0) return [];
  const differenceOf = (figure: keyof typeof outcomes): Difference => figureDifference(own, other, outcomes[figure]);
  const figures = { worst: differenceOf("worst"), mean: differenceOf("mean"), shares: differenceOf("shares") };
  return [{ method, mix, against, draws: own.length, figures }];
}

/** The two outcomes that were named before their draws were made: which mix, against the equal one, in which draws. */
const namedOutcomes = [
  { mix: "found", draws: [0, 1, 2, 3, 4] },
  { mix: "found-alike", draws: [6, 7, 8, 9, 10] },
] as const;

/** What was named before its draws were made, with the chance of as much by draws alone, and what it is in other units. */
export function namedTable(rows: readonly DrawnRow[], method: string, dense: Readonly<Record<string, DenseLanguage>>): string {
  const languages = Object.entries(dense);
  const lines = namedOutcomes.flatMap(({ mix, draws }) => {
    const named = rows.filter(({ draw }) => draws.some((own) => own === draw));
    const [own, other] = pairOf(named, method, mix, "equal");
    if (own.length === 0) return [];
    const worst = units.map(({ of }) =>
      figureDifference(own, other, (rises) =>
        Math.max(...languages.map(([name, language]) => of(ofLanguage(name)(rises), language))),
      ),
    );
    const [nats = "", ...others] = units.map(({ difference }, place) => difference(at(worst, place)));
    const { chance } = at(worst, 0);
    return [[mixTitle(mix), `${at(draws, 0)} to ${at(draws, draws.length - 1)}`, nats, chance.toFixed(3), ...others]];
  });
  return markdownTable(["mix, against equal", "draws", "nats a token", "chance", "bits a byte", "% of its loss"], lines, 1);
}

/** Equal text whose languages weigh otherwise, against the equal mix, by its draws alone: none was named before, so nothing is corrected. */
export function weightsTable(rows: readonly DrawnRow[], method: string): string {
  const weighted = mixesIn(rows, method).filter(favoursSome);
  const lines = [...weighted, "found-alike"].flatMap((mix) =>
    outcomeOf(rows, method, mix, "equal").map(({ draws, figures: { worst, mean: ofAll, shares: byShare } }) => [
      mixTitle(mix),
      String(draws),
      natsText(worst),
      natsText(ofAll),
      natsText(byShare),
    ]),
  );
  return markdownTable(["mix", "draws", "worst language", "mean of languages", "weighted by share"], lines, 1);
}

/**
 * The found mixes and the equal one against each other one: the loss of the worst language and two means. Of cells over several
 * draws all but the named one are corrected together by Holm; a star marks what holds.
 */
export function outcomeTable(rows: readonly DrawnRow[]): string {
  const found = outcomesOf(rows);
  const cells = found.flatMap((outcome) =>
    (Object.keys(outcomes) as (keyof typeof outcomes)[]).map((figure) => ({
      figure,
      difference: outcome.figures[figure],
      isCorrected: outcome.draws > 1 && !isNamed(outcome, figure),
    })),
  );
  const corrected = cells.filter(({ isCorrected }) => isCorrected);
  const holds = holdTogether(corrected.map(({ difference }) => difference.chance));
  const texts = cells.map(({ difference }, place) => {
    const star = holds[corrected.indexOf(at(cells, place))] ? " \\*" : "";
    return `${natsText(difference)}${star}`;
  });
  const width = Object.keys(outcomes).length;
  const lines = found.map(({ method, mix, against, draws }, place) => [
    titleOf(method),
    mixTitle(mix),
    mixTitle(against),
    String(draws),
    ...texts.slice(place * width, (place + 1) * width),
  ]);
  const head = ["method", "mix", "against", "draws", "worst language", "mean of languages", "weighted by share"];
  return markdownTable(head, lines, 3);
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

const equalShare = 1 / twelveLanguages.length;

/** Σ first · second */
const moment = (first: readonly number[], second: readonly number[]): number =>
  first.reduce((sum, value, index) => sum + value * at(second, index), 0);

const hundredths = (value: number): string => value.toFixed(2).replace("-", "−");

const centred = (values: readonly number[]): number[] => values.map((value) => value - mean(values));

/** Shares of the text that is drawn of a mix; undefined where the law says nothing, or text is more or less in all. */
function textOf(mix: string, found: Readonly<Record<string, number>>): Readonly<Record<string, number>> | undefined {
  const asked = mix === "found" ? found : sharesOfMix(allMixes[mix]?.text ?? mix);
  if (asked === undefined) return undefined;
  // every language gets one segment at least
  const counts = countSegments(new Map(Object.entries(asked)), twelve.segments, 1);
  return Object.fromEntries([...counts].map(([tag, count]) => [tag, count / twelve.segments]));
}

/** Shares that a mix asks for; undefined of those that give all languages alike, or one alone. */
function sharesOfMix(text: string): Readonly<Record<string, number>> | undefined {
  if (text === "proportional") return shares;
  if (text.startsWith("weights:")) return Object.fromEntries(parseLanguageMix(text.replace(/^weights:/, "")));
  if (text !== "temperature:0.3") return undefined;
  return Object.fromEntries(twelveLanguages.map(({ tag }) => [tag, (shares[tag] ?? 0) ** 0.3]));
}

/** A language under a mix, beside the equal one on the same draws. */
interface LawPoint {
  readonly language: string;
  /** ln of its share over that in the equal mix. */
  readonly text: number;
  /** ln of its loss over that with the equal mix. */
  readonly loss: number;
  /** What the law predicts from the equal mix, less what it lost, in nats. */
  readonly error: number;
  /** What it lost with the equal mix, less what it lost: the error of predicting no change. */
  readonly change: number;
}

function lawPoints(
  rows: readonly DrawnRow[],
  method: string,
  mix: string,
  found: Readonly<Record<string, number>>,
): readonly LawPoint[] {
  const text = textOf(mix, found);
  const [equal, other] = pairOf(rows, method, "equal", mix);
  if (text === undefined || equal.length === 0) return [];
  return twelveLanguages.map(({ tag }): LawPoint => {
    const [before = NaN, after = NaN] = [equal, other].map((draws) => mean(draws.map(ofLanguage(tag))));
    const share = text[tag] ?? NaN;
    return {
      language: tag,
      text: Math.log(share / equalShare),
      loss: Math.log(after / before),
      error: lossAt(before, { share: equalShare }, share) - after,
      change: before - after,
    };
  });
}

/** ln of what a language lost over what the law predicts for it from another draw, of the equal mix: as a user has them. */
function errorsOfDraws(rows: readonly DrawnRow[], method: string, found: Readonly<Record<string, number>>): readonly number[] {
  return drawsOf(rows, method, "equal").flatMap((equal) =>
    mixesIn(rows, method)
      .filter(isUsual)
      .flatMap((mix) => {
        const text = textOf(mix, found);
        if (text === undefined) return [];
        const others = drawsOf(rows, method, mix).filter(({ draw }) => draw !== equal.draw);
        return others.flatMap(({ rises }) =>
          twelveLanguages.map(({ tag }) => {
            const [before, after] = [equal.rises, rises].map(ofLanguage(tag)) as [number, number];
            return Math.log(after / lossAt(before, { share: equalShare }, text[tag] ?? NaN));
          }),
        );
      }),
  );
}

const rootMeanSquare = (values: readonly number[]): number => Math.sqrt(moment(values, values) / values.length);

/** From one draw to another: how far the law is off, and how many languages lose what it says, by its error with other methods. */
export function intervalsTable(rows: readonly DrawnRow[], found: Readonly<Record<string, number>>): string {
  const byMethod = methodsIn(rows)
    .map((method) => ({ method, errors: errorsOfDraws(rows, method, found) }))
    .filter(({ errors }) => errors.length > 0);
  const lines = byMethod.map(({ method, errors }) => {
    const others = byMethod.filter((own) => own.method !== method).map((own) => rootMeanSquare(own.errors));
    const within = (error: number): string =>
      `${((100 * errors.filter((value) => Math.abs(value) <= 1.96 * error).length) / errors.length).toFixed(0)}%`;
    return [titleOf(method), String(errors.length), hundredths(rootMeanSquare(errors)), within(mean(others)), within(lawError)];
  });
  const head = ["method", "pairs", "error of the logarithm", "in 95% by the other methods", "in 95% by 0.15"];
  return markdownTable(head, lines, 1);
}

/**
 * How losses go with a language's share of the text, from the equal mix to the others: the exponent e of loss ∝ share^−e by least
 * squares, the rank correlation of the two logarithms over all of them and within a language, and how far off is what the law
 * predicts from the equal mix.
 */
export function lawTable(rows: readonly DrawnRow[], found: Readonly<Record<string, number>>): string {
  const lines = methodsIn(rows).flatMap((method) => {
    const mixes = mixesIn(rows, method).filter(isUsual);
    const points = mixes.flatMap((mix) => lawPoints(rows, method, mix, found));
    if (points.length === 0) return [];
    const [text, loss] = [points.map((point) => point.text), points.map((point) => point.loss)];
    const exponent = -moment(centred(text), centred(loss)) / moment(centred(text), centred(text));
    const within = twelveLanguages.map(({ tag }) => {
      const own = [{ text: 0, loss: 0 }, ...points.filter(({ language }) => language === tag)];
      return spearman(
        own.map((point) => point.text),
        own.map((point) => point.loss),
      );
    });
    const errors = points.map(({ error }) => Math.abs(error));
    return [
      [
        titleOf(method),
        mixes
          .filter((mix) => textOf(mix, found) !== undefined)
          .map(mixTitle)
          .join(", "),
        hundredths(exponent),
        hundredths(spearman(text, loss)),
        hundredths(mean(within)),
        thousandths(mean(errors)),
        thousandths(mean(points.map(({ change }) => Math.abs(change)))),
        thousandths(Math.max(...errors)),
      ],
    ];
  });
  const head = [
    "method",
    "mixes",
    "e",
    "rank correlation",
    "within a language",
    "error, mean",
    "without the law",
    "largest error",
  ];
  return markdownTable(head, lines, 2);
}

const others = twelveLanguages.map(({ tag }) => tag).filter((tag) => tag !== "en");

const meanOfOthers = (rises: WindowRises): number => mean(others.map((tag) => ofLanguage(tag)(rises)));

/** What English-only calibration costs the other languages of a method, beside an equal mix. */
interface Onset {
  readonly title: string;
  readonly equal: { readonly english: number; readonly others: number };
  readonly only: { readonly english: number; readonly others: number };
  readonly cost: Difference;
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
    natsText(cost),
  ]);
  const head = ["method", "English, equal mix", "English, English-only", "others, equal mix", "others, English-only"];
  return markdownTable([...head, "what it costs the others"], lines, 1);
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

const percent = (value: number): string => `${(100 * value).toFixed(0)}%`;

const meanWritten = (row: WrittenRow, key: keyof WrittenLanguage): number =>
  mean(Object.values(row.languages).map((own) => own[key]));

/**
 * Means over languages of what models write: how far their distributions are from the dense model's, and greedy continuations, whose
 * language is that of their beginning or not.
 */
export function writtenTable(rows: readonly WrittenRow[]): string {
  const lines = rows.map((row) => {
    const [language, { kept }] = at(
      Object.entries(row.languages).sort(([, a], [, b]) => a.kept - b.kept),
      0,
    );
    return [
      titleOf(row.method),
      mixTitle(row.mix),
      meanWritten(row, "kl").toFixed(2),
      percent(meanWritten(row, "same")),
      percent(meanWritten(row, "agrees")),
      percent(meanWritten(row, "kept")),
      `${language} ${percent(kept)}`,
      percent(meanWritten(row, "repeated")),
    ];
  });
  const [first] = rows;
  const kept = first === undefined ? "" : percent(meanWritten(first, "keptByDense"));
  const repeated = first === undefined ? "" : percent(meanWritten(first, "repeatedByDense"));
  const dense = ["dense model", "", "0", "100%", "100%", kept, "", repeated];
  const head = ["method", "mix", "KL", "same token", "agrees", "own language", "least", "repeated"];
  return markdownTable(head, [dense, ...lines], 2);
}

const font = { background: "white", font: "sans-serif", legend: { labelLimit: 0, orient: "bottom" } } as const;

/** The losses of English and of the other languages, by method, with an equal mix and with English alone. */
export function plotOnset(rows: readonly DrawnRow[]): Promise<string> {
  const found = onsets(rows);
  const series = ["other languages, English-only", "other languages, equal mix", "English, English-only", "English, equal mix"];
  const values = found.flatMap(({ title, equal, only }) =>
    [only.others, equal.others, only.english, equal.english].map((value, place) => ({
      title,
      // a logarithmic axis has no place for what gains
      value: Math.max(value, 0.001),
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
        title: "rise of the loss, nats a token (logarithmic)",
        scale: { type: "log", nice: false },
      },
      color: {
        field: "series",
        type: "nominal",
        sort: series,
        title: null,
        scale: { range: ["#d95f5f", "#3b82c4", "#e6a9a9", "#a9c7e6"] },
      },
    },
    config: { ...font, legend: { ...font.legend, columns: 2 } },
  });
}

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
      text: `Gemma 3 270m, ${titleOf(method)}, more text of every language`,
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
    config: font,
  });
}

/** The mixes of the guide. */
const plottedMixes = ["english", "equal", "proportional", "found-alike"] as const;

/** Losses by language, a mark a mix; languages in the order of their shares. */
export function plotLanguages(rows: readonly DrawnRow[], method: string): Promise<string> {
  const seriesOf = (mix: string): string => {
    const draws = drawsOf(rows, method, mix).length;
    return `${mix === "found-alike" ? "mbs mix" : mixTitle(mix)} (${draws} ${draws === 1 ? "draw" : "draws"})`;
  };
  const names = new Intl.DisplayNames("en", { type: "language" });
  const values = plottedMixes.flatMap((mix) =>
    twelveLanguages.map(({ tag }) => ({
      mix: seriesOf(mix),
      language: names.of(tag) ?? tag,
      value: mean(drawsOf(rows, method, mix).map(({ rises }) => ofLanguage(tag)(rises))),
    })),
  );
  return toSvg({
    title: {
      text: `Gemma 3 270m, ${titleOf(method)}: what each language loses`,
      anchor: "start",
      fontWeight: "normal",
      fontSize: 13,
    },
    data: { values },
    width: 520,
    height: { step: 20 },
    mark: { type: "point", filled: true, size: 60, opacity: 0.9 },
    encoding: {
      y: {
        field: "language",
        type: "nominal",
        title: null,
        sort: twelveLanguages.map(({ tag }) => names.of(tag) ?? tag),
        axis: { labelFontSize: 12, grid: true },
      },
      x: {
        field: "value",
        type: "quantitative",
        title: "rise of the loss, nats a token (logarithmic)",
        scale: { type: "log", domain: [0.2, 4], nice: false },
      },
      color: {
        field: "mix",
        type: "nominal",
        sort: plottedMixes.map(seriesOf),
        title: null,
        scale: { range: ["#777777", "#3b82c4", "#e08214", "#1b9e77"] },
      },
      shape: { field: "mix", type: "nominal", sort: plottedMixes.map(seriesOf), title: null },
    },
    config: { ...font, legend: { ...font.legend, columns: 2 } },
  });
}
