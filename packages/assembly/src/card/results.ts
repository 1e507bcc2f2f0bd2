import { groupBy } from "@mbs/contracts";
import { plainText, table } from "./markdown.ts";

/** A 95% interval; NaN where there are too few windows or documents for one. */
type Interval = readonly [number, number];

interface InLanguage {
  readonly model: string;
  readonly language: string;
}

interface InTask {
  readonly model: string;
  readonly task: string;
  readonly metric: string;
}

interface CardScore {
  readonly perplexity: number;
  readonly interval: Interval;
  /** Relative rise above the first model on the same windows: 0.05 is 5%. */
  readonly rise?: number | undefined;
  readonly riseInterval?: Interval | undefined;
}

interface CardAnswers {
  /** Share of right answers. */
  readonly value: number;
  readonly interval: Interval;
  /** What guessing gives; null for answers in text. */
  readonly chance: number | null;
  /** Against the first model; absent for the first. */
  readonly difference?: number | undefined;
  readonly differenceInterval?: Interval | undefined;
  /** Share of answers that became wrong or right. */
  readonly flips?: number | undefined;
}

/** What `mbs evaluate` found: the part of its report that a card shows, and what it is of. */
export interface CardResults {
  /** The first is what the others are compared with. */
  readonly models: readonly string[];
  /** Which of the models the card is of; undefined where it is none of them. */
  readonly subject: string | undefined;
  /** How models were compressed, by model, where it is known. */
  readonly methods: ReadonlyMap<string, string>;
  /** Content addresses of the texts. */
  readonly corpora: readonly string[];
  readonly results: readonly (InLanguage & CardScore)[];
  readonly pairs: readonly (InLanguage & { readonly rise: number; readonly interval: Interval })[];
  readonly averages: readonly {
    readonly model: string;
    readonly unweighted: CardScore;
    readonly weighted?: CardScore;
    readonly worst: { readonly language: string };
    readonly worstRise?: { readonly language: string };
  }[];
  /** How far distributions of the next token are from the first model's, nats a token, and how often both choose the same. */
  readonly distances: readonly (InLanguage & {
    readonly kl: number;
    readonly klInterval: Interval;
    readonly agreement: number;
  })[];
  readonly tasks: {
    readonly results: readonly (InTask & CardAnswers)[];
    readonly pairs: readonly (InTask & { readonly difference: number; readonly interval: Interval; readonly flips: number })[];
    readonly means: readonly (CardAnswers & { readonly model: string; readonly name: string; readonly of: string })[];
  };
}

const missing = "–";

/** A value with its interval in brackets: "8.17 (8.00 to 8.50)". */
const shown = (value: number, interval: Interval, format: (value: number) => string, of = "windows"): string =>
  `${format(value)} (${Number.isNaN(interval[0]) ? `too few ${of}` : interval.map(format).join(" to ")})`;

const signed = (value: number, digits: number): string => `${value < 0 ? "" : "+"}${(value * 100).toFixed(digits)}`;
const rise = (value: number): string => `${signed(value, 2)}%`;
const points = (value: number): string => signed(value, 1);
const share = (value: number): string => `${(value * 100).toFixed(1)}%`;

/** Cells of every model. The first has one column; others have it too, and what they are against the first. */
const ofModels = ({ models }: CardResults, cells: (model: string) => readonly string[]): readonly string[] =>
  models.flatMap((model, index) => (index === 0 ? cells(model).slice(0, 1) : cells(model)));

function scoreIn({ results, pairs }: CardResults, model: string, language: string): CardScore | undefined {
  const isIt = (one: InLanguage): boolean => one.model === model && one.language === language;
  const [score, pair] = [results.find(isIt), pairs.find(isIt)];
  return score && { ...score, rise: pair?.rise, riseInterval: pair?.interval };
}

/** @param prefix before the score: the language of the worst */
function scoreCells(score: CardScore | undefined, prefix = ""): string[] {
  if (score === undefined) return [missing, missing];
  const { perplexity, interval, rise: own, riseInterval } = score;
  return [
    `${prefix}${shown(perplexity, interval, (value) => value.toFixed(2))}`,
    own === undefined || riseInterval === undefined ? missing : shown(own, riseInterval, rise),
  ];
}

