import { resolve } from "node:path";
import { BadDataError, FailedPreconditionError, quoted } from "@mbs/contracts";
import type { ResolvedTask } from "../catalogue/resolve-tasks.ts";
import type { RowFunction, RowsFunction } from "../helpers/helper-file.ts";
import type { Helpers } from "../helpers/helpers.ts";
import { print } from "../python/print.ts";
import { Float, type PythonValue } from "../python/values.ts";
import type { Template } from "../template/template.ts";
import { FunctionReference } from "../yaml/function-reference.ts";
import { asSettings, type Settings, type YamlValue } from "../yaml/read-yaml.ts";
import { fewShotKeys, refusedKeys, taskKeys } from "./known-keys.ts";

/** How a text, a target or the choices of a row are found: a fixed value, a column or template, or a helper. */
export type Field =
  | { readonly kind: "fixed"; readonly value: PythonValue }
  | { readonly kind: "template"; readonly template: Template }
  | { readonly kind: "helper"; readonly call: RowFunction };

export interface FewShotSettings {
  readonly sampler: "default" | "first_n";
  readonly split: string | undefined;
  readonly samples: readonly PythonValue[] | undefined;
  readonly processRows: RowsFunction | undefined;
  readonly text: Field;
  readonly target: Field;
  readonly choices: Field | undefined;
  readonly prefix: Field | undefined;
  readonly targetDelimiter: string;
  readonly delimiter: string;
}

export interface TaskSettings {
  readonly name: string;
  readonly outputType: "multiple_choice" | "generate_until";
  readonly datasetPath: string;
  readonly datasetName: string | undefined;
  /** Of a split; undefined where the dataset has its own. */
  readonly files: (split: string) => readonly string[] | undefined;
  readonly trainingSplit: string | undefined;
  readonly validationSplit: string | undefined;
  readonly testSplit: string | undefined;
  readonly processRows: RowsFunction | undefined;
  readonly text: Field;
  readonly target: Field;
  readonly choices: Field | undefined;
  readonly description: Field | undefined;
  readonly prefix: Field | undefined;
  readonly targetDelimiter: string;
  readonly fewShot: FewShotSettings;
  readonly fewShotCount: number | undefined;
  readonly metadata: Settings;
}

export interface SettingsContext {
  readonly helpers: Helpers;
  readonly readTemplate: (source: string, about: string) => Template;
}

/**
 * What the settings of a task say about its rows and prompts.
 *
 * @throws {FailedPreconditionError} naming the task and what of it this program does not have
 * @throws {BadDataError} naming the setting that is missing or of the wrong kind
 */
export async function parseTaskSettings(
  { name, settings, folder }: ResolvedTask,
  context: SettingsContext,
): Promise<TaskSettings> {
  refuseKeys(name, settings);
  const reader = new SettingReader(name, settings, context);
  const outputType = settings.get("output_type") ?? "generate_until";
  if (outputType !== "multiple_choice" && outputType !== "generate_until") {
    throw new FailedPreconditionError(
      `the task ${name} has the output type ${quoted(outputType)}; there are multiple_choice and generate_until`,
    );
  }
  const text = await reader.field("doc_to_text");
  const target = await reader.field("doc_to_target");
  if (text === undefined || target === undefined)
    throw new BadDataError(`the task ${name} has no ${text === undefined ? "doc_to_text" : "doc_to_target"}; add it`);
  const choices = await reader.field("doc_to_choice");
  const metadata = settings.get("metadata");
  const shared = {
    targetDelimiter: reader.text("target_delimiter") ?? " ",
    prefix: await reader.field("gen_prefix"),
    processRows: await reader.rowsFunction("process_docs"),
  };
  const count = settings.get("num_fewshot") ?? undefined;
  if (count !== undefined && (typeof count !== "number" || count < 0))
    throw new BadDataError(`num_fewshot of the task ${name} is ${quoted(count)}; it has to be 0 or more`);
  return {
    ...shared,
    name,
    outputType,
    ...datasetOf(name, settings, folder),
    trainingSplit: reader.text("training_split"),
    validationSplit: reader.text("validation_split"),
    testSplit: reader.text("test_split"),
    text,
    target,
    choices,
    description: await reader.field("description"),
    fewShot: await parseFewShot(reader, settings, context, {
      ...shared,
      text,
      target,
      choices,
      delimiter: reader.text("fewshot_delimiter") ?? "\n\n",
    }),
    fewShotCount: count,
    metadata: metadata instanceof Map ? asSettings(metadata, `metadata of the task ${name}`) : new Map(),
  };
}

function refuseKeys(name: string, settings: Settings): void {
  for (const [key, value] of settings) {
    const reason = refusedKeys.get(key);
    if (reason !== undefined && value !== null && value !== false) {
      throw new FailedPreconditionError(
        `the task ${name} ${reason} (${key}: ${value instanceof FunctionReference ? value.toString() : quoted(value)}); leave it out`,
        { task: name },
      );
    }
    if (!taskKeys.has(key) && reason === undefined)
      throw new BadDataError(`the task ${name} has the setting ${quoted(key)}, which there is not; correct or remove it`, {
        task: name,
      });
  }
}

