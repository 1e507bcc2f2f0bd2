import { at } from "@mbs/contracts";
import { mean } from "@mbs/numbers";
import type { SimilarityMatrix } from "@mbs/reporting";
import { markdownTable } from "../pages/blocks.ts";
import { tendenciesOf } from "./comparison.ts";
import type { ComparedRow, Losses, Nats } from "./comparison.ts";
import { differenceOverDraws, lossesOverDraws, overDraws } from "./draws.ts";
import type { DrawnRow, WindowRises } from "./draws.ts";
import { languages } from "./languages.ts";
import type { Spent } from "./row-files.ts";
import { allMethods, comparedTypes, gptqOptions, methodGroups, methods, mixes, peers, settings } from "./rows.ts";

/** A mix as tables name it. */
export const mixTitle = (mix: string): string => mixes[mix]?.title ?? mix;

const number = (value: number): string => (Math.abs(value) < 9.995 ? value.toFixed(2) : value.toFixed(1));

/** A figure with its interval, each as `text` writes it. */
export const withInterval =
  (text: (value: number) => string) =>
  ({ value, interval: [low, high] }: Nats): string =>
    `${value < 0 ? "−" : "+"}${text(Math.abs(value))} (${text(low)} to ${text(high)})`.replaceAll("-", "−");

/** "+0.91 (0.88 to 0.94)" */
export const natsText: (nats: Nats) => string = withInterval(number);

/** Fewer draws give no interval: Student's t of two is 12.7. */
export const fewestDraws = 3;

const rowsOfMethod = <Row extends { readonly method: string }>(rows: readonly Row[], method: string): readonly Row[] =>
  rows.filter((row) => row.method === method);

/** One line a method: the three averages with each mix. */
export function averagesTable(rows: readonly ComparedRow[]): string {
  const lines = Object.entries(methods).flatMap(([method, { title }]) =>
    rowsOfMethod(rows, method).map(({ mix, perplexity, losses: { mean, weighted, worst } }) => [
      title,
      methods[method]?.withoutText ? "none" : mixTitle(mix),
      perplexity < 1000 ? perplexity.toFixed(1) : perplexity.toPrecision(3),
      natsText(mean),
      natsText(weighted),
      `${worst.language} +${number(worst.value)}`,
    ]),
  );
  return markdownTable(
    ["method", "calibration", "perplexity", "mean of languages", "weighted by share", "worst language"],
    lines,
    2,
  );
}

/** One line a method, one column a mix: the mean of languages and the worst. */
export function summaryTable(rows: readonly ComparedRow[]): string {
  const names = Object.keys(mixes);
  const lines = Object.entries(methods).flatMap(([method, { title, withoutText }]) => {
    const own = rowsOfMethod(rows, method);
    if (withoutText || own.length < names.length) return [];
    const cells = names.map((name) => {
      const losses = own.find(({ mix }) => mix === name)?.losses;
      return losses === undefined ? "" : `${natsText(losses.mean)}; ${losses.worst.language} +${number(losses.worst.value)}`;
    });
    return [[title, ...cells]];
  });
  return markdownTable(["method", ...names.map(mixTitle)], lines);
}

/** A line a language: the rise with each mix, then the averages. */
export function languagesTable(rows: readonly ComparedRow[], method: string, dense: ReadonlyMap<string, number>): string {
  const own = rowsOfMethod(rows, method);
  const line = (start: readonly string[], pick: (losses: Losses) => string): string[] => [
    ...start,
    ...own.map(({ losses }) => pick(losses)),
  ];
  const lines = languages.map(({ tag, script, share }) =>
    line([tag, script, `${(share * 100).toFixed(0)}%`, (dense.get(tag) ?? NaN).toFixed(1)], (losses) => {
      const nats = losses.languages.get(tag);
      return nats === undefined ? "" : natsText(nats);
    }),
  );
  const averages = [
    line(["**mean of languages**", "", "", ""], ({ mean }) => natsText(mean)),
    line(["**weighted by share**", "", "", ""], ({ weighted }) => natsText(weighted)),
    line(["**worst language**", "", "", ""], ({ worst }) => `${worst.language} +${number(worst.value)}`),
  ];
  return markdownTable(
    ["language", "script", "share", "dense", ...own.map(({ mix }) => mixTitle(mix))],
    [...lines, ...averages],
    2,
  );
}

