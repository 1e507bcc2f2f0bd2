/** A row of a dataset: its columns by name, as JSON has them. */
export type TaskRow = Readonly<Record<string, unknown>>;

/** Where the rows of a task come from. */
export interface TaskDataset {
  /** Name of a dataset on the Hub (`facebook/belebele`), or `json` or `parquet` for `files`. */
  readonly path: string;
  /** Configuration of the dataset: `hin_Deva`. */
  readonly name?: string;
  readonly split: string;
  /** Absolute paths of local files, where the task names them itself: relative ones start at the folder of its file. */
  readonly files?: readonly string[];
}

/** Reads all rows of a split, in order. Tasks call it once a split and hold no rows of their own. */
export type ReadTaskRows = (dataset: TaskDataset) => Promise<readonly TaskRow[]>;

/** Metrics of choices, by the names of lm-evaluation-harness; `acc_tokens` is ours: by log-likelihood a token. */
export const choiceMetrics = ["acc", "acc_norm", "acc_bytes", "acc_mutual_info", "acc_tokens"] as const;

/** All metrics: those of choices, and that of answers in text. */
export const taskMetrics = [...choiceMetrics, "exact_match"] as const;

/** What a task measures. */
export type TaskMetric = (typeof taskMetrics)[number];

/** A text whose log-likelihood is wanted, given the text before it. */
export interface ScoredText {
  /** "" where nothing precedes it: a model then reads its beginning-of-sequence token. */
  readonly context: string;
  readonly continuation: string;
}

/** One choice of a multiple-choice document, or one sentence of a minimal pair. */
export interface Choice extends ScoredText {
  /** Of the choice as the task names it, without what is put before it: what `acc_norm` divides by. In Unicode code points. */
  readonly characters: number;
  /** The same in UTF-8 bytes: what `acc_bytes` divides by. */
  readonly bytes: number;
  /** The choice without its context, where `acc_mutual_info` is measured. */
  readonly unconditional?: ScoredText;
}

/** A document that is answered by the choice with the largest log-likelihood. */
export interface ChoiceDocument {
  readonly kind: "choices";
  /** Number in the evaluated split, after the task's own filter: 0, 1, … */
  readonly document: number;
  readonly choices: readonly Choice[];
  /** Indices of the right choices: mostly one. */
  readonly gold: readonly number[];
}

/** A document that is answered by text. */
export interface GenerationDocument {
  readonly kind: "generation";
  readonly document: number;
  readonly context: string;
  /** Texts that end the answer. */
  readonly until: readonly string[];
  readonly maximumTokens: number;
  /** Any of them is right. */
  readonly targets: readonly string[];
}

export type TaskDocument = ChoiceDocument | GenerationDocument;

/** A task that can be scored: its prompts are those of lm-evaluation-harness. */
export interface Task {
  readonly name: string;
  /** `metadata.version`; "" where there is none. */
  readonly version: string;
  /** BCP 47, from `metadata.language` or the dataset's configuration (`hin_Deva` → `hi`); undefined where neither tells. */
  readonly language: string | undefined;
  readonly metrics: readonly TaskMetric[];
  /** Examples before each question. */
  readonly fewShot: number;
  /**
   * The documents of the evaluated split, rendered: at least one.
   *
   * @param limit the first so many rows only, at least 1
   * @throws {BadDataError} naming task, row and column where a row does not have what a template needs, or there is no row
   */
  documents(readRows: ReadTaskRows, limit?: number): Promise<readonly TaskDocument[]>;
  /**
   * Judges an answer in text.
   *
   * @param answer as the model wrote it; the task's filters are applied first
   * @returns 1 where it is right, else 0
   */
  judge(document: GenerationDocument, answer: string): number;
}

/** Tasks whose mean is shown as one figure. */
export interface TaskGroup {
  readonly name: string;
  /** Names of its tasks; groups in it are resolved. */
  readonly tasks: readonly string[];
  /** Whether a task counts by its number of documents (true) or all tasks the same. */
  readonly weightBySize: boolean;
}

export interface TaskSet {
  readonly tasks: readonly Task[];
  readonly groups: readonly TaskGroup[];
}

export interface OpenTasksOptions {
  /** Folders or files of tasks: a copy of lm-evaluation-harness' `lm_eval/tasks`, or your own. */
  readonly paths: readonly string[];
  /** Examples before each question, instead of the tasks' own numbers. */
  readonly fewShot?: number;
  /** Of the choice of examples; lm-evaluation-harness' default is 1234. */
  readonly fewShotSeed?: number;
  readonly warn?: (message: string) => void;
}