function perplexities(results: CardResults): string[] {
  const languages = [...new Set(results.results.map(({ language }) => language))];
  if (languages.length === 0) return [];
  const average = (model: string) => results.averages.find((one) => one.model === model);
  const rows: Readonly<Record<string, (model: string) => string[]>> = {
    "mean of languages": (model) => scoreCells(average(model)?.unweighted),
    "weighted by training share": (model) => scoreCells(average(model)?.weighted),
    // Of the first model the language of the highest perplexity, of others the one that rose most above it.
    "worst language": (model) => {
      const { language } = average(model)?.worstRise ?? average(model)?.worst ?? {};
      return language === undefined ? scoreCells(undefined) : scoreCells(scoreIn(results, model, language), `${language} `);
    },
  };
  const averages = Object.entries(rows).map(([label, cells]) => [label, ...ofModels(results, cells)]);
  const [reference, ...others] = results.models.map(plainText);
  const compared = others.length > 0;
  return [
    [
      "Perplexity of held-out text by language (lower is better), in brackets the 95% bootstrap interval over windows.",
      ...(compared ? [`Rises are above ${reference}, on the same windows.`] : []),
      `The worst language of ${reference} is the one with the highest perplexity${compared ? `, that of the others the one that rose most above ${reference}` : ""}; read it together with the averages.`,
    ].join(" "),
    table(
      ["language", ...ofModels(results, (model) => [model, `rise of ${model}`])],
      [
        ...languages.map((language) => [
          language,
          ...ofModels(results, (model) => scoreCells(scoreIn(results, model, language))),
        ]),
        ...averages.filter(([, ...cells]) => cells.some((cell) => cell !== missing)),
      ],
    ),
    `Texts: ${results.corpora.map((address) => `\`${address}\``).join(", ")}.`,
  ];
}

function distances({ distances: all, models }: CardResults): string[] {
  if (all.length === 0) return [];
  const compared = [...new Set(all.map(({ model }) => model))];
  const cells = (model: string, language: string): string[] => {
    const found = all.find((one) => one.model === model && one.language === language);
    return found ? [shown(found.kl, found.klInterval, (value) => value.toFixed(4)), share(found.agreement)] : [missing, missing];
  };
  return [
    `KL divergence of the next token's distribution from that of ${plainText(models[0] ?? "")}, nats a token, and how often both take the same token for the most likely.`,
    table(
      ["language", ...compared.flatMap((model) => [`KL of ${model}`, "same token"])],
      [...new Set(all.map(({ language }) => language))].map((language) => [
        language,
        ...compared.flatMap((model) => cells(model, language)),
      ]),
    ),
  ];
}

/** Right answers to each task, by each of its metrics, and to groups of tasks on average. */
const answersOf = ({ results, pairs, means }: CardResults["tasks"]): (InTask & CardAnswers)[] => [
  ...results.map((result) => {
    const pair = pairs.find(
      ({ model, task, metric }) => model === result.model && task === result.task && metric === result.metric,
    );
    return { ...result, difference: pair?.difference, differenceInterval: pair?.interval, flips: pair?.flips };
  }),
  ...means.filter(({ of }) => of === "group").map((mean) => ({ ...mean, task: mean.name, metric: "mean" })),
];

function answerCells(answers: CardAnswers | undefined): string[] {
  if (answers === undefined) return [missing, missing, missing];
  const { value, interval, difference, differenceInterval, flips } = answers;
  const right = shown(value, interval, share, "documents");
  return difference === undefined || differenceInterval === undefined || flips === undefined
    ? [right, missing, missing]
    : [right, shown(difference, differenceInterval, points, "documents"), share(flips)];
}

function answers(results: CardResults): string[] {
  const rows = [...groupBy(answersOf(results.tasks), ({ task, metric }) => JSON.stringify([task, metric])).values()];
  if (rows.length === 0) return [];
  return [
    "Right answers to tasks, in brackets the 95% bootstrap interval over documents; chance is what guessing gives, differences are in points, flips are answers that became wrong or right.",
    table(
      ["task", "metric", "chance", ...ofModels(results, (model) => [model, `against ${results.models[0]}`, "flips"])],
      rows.map((own) => {
        const [{ task, metric, chance }] = own;
        const cells = ofModels(results, (model) => answerCells(own.find((one) => one.model === model)));
        return [task, metric, chance === null ? missing : share(chance), ...cells];
      }),
    ),
  ];
}

/** What each model is, by its name in the tables: the one compared with, the card's own, and how others were compressed. */
function roles({ models, subject, methods }: CardResults): string[] {
  const roleOf = (model: string, index: number): string | undefined => {
    if (index === 0) return "the model that the others are compared with";
    return model === subject ? "the one in this folder" : methods.get(model);
  };
  const known = models.flatMap((model, index) => {
    const role = roleOf(model, index);
    return role === undefined ? [] : [plainText(`${model}, ${role}`)];
  });
  return models.length < 2 ? [] : [`Models: ${known.join("; ")}.`];
}

/** Perplexities, distances and right answers to tasks: paragraphs and tables. */
export const resultBlocks = (results: CardResults): string[] => [
  ...roles(results),
  ...perplexities(results),
  ...distances(results),
  ...answers(results),
  ...(results.subject === undefined ? ["None of the models is the one in this folder."] : []),
];

/**
 * The results of the card's own model in the form that the Hub reads.
 *
 * @param name of the model
 * @returns undefined where it was not scored
 * @see https://huggingface.co/docs/hub/model-cards#evaluation-results
 */
export function modelIndex(card: CardResults, name: string): object[] | undefined {
  const { models, subject, corpora } = card;
  if (subject === undefined) return undefined;
  const isOwn = ({ model }: { readonly model: string }): boolean => model === subject;
  const texts = card.results.filter(isOwn).map(({ language, perplexity }) => {
    const revision = corpora.length === 1 ? { revision: corpora[0] } : {};
    const distance = card.distances.filter(isOwn).find((one) => one.language === language);
    return {
      task: { type: "text-generation" },
      dataset: { name: `held-out text (${language})`, type: "text", config: language, ...revision },
      metrics: [
        { type: "perplexity", value: Number(perplexity.toFixed(4)) },
        ...(distance
          ? [{ type: "kl-divergence", name: `KL divergence from ${models[0]}`, value: Number(distance.kl.toFixed(6)) }]
          : []),
      ],
    };
  });
  const tasks = [...groupBy(answersOf(card.tasks).filter(isOwn), (one) => one.task)].map(([of, own]) => ({
    task: { type: "text-generation" },
    dataset: { name: of, type: of },
    metrics: own.map(({ metric, value }) => ({ type: metric, value: Number(value.toFixed(4)) })),
  }));
  return [{ name, results: [...texts, ...tasks] }];
}
