import { BadDataError } from "@mbs/contracts";
import type { AnswerFilter } from "./answers/filters.ts";
import type { GenerationLimits } from "./answers/generation-limits.ts";
import type { TaskMetrics } from "./configuration/metrics.ts";
import type { TaskSettings } from "./configuration/task-settings.ts";
import type { RowsFunction } from "./helpers/helper-file.ts";
import { createFirstSampler, createRandomSampler, type Sampler } from "./few-shot/sampler.ts";
import { inPlace, RowFields } from "./prompts/row-fields.ts";
import { PromptWriter } from "./prompts/prompt-writer.ts";
import { fromJson, type PythonValue, type Row } from "./python/values.ts";
import type { GenerationDocument, ReadTaskRows, Task, TaskDocument, TaskMetric, TaskRow } from "./task.ts";

export interface TaskParts {
  readonly settings: TaskSettings;
  readonly metrics: TaskMetrics;
  readonly filter: AnswerFilter;
  readonly limits: GenerationLimits;
  readonly fewShot: number;
  readonly seed: number;
  readonly version: string;
  readonly language: string | undefined;
}

/** A task that was read from its files. */
export class EvaluationTask implements Task {
  readonly #parts: TaskParts;

  constructor(parts: TaskParts) {
    this.#parts = parts;
  }

  get name(): string {
    return this.#parts.settings.name;
  }
  get version(): string {
    return this.#parts.version;
  }
  get language(): string | undefined {
    return this.#parts.language;
  }
  get metrics(): readonly TaskMetric[] {
    return this.#parts.metrics.metrics;
  }
  get fewShot(): number {
    return this.#parts.fewShot;
  }

  async documents(readRows: ReadTaskRows, limit?: number): Promise<readonly TaskDocument[]> {
    const { settings, fewShot, metrics, limits } = this.#parts;
    const split = settings.testSplit ?? settings.validationSplit;
    if (split === undefined)
      throw new BadDataError(`task ${this.name} has neither test_split nor validation_split; name one`, { task: this.name });
    const splits = new Map<string, Promise<readonly Row[]>>();
    const read = (name: string): Promise<readonly Row[]> => {
      const known = splits.get(name) ?? this.#readSplit(name, readRows);
      splits.set(name, known);
      return known;
    };
    const rows = this.#process(await read(split), settings.processRows, split);
    const [first] = rows;
    if (first === undefined)
      throw new BadDataError(`task ${this.name}: no row of the split ${split} belongs to it; check the dataset`, {
        task: this.name,
        split,
      });
    const writer = new PromptWriter(
      settings,
      new RowFields(new Set(first.keys()), settings.choices !== undefined),
      fewShot > 0 ? await this.#sampler(read) : () => [],
      {
        fewShot,
        limits: { until: limits.until, maximumTokens: limits.maximumTokens },
        withUnconditional: metrics.metrics.includes("acc_mutual_info"),
        // As in lm-evaluation-harness, also where there is neither: then examples are of the training split.
        excludesDocument: settings.fewShot.split === settings.testSplit,
      },
      first,
    );
    return rows.slice(0, limit).map((row, index) => writer.write(row, index));
  }

  async #readSplit(split: string, readRows: ReadTaskRows): Promise<readonly Row[]> {
    const { datasetPath, datasetName, files } = this.#parts.settings;
    const named = files(split);
    const rows = await readRows({
      path: datasetPath,
      split,
      ...(datasetName === undefined ? {} : { name: datasetName }),
      ...(named === undefined ? {} : { files: named }),
    });
    return alignRows(rows);
  }

  #process(rows: readonly Row[], process: RowsFunction | undefined, split: string): readonly Row[] {
    return process === undefined
      ? rows
      : inPlace({ task: this.name, row: `split ${split}` }, "process_docs", () => process(rows));
  }

  async #sampler(read: (split: string) => Promise<readonly Row[]>): Promise<Sampler> {
    const examples = await this.#examples(read);
    return this.#parts.settings.fewShot.sampler === "first_n"
      ? createFirstSampler(examples)
      : createRandomSampler(examples, this.#parts.seed);
  }

  async #examples(read: (split: string) => Promise<readonly Row[]>): Promise<readonly Row[]> {
    const { fewShot, trainingSplit, validationSplit, testSplit, processRows } = this.#parts.settings;
    if (fewShot.split !== undefined) return this.#process(await read(fewShot.split), fewShot.processRows, fewShot.split);
    if (fewShot.samples !== undefined) return fewShot.samples.map((sample) => sampleRow(sample, this.name));
    const split = trainingSplit ?? validationSplit ?? testSplit ?? "";
    return this.#process(await read(split), processRows, split);
  }

  judge(document: GenerationDocument, answer: string): number {
    const place = { task: this.name, row: `row ${document.document}` };
    const filtered = inPlace(place, "filter_list", () => this.#parts.filter(answer));
    return inPlace(place, "metric_list", () => this.#parts.metrics.judge(filtered, document.targets));
  }
}

function sampleRow(sample: PythonValue, task: string): Row {
  if (sample instanceof Map) return sample as Map<string, PythonValue>;
  throw new BadDataError(`fewshot_config of the task ${task}: samples has an item that is no row (column: value); correct it`, {
    task,
  });
}

/** Rows with the same columns: None where one lacks what another has, as tables have it. */
function alignRows(rows: readonly TaskRow[]): Row[] {
  const columns = new Set<string>();
  for (const row of rows) for (const column of Object.keys(row)) columns.add(column);
  return rows.map((row) => new Map(Array.from(columns, (column) => [column, fromJson(row[column])])));
}