async function parseFewShot(
  reader: SettingReader,
  settings: Settings,
  context: SettingsContext,
  inherited: Omit<FewShotSettings, "sampler" | "split" | "samples">,
): Promise<FewShotSettings> {
  const value = settings.get("fewshot_config") ?? new Map();
  const about = `fewshot_config of the task ${reader.task}`;
  const own = asSettings(value, about);
  for (const key of own.keys())
    if (!fewShotKeys.has(key))
      throw new BadDataError(`${about} has the setting ${quoted(key)}, which there is not; correct or remove it`);
  const sampler = own.get("sampler") ?? "default";
  if (sampler !== "default" && sampler !== "first_n") {
    throw new FailedPreconditionError(
      `${about} has the sampler ${sampler instanceof FunctionReference ? sampler.toString() : quoted(sampler)}; there are default and first_n`,
    );
  }
  const samples = own.get("samples") ?? undefined;
  if (samples instanceof FunctionReference)
    throw new FailedPreconditionError(`${about} makes its samples in Python (${samples.toString()}); list them in the file`);
  if (samples !== undefined && !Array.isArray(samples)) throw new BadDataError(`${about}: samples has to be a list of rows`);
  const inner = new SettingReader(reader.task, own, context, "fewshot_config.");
  return {
    sampler,
    split: (own.has("split") ? inner.text("split") : reader.text("fewshot_split")) ?? undefined,
    samples: samples?.map((sample) => withoutFunctions(sample, about)),
    processRows: own.has("process_docs") ? await inner.rowsFunction("process_docs") : inherited.processRows,
    text: (await inner.field("doc_to_text")) ?? inherited.text,
    target: (await inner.field("doc_to_target")) ?? inherited.target,
    choices: own.has("doc_to_choice") ? await inner.field("doc_to_choice") : inherited.choices,
    prefix: own.has("gen_prefix") ? await inner.field("gen_prefix") : inherited.prefix,
    targetDelimiter: inner.text("target_delimiter") ?? inherited.targetDelimiter,
    delimiter: inner.text("fewshot_delimiter") ?? inherited.delimiter,
  };
}

function datasetOf(
  name: string,
  settings: Settings,
  folder: string,
): Pick<TaskSettings, "datasetPath" | "datasetName" | "files"> {
  const path = settings.get("dataset_path");
  if (typeof path !== "string" || path === "")
    throw new BadDataError(`the task ${name} has no dataset_path; name a dataset of the Hub, or "json" with files`, {
      task: name,
    });
  const datasetName = settings.get("dataset_name") ?? undefined;
  const options = settings.get("dataset_kwargs") ?? new Map();
  const about = `dataset_kwargs of the task ${name}`;
  for (const key of asSettings(options, about).keys()) {
    if (key === "trust_remote_code" || key === "data_files") continue;
    throw new FailedPreconditionError(`${about} has ${quoted(key)}; there is data_files`, { task: name });
  }
  const files = asSettings(options, about).get("data_files") ?? undefined;
  return {
    datasetPath: path,
    datasetName: datasetName === undefined ? undefined : print(withoutFunctions(datasetName, `dataset_name of the task ${name}`)),
    files: (split) => {
      const found = files instanceof Map ? files.get(split) : split === "train" ? files : undefined;
      if (files === undefined) return undefined;
      if (found === undefined)
        throw new BadDataError(`${about} names no data_files for the split ${split}; add them`, { task: name });
      return (Array.isArray(found) ? found : [found]).map((file) => {
        if (typeof file !== "string") throw new BadDataError(`${about}: data_files has to name files`, { task: name });
        return resolve(folder, file);
      });
    },
  };
}

/** A value of a file as templates take it. */
export function withoutFunctions(value: YamlValue, about: string): PythonValue {
  if (value instanceof FunctionReference)
    throw new FailedPreconditionError(`${about} names the Python function ${value.toString()}; write the value`);
  if (Array.isArray(value)) return value.map((item) => withoutFunctions(item, about));
  if (value instanceof Map)
    return new Map(Array.from(value, ([key, item]) => [withoutFunctions(key, about), withoutFunctions(item, about)]));
  return value;
}

/** Reads settings of one mapping, and names them in errors. */
class SettingReader {
  readonly task: string;
  readonly #settings: Settings;
  readonly #context: SettingsContext;
  readonly #prefix: string;

  constructor(task: string, settings: Settings, context: SettingsContext, prefix = "") {
    this.task = task;
    this.#settings = settings;
    this.#context = context;
    this.#prefix = prefix;
  }

  #about(key: string): string {
    return `${this.#prefix}${key} of the task ${this.task}`;
  }

  text(key: string): string | undefined {
    const value = this.#settings.get(key) ?? undefined;
    if (value !== undefined && typeof value !== "string")
      throw new BadDataError(`${this.#about(key)} is no text; quote it`, { task: this.task });
    return value;
  }

  async rowsFunction(key: string): Promise<RowsFunction | undefined> {
    const value = this.#settings.get(key) ?? undefined;
    if (value === undefined) return undefined;
    if (!(value instanceof FunctionReference))
      throw new BadDataError(`${this.#about(key)} has to be a !function`, { task: this.task });
    return this.#context.helpers.rowsFunction(value, this.task);
  }

  async field(key: string): Promise<Field | undefined> {
    const value = this.#settings.get(key) ?? undefined;
    if (value === undefined) return undefined;
    if (value instanceof FunctionReference)
      return { kind: "helper", call: await this.#context.helpers.rowFunction(value, this.task) };
    if (typeof value === "string") return { kind: "template", template: this.#context.readTemplate(value, this.#about(key)) };
    if (value instanceof Float)
      throw new BadDataError(`${this.#about(key)} is a fraction; it has to be a text, a whole number or a list`, {
        task: this.task,
      });
    const fixed = withoutFunctions(value, this.#about(key));
    return { kind: "fixed", value: fixed instanceof Map ? [...fixed.values()] : fixed };
  }
}
