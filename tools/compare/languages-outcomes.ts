import { at } from "@mbs/contracts";
import { mean } from "@mbs/numbers";
import { markdownTable } from "../pages/blocks.ts";
import { figureDifference, holdTogether, meanOfLanguages, ofLanguage, weightedBy, worstOfLanguages } from "./draws.ts";
import type { DrawnFigure, DrawnRow } from "./draws.ts";
import {
  drawsOf,
  favoursSome,
  isChosen,
  isUsual,
  methodsIn,
  mixesIn,
  mixesWhere,
  pairOf,
  percent,
  shares,
  titleOf,
} from "./languages-rows.ts";
import type { DenseLanguage } from "./languages-numbers.ts";
import { drawnText, fewestDraws, mixTitle, natsText, thousandths, withInterval } from "./tables.ts";

/** Units of losses: from nats a token, with how losses and differences of them are shown. */
const units: readonly {
  readonly of: (nats: number, dense: DenseLanguage) => number;
  readonly text: (value: number) => string;
  readonly difference: (difference: DrawnFigure) => string;
}[] = [
  { of: (nats) => nats, text: (value) => value.toFixed(2), difference: natsText },
  { of: (nats, { bytes }) => nats / bytes / Math.LN2, text: thousandths, difference: withInterval(thousandths) },
  {
    of: (nats, dense) => nats / dense.nats,
    text: percent,
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

/** What was named before its rows were made: the worst language of a mix at GPTQ 3 bits, against the equal one, in these draws. */
interface NamedOutcome {
  readonly mix: string;
  readonly draws: readonly number[];
}

/** Whether an outcome is left out of the correction, in all draws: some of them are named, and have a table of their own. */
const isExempt = ({ method, mix, against }: Outcome, figure: keyof typeof figures, outcomes: readonly NamedOutcome[]): boolean =>
  method === "gptq-3" && against === "equal" && figure === "worst" && outcomes.some((named) => named.mix === mix);

const figures = { worst: worstOfLanguages, mean: meanOfLanguages, shares: weightedBy(shares) };

/** A comparison of two mixes. */
interface Outcome {
  readonly method: string;
  readonly mix: string;
  readonly against: string;
  /** How many draws both have. */
  readonly draws: number;
  readonly differences: Readonly<Record<keyof typeof figures, DrawnFigure>>;
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
  const differenceOf = (figure: keyof typeof figures): DrawnFigure => figureDifference(own, other, figures[figure]);
  const differences = { worst: differenceOf("worst"), mean: differenceOf("mean"), shares: differenceOf("shares") };
  return [{ method, mix, against, draws: own.length, differences }];
}

/** The two outcomes that were named before their draws were made: which mix, against the equal one, in which draws. */
export const namedOutcomes: readonly NamedOutcome[] = [
  { mix: "found", draws: [0, 1, 2, 3, 4] },
  { mix: "found-alike", draws: [6, 7, 8, 9, 10] },
];

/** What was named before models of these draws were scored on other pages. */
export const namedOnOtherPages: readonly NamedOutcome[] = [
  { mix: "found-alike", draws: [0, 1, 2, 3, 4] },
  { mix: "found-alike", draws: [6, 7, 8, 9, 10] },
];

/**
 * What was named before its draws were made, with the chance of as much by draws alone, and what it is in other units.
 *
 * @param outcomes which mix, against the equal one, in which draws
 */
export function namedTable(
  rows: readonly DrawnRow[],
  method: string,
  dense: Readonly<Record<string, DenseLanguage>>,
  outcomes: readonly NamedOutcome[],
): string {
  const languages = Object.entries(dense);
  const lines = outcomes.flatMap(({ mix, draws }) => {
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

/** A mix against the equal one, on the same draws, whose intervals are not corrected: the cells of a table. */
const againstEqual = (rows: readonly DrawnRow[], method: string, mix: string): readonly (readonly string[])[] =>
  outcomeOf(rows, method, mix, "equal").map(({ draws, differences: { worst, mean: ofAll, shares: byShare } }) => [
    mixTitle(mix),
    String(draws),
    drawnText(worst),
    drawnText(ofAll),
    drawnText(byShare),
  ]);

const againstHead = ["mix", "draws", "worst language", "mean of languages", "weighted by share"];

/** A line a mix: against the equal one. */
const againstTable = (rows: readonly DrawnRow[], method: string, mixes: readonly string[]): string =>
  markdownTable(
    againstHead,
    mixes.flatMap((mix) => againstEqual(rows, method, mix)),
    1,
  );

/** Mixes that favour some languages, by weight or by text, against the equal mix. */
export const favoursTable = (rows: readonly DrawnRow[], method: string): string =>
  againstTable(rows, method, [...mixesIn(rows, method).filter(favoursSome), "found-alike"]);

/** Equal text of pages that were chosen in some way against that of all. */
export const pagesTable = (rows: readonly DrawnRow[], method: string): string =>
  againstTable(rows, method, mixesWhere(rows, method, isChosen));

/**
 * The found mixes and the equal one against each other one: the loss of the worst language and two means. Of cells over three draws
 * and more all but those of named mixes are corrected together by Holm; a star marks what holds.
 */
export function outcomeTable(rows: readonly DrawnRow[], named: readonly NamedOutcome[]): string {
  const found = outcomesOf(rows);
  const cells = found.flatMap((outcome) =>
    (Object.keys(figures) as (keyof typeof figures)[]).map((figure) => ({
      figure,
      difference: outcome.differences[figure],
      isCorrected: outcome.draws >= fewestDraws && !isExempt(outcome, figure, named),
    })),
  );
  const corrected = cells.filter(({ isCorrected }) => isCorrected);
  const holds = holdTogether(corrected.map(({ difference }) => difference.chance));
  const texts = cells.map(({ difference }, place) => {
    const star = holds[corrected.indexOf(at(cells, place))] ? " \\*" : "";
    return `${drawnText(difference)}${star}`;
  });
  const width = Object.keys(figures).length;
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
