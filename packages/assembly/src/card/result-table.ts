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

/** What `mbs evaluate` found, as a card shows it. */
export interface CardResults {
  /** The first is what the others are compared with. */
  readonly models: readonly string[];
  /** Which of the models the card is of; undefined where it is none of them. */
  readonly subject?: string | undefined;
  readonly languages: readonly CardRow[];
  readonly averages: readonly CardRow[];
  /** Content addresses of the corpora. */
  readonly corpora: readonly string[];
}

const shown = (interval: Interval, format: (bound: number) => string): string =>
  Number.isNaN(interval[0]) ? "too few windows" : interval.map(format).join(" to ");

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

/**
 * The results of the card's own model in the form that the Hub reads.
 *
 * @param name of the model
 * @returns undefined where it was not scored
 * @see https://huggingface.co/docs/hub/model-cards#evaluation-results
 */
export function modelIndex({ models, subject, languages, corpora }: CardResults, name: string): object[] | undefined {
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
    const metrics = [{ type: "perplexity", value: Number(score.perplexity.toFixed(4)) }];
    return [{ task: { type: "text-generation" }, dataset, metrics }];
  });
  return [{ name, results }];
}
