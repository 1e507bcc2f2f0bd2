import { assemble, formatNames } from "@mbs/assembly";
import {
  bitsAWeight,
  counted,
  createObjectPool,
  FailedPreconditionError,
  formatBytes,
  sizeAgainst,
  sizeFrom,
  totalBytes,
  UsageError,
} from "@mbs/contracts";
import type { Progress } from "@mbs/contracts";
import { isGguf, modelSize, openModel, requireDense } from "@mbs/models";
import type { Model } from "@mbs/models";
import { formatTable, wrapLines } from "@mbs/reporting";
import { solvers } from "@mbs/solvers";
import { readSource, requireSourceBits, requireTextLosses } from "../shrink/shrink-source.ts";
import type { ShrinkSource } from "../shrink/shrink-source.ts";
import { shrinkSizes } from "../shrink/target.ts";
import type { ShrinkSizes } from "../shrink/target.ts";

/** Tensors of a kind, with what solvers do with them. */
interface ModelPart {
  readonly name: string;
  readonly tensors: number;
  readonly parameters: number;
  /** As stored; absent where values are in blocks, which are counted by tensors of the file. */
  readonly bytes?: number;
}

/** Whether something works with a model, and why not. */
interface Support {
  readonly name: string;
  /** Absent where it works. */
  readonly problem?: string;
}

/** A tensor as it is stored. */
export interface ShownTensor {
  readonly name: string;
  readonly type: string;
  /** Rows before columns. */
  readonly shape: readonly number[];
  readonly bytes: number;
}

/** What is known of a model. */
export interface ModelInspection {
  readonly path: string;
  readonly type: string;
  /** "a language model", "an encoder", "an encoder-decoder", "an ONNX graph". */
  readonly kind: string;
  readonly address: string;
  readonly bytes: number;
  readonly parameters: number;
  readonly dtype: string;
  readonly blocks: number;
  readonly width: number;
  readonly vocabulary: number;
  /** Tokens; absent where positions have no limit. */
  readonly context?: number | undefined;
  /** Name of the training mixture, where one is known. */
  readonly mixture?: string;
  readonly languages: readonly string[];
  readonly parts: readonly ModelPart[];
  /** What `mbs shrink` makes of it, or why it makes nothing. */
  readonly shrink: ShrinkSizes | { readonly problem: string };
  readonly formats: readonly Support[];
  readonly solvers: readonly Support[];
  readonly tensors: readonly ShownTensor[];
}

const kindOf = ({ kind, stacks }: Model): string =>
  kind === "graph" ? "an ONNX graph" : stacks === "decoder" ? "a language model" : `an ${stacks}`;

const namesOf = (sites: Model["blocks"][number]["sites"]): string[] =>
  sites.flatMap(({ weights }) => weights.map(({ tensor }) => tensor));

function partsOf({ path, blocks, embeddings, checkpoint }: Model): ModelPart[] {
  const ofBlocks = new Set(blocks.flatMap(({ sites }) => namesOf(sites)));
  const tables = new Set(namesOf(embeddings?.sites ?? []));
  const all = checkpoint.list();
  const part = (name: string, isIn: (tensor: string) => boolean): ModelPart => {
    const own = all.filter((tensor) => isIn(tensor.name));
    const parameters = own.reduce((sum, { shape }) => sum + shape.reduce((product, side) => product * side, 1), 0);
    return { name, tensors: own.length, parameters, ...(!isGguf(path) && { bytes: totalBytes(own) }) };
  };
  return [
    part("weights of blocks, which solvers change", (name) => ofBlocks.has(name)),
    part("embedding and head, with --embeddings", (name) => tables.has(name)),
    part("all others, which stay as they are", (name) => !ofBlocks.has(name) && !tables.has(name)),
  ].filter(({ tensors }) => tensors > 0);
}

/** What refuses something of a model, without its path; undefined where nothing does. */
async function problemOf(path: string, check: () => Promise<unknown>): Promise<string | undefined> {
  try {
    await check();
    return undefined;
  } catch (error) {
    if (error instanceof FailedPreconditionError || error instanceof UsageError) {
      return error.message.replace(`${path}: `, "").replace(path, "it");
    }
    throw error;
  }
}

/** What `mbs shrink` makes of a model. */
async function shrinkOf(model: Model, source: ShrinkSource, packed: string | undefined): Promise<ModelInspection["shrink"]> {
  let sizes: ShrinkSizes | undefined;
  const problem =
    packed ??
    (await problemOf(model.path, async () => {
      requireTextLosses(model);
      requireSourceBits(source);
      sizes = await shrinkSizes(model);
    }));
  return sizes ?? { problem: problem ?? "" };
}

/** Which formats hold the model: as 4-bit codes, or in GGUF's own types. */
async function formatsOf({ path }: Model): Promise<Support[]> {
  const grid = { kind: "groups", bits: 4, groupSize: 128, zeroPoints: "middle" } as const;
  // one after the other, so that the model is opened once
  const pool = createObjectPool();
  const formats: Support[] = [];
  try {
    for (const name of formatNames) {
      const form = name === "gguf" ? ({ kind: "blocks", type: "Q4_K" } as const) : { grid, scattered: false };
      const problem = await problemOf(path, async () =>
        assemble.checkPlan?.({ model: path, format: name }, { solver: "gptq", codes: form }, pool),
      );
      formats.push({ name, ...(problem !== undefined && { problem }) });
    }
  } finally {
    await pool.close();
  }
  return formats;
}