export const thousandths = (value: number): string => value.toFixed(3).replace("-", "−");

const spentCells = (spent: Spent | undefined): readonly string[] =>
  spent === undefined
    ? ["", ""]
    : [`${(spent.processorSeconds / 60).toFixed(1)} min`, `${(spent.peakBytes / 2 ** 30).toFixed(1)} GiB`];

/** A line for each method and peer of a setting: its rise, the share of the plain program's that it is, and what it took. */
export function settingsTable(rows: readonly ComparedRow[], mix: string, spent: ReadonlyMap<string, Spent>): string {
  const rowOf = (method: string): ComparedRow | undefined => rows.find((row) => row.method === method && row.mix === mix);
  const lines = settings.flatMap(({ title, plain, rows: names }) => {
    const whole = rowOf(plain)?.losses.mean.value;
    return names.flatMap((method) => {
      const row = rowOf(method);
      if (row === undefined) return [];
      const { mean, weighted, worst } = row.losses;
      const share = whole === undefined ? "" : (mean.value / whole).toFixed(2);
      const worstText = `${worst.language} +${number(worst.value)}`;
      const name = peers[method]?.title ?? methods[method]?.title ?? method;
      return [[title, name, natsText(mean), share, natsText(weighted), worstText, ...spentCells(spent.get(row.name))]];
    });
  });
  const head = ["setting", "program", "mean of languages", "of the plain", "weighted by share", "worst language"];
  return markdownTable([...head, "processor time", "memory"], lines, 2);
}

const spread = ({ value, interval: [low, high] }: Nats): string =>
  `${thousandths(value)} (${thousandths(low)} to ${thousandths(high)})`;

/** The draws that two methods have both. */
const pairsOf = (own: readonly DrawnRow[], peer: readonly DrawnRow[]) =>
  own.flatMap((row) => {
    const other = peer.find(({ draw }) => draw === row.draw);
    return other === undefined ? [] : [{ row, other }];
  });

/** "8 ahead", on the draws that both have. */
function aheadText(own: readonly DrawnRow[], peer: readonly DrawnRow[]): string {
  const pairs = pairsOf(own, peer);
  if (pairs.length < fewestDraws) return "";
  return countText(
    pairs.map(({ row }) => row.rises),
    pairs.map(({ other }) => other.rises),
  );
}

/** "7 ahead, 1 behind" @param own, peer the same draws in the same order */
function countText(own: readonly WindowRises[], peer: readonly WindowRises[]): string {
  const { ahead, behind } = differenceOverDraws(own, peer);
  return behind > 0 ? `${ahead} ahead, ${behind} behind` : `${ahead} ahead`;
}

/** Mean times and the largest peak of some draws; nothing where no draw was measured. */
function averageSpent(rows: readonly DrawnRow[]): Spent | undefined {
  const known = rows.flatMap(({ spent }) => (spent === undefined ? [] : [spent]));
  if (known.length === 0) return undefined;
  return {
    seconds: mean(known.map(({ seconds }) => seconds)),
    processorSeconds: mean(known.map(({ processorSeconds }) => processorSeconds)),
    peakBytes: Math.max(...known.map(({ peakBytes }) => peakBytes)),
  };
}

/**
 * A line for each method and peer of a setting that was made with several draws of calibration text: what it loses, what it loses less
 * than the best peer on the same draws, and what it took.
 *
 * @param models rows by model
 */
