/** A 95% interval; NaN where there are too few windows for one. */
type Interval = readonly [number, number];

/** One model in one language, or over several. */
export interface CardScore {
  readonly perplexity: number;
  readonly interval: Interval;
  /** Relative rise above the first model on the same windows: 0.05 is 5%. */
  readonly rise?: number;
  readonly riseInterval?: Interval;
  /** Which language it is of, where that differs by model: in the row of the worst. */
  readonly language?: string;
}

/** A line of the card's table of results. */
export interface CardRow {
  /** A language, or what the line sums up. */
  readonly label: string;
  /** By model; undefined where a model was not scored. */
  readonly scores: readonly (CardScore | undefined)[];
}

/** How far a model's distributions of the next token are from those of the first model, in one language. */
export interface CardDistance {
  readonly model: string;
  readonly language: string;
  /** Nats a token, mean. */
  readonly kl: number;
  readonly klInterval: Interval;
  /** Share of tokens for which both models take the same one for the most likely. */
  readonly agreement: number;
}

/** How many documents of a task, or of a group of tasks on average, a model answers right. */
export interface CardAnswers {
  readonly model: string;
  readonly task: string;
  readonly metric: string;
  /** From 0 to 1. */
  readonly value: number;
  readonly interval: Interval;
  /** What guessing gives; null for answers in text. */
  readonly chance: number | null;
  /** Less the first model's; absent for the first. */
  readonly difference?: number;
  readonly differenceInterval?: Interval;
  /** Share of answers that became wrong or right; absent for the first. */
  readonly flips?: number;
}

/** What `mbs evaluate` found, as a card shows it. */
export interface CardResults {
  /** The first is what the others are compared with. */
  readonly models: readonly string[];
  /** Which of the models the card is of; undefined where it is none of them. */
  readonly subject?: string | undefined;
  readonly languages: readonly CardRow[];
  readonly averages: readonly CardRow[];
  readonly distances: readonly CardDistance[];
  readonly tasks: readonly CardAnswers[];
  /** Content addresses of the corpora. */
  readonly corpora: readonly string[];
}

const shown = (interval: Interval, format: (bound: number) => string, of = "windows"): string =>
  Number.isNaN(interval[0]) ? `too few ${of}` : interval.map(format).join(" to ");

const percent = (share: number): string => `${share < 0 ? "" : "+"}${(share * 100).toFixed(2)}%`;

/** @param compared whether the model has a column for its rise too */
function cells(score: CardScore | undefined, compared: boolean): string[] {
  if (score === undefined) return compared ? ["–", "–"] : ["–"];
  const { perplexity, interval, rise, riseInterval, language } = score;
  const own = `${language === undefined ? "" : `${language} `}${perplexity.toFixed(2)} (${shown(interval, (bound) => bound.toFixed(2))})`;
  if (!compared) return [own];
  return [own, rise === undefined || riseInterval === undefined ? "–" : `${percent(rise)} (${shown(riseInterval, percent)})`];
}

/** The table of results: titles, and a row a language and average. */
export function resultTable({ models, languages, averages }: CardResults): { head: string[]; rows: string[][] } {
  return {
    head: ["language", ...models.flatMap((model, index) => (index === 0 ? [model] : [model, `rise of ${model}`]))],
    rows: [...languages, ...averages].map(({ label, scores }) => [
      label,
      ...scores.flatMap((score, index) => cells(score, index > 0)),
    ]),
  };
}

const share = (value: number): string => `${(value * 100).toFixed(1)}%`;

/** A difference of shares. */
const points = (difference: number): string => `${difference < 0 ? "" : "+"}${(difference * 100).toFixed(1)}`;

const unique = <Value>(values: Iterable<Value>): Value[] => [...new Set(values)];

/** A row a language, and of each compared model its distance from the first; no rows where none was measured. */
export function distanceTable({ distances }: CardResults): { head: string[]; rows: string[][] } {
  const models = unique(distances.map(({ model }) => model));
  return {
    head: ["language", ...models.flatMap((model) => [`KL of ${model}`, "same token"])],
    rows: unique(distances.map(({ language }) => language)).map((language) => [
      language,
      ...models.flatMap((model) => {
        const found = distances.find((one) => one.model === model && one.language === language);
        if (found === undefined) return ["–", "–"];
        return [`${found.kl.toFixed(4)} (${shown(found.klInterval, (bound) => bound.toFixed(4))})`, share(found.agreement)];
      }),
    ]),
  };
}

const rowOf = ({ task, metric }: CardAnswers): string => JSON.stringify([task, metric]);

/** A row a task and metric; no rows where none was answered. */
export function answerTable({ models, tasks }: CardResults): { head: string[]; rows: string[][] } {
  const titles = models.flatMap((model, index) => (index === 0 ? [model] : [model, `against ${models[0] ?? ""}`, "flips"]));
  return {
    head: ["task", "metric", "chance", ...titles],
    rows: unique(tasks.map(rowOf)).map((key) => {
      const own = tasks.filter((answers) => rowOf(answers) === key);
      const { task = "", metric = "", chance = null } = own[0] ?? {};
      const answerCells = models.flatMap((model, index) => {
        const found = own.find((answers) => answers.model === model);
        if (found === undefined) return index === 0 ? ["–"] : ["–", "–", "–"];
        const { value, interval, difference, differenceInterval, flips } = found;
        const right = `${share(value)} (${shown(interval, share, "documents")})`;
        if (index === 0) return [right];
        if (difference === undefined || differenceInterval === undefined || flips === undefined) return [right, "–", "–"];
        return [right, `${points(difference)} (${shown(differenceInterval, points, "documents")})`, share(flips)];
      });
      return [task, metric, chance === null ? "–" : share(chance), ...answerCells];
    }),
  };
}

/**
 * The results of the card's own model in the form that the Hub reads.
 *
 * @param name of the model
 * @returns undefined where it was not scored
 * @see https://huggingface.co/docs/hub/model-cards#evaluation-results
 */
export function modelIndex(
  { models, subject, languages, corpora, distances, tasks }: CardResults,
  name: string,
): object[] | undefined {
  const column = subject === undefined ? -1 : models.indexOf(subject);
  if (column < 0) return undefined;
  const results = languages.flatMap(({ label, scores }) => {
    const score = scores[column];
    if (score === undefined) return [];
    const dataset = {
      name: `held-out text (${label})`,
      type: "text",
      config: label,
      ...(corpora.length === 1 && { revision: corpora[0] }),
    };
    const distance = distances.find(({ model, language }) => model === subject && language === label);
    const metrics = [
      { type: "perplexity", value: Number(score.perplexity.toFixed(4)) },
      ...(distance
        ? [{ type: "kl-divergence", name: `KL divergence from ${models[0]}`, value: Number(distance.kl.toFixed(6)) }]
        : []),
    ];
    return [{ task: { type: "text-generation" }, dataset, metrics }];
  });
  const own = tasks.filter(({ model }) => model === subject);
  const answers = unique(own.map(({ task }) => task)).map((task) => ({
    task: { type: "text-generation" },
    dataset: { name: task, type: task },
    metrics: own
      .filter((one) => one.task === task)
      .map(({ metric, value }) => ({ type: metric, value: Number(value.toFixed(4)) })),
  }));
  return [{ name, results: [...results, ...answers] }];
}