/**
 * Describes a model: what it is, what it consists of, and what can be made of it.
 *
 * @param path of a folder or GGUF file, or `hf:org/name`
 * @param progress called while a large model is read for its address
 * @throws as `openModel`, on what is not read
 */
export async function inspectModel(path: string, progress: (progress: Progress) => void = () => {}): Promise<ModelInspection> {
  const model = await openModel(path, { progress });
  try {
    const source = await readSource(model, path);
    const { mixture, languages } = source;
    const packed = await problemOf(model.path, async () => requireDense(model));
    return {
      path: model.path,
      type: model.architecture,
      kind: kindOf(model),
      address: model.address,
      ...(await modelSize(model)),
      dtype: model.dtype,
      blocks: model.blocks.length,
      width: model.hiddenSize,
      vocabulary: model.vocabularySize,
      context: model.contextLength,
      ...(mixture && { mixture: mixture.distribution.name }),
      languages: mixture === undefined ? languages : [...mixture.distribution.shares.keys()],
      parts: partsOf(model),
      formats: packed === undefined ? await formatsOf(model) : formatNames.map((name) => ({ name, problem: packed })),
      solvers: [...solvers.keys()].map((name) => ({ name, ...(packed !== undefined && { problem: packed }) })),
      shrink: await shrinkOf(model, source, packed),
      tensors: model.checkpoint.list().map(({ name, storedDtype: type, shape, bytes }) => ({ name, type, shape, bytes })),
    };
  } finally {
    await model.close();
  }
}

const millions = (count: number): string => (count < 1e6 ? String(count) : `${(count / 1e6).toFixed(1)} million`);

/** What works in one line, and a line for each that does not. */
function supportLines(title: string, all: readonly Support[]): string[] {
  const working = all.filter(({ problem }) => problem === undefined).map(({ name }) => name);
  const line = `${title.padEnd(11)}${working.length === 0 ? "none" : working.join(", ")}`;
  // one reason for all is said once
  const problems = new Map<string, string[]>();
  for (const { name, problem } of all) {
    if (problem !== undefined) problems.set(problem, [...(problems.get(problem) ?? []), name]);
  }
  return [
    line,
    ...[...problems].flatMap(([problem, names]) => wrapLines(`${names.join(", ")}: ${problem}`, "  not      ", " ".repeat(11))),
  ];
}

/** A line, or several, of what a name stands for. */
export const factLines = (name: string, text: string): string[] => wrapLines(text, name.padEnd(11), " ".repeat(11));

/** What `mbs shrink` makes: the smallest first. @param bytes of the model */
function shrinkLines(shrink: ModelInspection["shrink"], bytes: number): string[] {
  if ("problem" in shrink) return factLines("shrink", `nothing: ${shrink.problem}`);
  const { smallest, bits } = shrink;
  const sizes = bits.map((own) => `--bits ${own.bits} makes ${formatBytes(own.bytes)}, ${sizeAgainst(own.bytes, bytes)}`);
  return [
    ...factLines("shrink", `--size ${sizeFrom(smallest)} at the least, ${sizeAgainst(smallest, bytes)}`),
    ...sizes.flatMap((size) => factLines("", size)),
  ];
}

/** What a model is and what can be made of it, for people. */
export function summaryText(found: ModelInspection): string {
  const { type, kind, path, bytes, parameters, dtype, blocks, width, vocabulary, context, mixture, languages } = found;
  const known =
    languages.length === 0
      ? "not published; name yours with --languages"
      : `${languages.join(", ")} (${mixture === undefined ? "of its card or family, without shares" : `shares of ${mixture}`})`;
  const bits = `${bitsAWeight({ bytes, parameters }).toFixed(1)} bits each${isGguf(path) ? "" : ` (${dtype})`}`;
  const lines = [
    ...factLines("model", `${path}: ${kind} of type ${type}`),
    ...factLines("size", `${formatBytes(bytes)}, ${millions(parameters)} parameters, ${bits}`),
    ...shrinkLines(found.shrink, bytes),
    ...factLines(
      "shape",
      `${counted(blocks, "block")} of width ${width}; ${vocabulary} tokens; ${context === undefined ? "no limit of positions" : `up to ${context} positions`}`,
    ),
    ...factLines("languages", known),
    ...factLines("device", "cpu"),
    ...supportLines("solvers", found.solvers),
    ...supportLines("formats", found.formats),
  ];
  return `${lines.join("\n")}\n`;
}

/** What a model consists of, as a table. */
export function partsText({ parts, parameters }: ModelInspection): string {
  const hasBytes = parts.every(({ bytes }) => bytes !== undefined);
  const columns = [
    { title: "part" },
    { title: "tensors", numeric: true },
    { title: "parameters", numeric: true },
    ...(hasBytes ? [{ title: "bytes", numeric: true }] : []),
    { title: "share", numeric: true },
  ];
  const rows = parts.map((part) => [
    part.name,
    String(part.tensors),
    millions(part.parameters),
    ...(part.bytes === undefined ? [] : [formatBytes(part.bytes)]),
    `${((100 * part.parameters) / parameters).toFixed(1)}%`,
  ]);
  return formatTable({ columns, rows });
}