export function drawsTable(models: Readonly<Record<string, readonly DrawnRow[]>>): string {
  const lines = Object.entries(models).flatMap(([model, all]) => {
    const rows = all.filter(({ mix }) => mix === "proportional");
    const drawsOf = (method: string): readonly DrawnRow[] => rowsOfMethod(rows, method).toSorted((a, b) => a.draw - b.draw);
    return settings.flatMap(({ title, rows: names }) => {
      const known = names.flatMap((method) => {
        const own = drawsOf(method);
        return own.length < fewestDraws ? [] : [{ method, own, losses: lossesOverDraws(own.map(({ rises }) => rises)) }];
      });
      const [best] = known
        .filter(({ method }) => peers[method] !== undefined)
        .sort((a, b) => a.losses.mean.value - b.losses.mean.value);
      return known.map(({ method, own, losses: { mean, range, worst } }) => [
        model,
        title,
        peers[method]?.title ?? methods[method]?.title ?? method,
        String(own.length),
        spread(mean),
        range.map(thousandths).join(" to "),
        `${worst.language} ${thousandths(worst.value)}`,
        best === undefined || peers[method] !== undefined ? "" : aheadText(own, best.own),
        ...spentCells(averageSpent(own)),
      ]);
    });
  });
  const head = ["model", "setting", "program", "draws", "mean of languages", "of single draws", "worst language"];
  return markdownTable([...head, "languages against the best peer", "processor time", "memory"], lines, 3);
}

const megabytes = (bytes: number | undefined): string => (bytes === undefined ? "" : `${(bytes / 1e6).toFixed(1)} MB`);

/** A line a model and type mix of GGUF: what llama-quantize and ours lose on the draws that both have. */
export function filesTable(models: Readonly<Record<string, readonly DrawnRow[]>>): string {
  const lines = Object.entries(models).flatMap(([model, rows]) =>
    comparedTypes.flatMap((type) => {
      const pairs = pairsOf(rowsOfMethod(rows, `gguf-${type}`), rowsOfMethod(rows, `llama-quantize-${type}`));
      const [first] = pairs;
      if (first === undefined) return [];
      const [own, theirs] = [pairs.map(({ row }) => row.rises), pairs.map(({ other }) => other.rises)];
      const [ourLoss, theirLoss] = [overDraws(own), overDraws(theirs)];
      const sizes = [megabytes(first.row.spent?.fileBytes), megabytes(first.other.spent?.fileBytes)];
      const losses = [spread(ourLoss), spread(theirLoss), (ourLoss.value / theirLoss.value).toFixed(2)];
      return [[model, type, String(pairs.length), ...sizes, ...losses, countText(own, theirs)]];
    }),
  );
  const head = [
    "model",
    "type",
    "draws",
    "our file",
    "its file",
    "`gptq`",
    "llama-quantize, our matrix",
    "of its loss",
    "languages",
  ];
  return markdownTable(head, lines, 2);
}

/** A line a model and block of floats: to nearest and with feedback, on the first draw. */
export function floatsTable(models: Readonly<Record<string, readonly DrawnRow[]>>): string {
  const lines = Object.entries(models).flatMap(([model, rows]) =>
    (methodGroups.floats ?? []).flatMap((method) =>
      rows
        .filter((row) => row.method === method && row.draw === 0)
        .map(({ rises, spent }) => {
          const { mean, worst } = lossesOverDraws([rises]);
          const cells = [
            model,
            allMethods[method]?.title ?? method,
            spread(mean),
            `${worst.language} ${thousandths(worst.value)}`,
          ];
          return [...cells, ...spentCells(spent)];
        }),
    ),
  );
  return markdownTable(["model", "method", "mean of languages", "worst language", "processor time", "memory"], lines, 2);
}

/** A line for each of some options with the proportional mix: what it loses, and the time. */
export function optionsTable(rows: readonly ComparedRow[], names: readonly string[], spent: ReadonlyMap<string, Spent>): string {
  const lines = names.flatMap((method) => {
    const row = rows.find((each) => each.method === method && each.mix === "proportional");
    if (row === undefined) return [];
    const { mean, weighted, worst } = row.losses;
    const took = spent.get(row.name);
    return [
      [
        gptqOptions[method]?.title ?? method,
        spread(mean),
        thousandths(weighted.value),
        `${worst.language} ${thousandths(worst.value)}`,
        took === undefined ? "" : took.processorSeconds.toFixed(0),
      ],
    ];
  });
  return markdownTable(["options", "mean of languages", "weighted by share", "worst language", "seconds"], lines);
}

/** How many languages a model is better or worse in, with intervals that exclude zero. */
export function countsText({ languages: found }: Losses): string {
  const better = [...found.values()].filter(({ interval }) => interval[1] < 0).length;
  const worse = [...found.values()].filter(({ interval }) => interval[0] > 0).length;
  return `${better} better, ${worse} worse`;
}

/** Two models on the same windows; negative: the first loses less. */
export interface Duel {
  readonly title: string;
  readonly first: string;
  readonly second: string;
  readonly losses: Losses;
}

export const duelsTable = (duels: readonly Duel[]): string =>
  markdownTable(
    ["method", "first", "second", "mean of languages", "weighted by share", "languages"],
    duels.map(({ title, first, second, losses }) => [
      title,
      first,
      second,
      natsText(losses.mean),
      natsText(losses.weighted),
      countsText(losses),
    ]),
    3,
  );

/** The pairs of mixes and of programs that the page compares, by names of rows. */
export function plannedDuels(rows: readonly ComparedRow[]): {
  readonly mixes: readonly Omit<Duel, "losses">[];
  readonly peers: readonly Omit<Duel, "losses">[];
} {
  const has = (name: string): boolean => rows.some((row) => row.name === name);
  const names = Object.keys(mixes);
  const pairs = [
    ["equal", "english"],
    ["proportional", "english"],
    ["equal", "proportional"],
  ] as const;
  const ofMixes = Object.entries(methods).flatMap(([method, { title }]) =>
    pairs.map(([first, second]) => ({ title, first: `${method} ${first}`, second: `${method} ${second}` })),
  );
  const ofPeers = Object.entries(peers).flatMap(([peer, { title, against }]) =>
    names.map((mix) => ({ title: `${title}, ${mixTitle(mix)}`, first: `${against} ${mix}`, second: `${peer} ${mix}` })),
  );
  const known = ({ first, second }: { readonly first: string; readonly second: string }): boolean => has(first) && has(second);
  return { mixes: ofMixes.filter(known), peers: ofPeers.filter(known) };
}

const correlation = ({ value, p }: { readonly value: number; readonly p: number }): string =>
  Number.isNaN(value) ? "–" : `${value < 0 ? "−" : ""}${Math.abs(value).toFixed(2)} (p ${p.toFixed(2)})`;

/** Share and distance against loss. @param matrices title → angles between languages */
export function tendenciesTable(rows: readonly ComparedRow[], matrices: ReadonlyMap<string, SimilarityMatrix>): string {
  const titles = [...matrices.keys()];
  const lines = rows
    .filter(({ method }) => methods[method] !== undefined && methods[method].withoutText === undefined)
    .map((row) => {
      const found = titles.map((title) => {
        const matrix = matrices.get(title);
        return matrix === undefined ? undefined : tendenciesOf(row, matrix);
      });
      const first = at(found, 0);
      return [
        methods[row.method]?.title ?? row.method,
        mixTitle(row.mix),
        first === undefined ? "" : correlation(first.share),
        ...found.map((each) => (each === undefined ? "" : correlation(each.angle))),
      ];
    });
  return markdownTable(["method", "calibration", "share", ...titles.map((title) => `angle, ${title}`)], lines, 2);
}
