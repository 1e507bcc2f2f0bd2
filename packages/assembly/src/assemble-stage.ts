import { basename } from "node:path";
import { encodeFiles } from "@mbs/artifacts";
import type { FilePiece } from "@mbs/artifacts";
import { FailedPreconditionError, splitOptions, UsageError } from "@mbs/contracts";
import type { ArtifactStream, HeldGrids, OptionTable, PlannedLayers, Stage, StageContext } from "@mbs/contracts";
import {
  cardFile,
  filePieces,
  hubName,
  isLegalFile,
  listCarriedFiles,
  modelSize,
  nonfiniteNote,
  openModel,
  readCardSource,
  recordFile,
  requireDense,
  textFile,
} from "@mbs/models";
import type { Model, OutputFile, Site } from "@mbs/models";
import { ggufGrids } from "@mbs/gguf";
import { modelCard, modelName } from "./card/model-card.ts";
import { formatRecord, makeRecord, measureSizes } from "./card/assembly-record.ts";
import { areGraph, isWeightFile } from "./card/size-report.ts";
import type { Format, FormatContext, FormattedModel, PlannedGrids } from "./format.ts";
import { formatNames, loadFormat } from "./formats.ts";
import { plannedGrids } from "./layers/layer-grid.ts";
import type { LayerGrid } from "./layers/layer-grid.ts";
import { scratchLayersOf } from "./layers/scratch-layers.ts";
import type { ScratchLayers } from "./layers/scratch-layers.ts";
import { plannedSize } from "./planned-size.ts";

const formatsText =
  "dense: as in the source, for every program that reads that; compressed-tensors, gptq, gptq-v2: packed codes, for transformers and vLLM; gguf: one file for llama.cpp; onnx: for ONNX Runtime and transformers.js";

const ownOptions = {
  model: { kind: "resource", resource: "model", description: "the model that was compressed" },
  format: { kind: "choice", choices: formatNames, description: formatsText, default: "dense" },
  withoutLayers: {
    kind: "flag",
    description: "convert the model as it is, without compressing anything, with --format gguf or onnx",
    default: false,
  },
  allowNonfinite: {
    kind: "flag",
    description: "write tensors with NaN or Inf as they are, and name them, instead of stopping",
    default: false,
  },
  card: { kind: "flag", description: "write a model card, README.md", default: true },
  name: {
    kind: "text",
    description:
      "what the model is called in the card and in a GGUF file where the Hub has no name for it; default: its folder's name",
    optional: true,
  },
  baseModel: {
    kind: "text",
    placeholder: "ORG/NAME",
    description: "the model's name on the Hub, for the card; default: the one in the Hub cache's path or in config.json",
    optional: true,
    check: (name: string) => {
      if (hubName.test(name)) return;
      throw new UsageError(`--base-model takes a name on the Hub, ORG/NAME, not ${JSON.stringify(name)}`, {
        option: "--base-model",
      });
    },
  },
} as const satisfies OptionTable;

/** The requested format. @throws {UsageError} on an unknown one */
const formatNamed = (raw: Readonly<Record<string, unknown>>): Promise<Format> => {
  const name = raw["format"] ?? ownOptions.format.default;
  if (typeof name !== "string") throw new UsageError("assemble: --format takes a text", { option: "--format" });
  return loadFormat(name);
};

/** Splits the options between the stage and the format, and parses both. */
async function parseChoice(options: unknown) {
  const raw = (options ?? {}) as Readonly<Record<string, unknown>>;
  const format = await formatNamed(raw);
  const { own, rest } = splitOptions(ownOptions, format.options, options, `assemble --format ${format.name}`);
  return { own, format, formatOptions: rest };
}

/** The grids that a format holds with its own of some options, best first. */
const heldBy = ({ holds, options }: Format, raw: Readonly<Record<string, unknown>>): readonly HeldGrids[] =>
  holds(Object.fromEntries(Object.entries(raw).filter(([name]) => Object.hasOwn(options, name))));

/** @throws {FailedPreconditionError} where a format holds no blocks of a type, not even by their values */
function requireTakesBlocks(format: Format, options: unknown, type: string, what: string): void {
  if (format.holds(options).some((held) => held.kind === "blocks" && held.types.includes(type))) return;
  throw new FailedPreconditionError(
    `${what} rounded to ${type}, which --format ${format.name} does not hold; assemble with --format ${ggufGrids.includes(type) ? "gguf" : "compressed-tensors"}, or with dense for their plain values, or compress with bits in place of grid or typeMix`,
    { format: format.name },
  );
}

const gridsOf = (sites: readonly Site[], form: PlannedLayers["codes"]): readonly LayerGrid[] =>
  typeof form === "object" && !("kind" in form) ? plannedGrids(sites, form) : [];

/** What a solver plans for the weights of a model, as far as it says. */
function plannedGridsOf(model: Model, { solver, codes, embeddings: tables = "none" }: PlannedLayers): PlannedGrids {
  const sites = model.blocks.flatMap((block) => block.sites);
  const hasBlocks = typeof codes === "object" && "kind" in codes;
  return {
    solver,
    grids: gridsOf(sites, codes),
    embeddings: gridsOf(model.embeddings?.sites ?? [], tables),
    ...(hasBlocks && { type: codes.type }),
  };
}

interface AssembleChoice {
  readonly format: Format;
  readonly formatOptions: unknown;
  readonly card: boolean;
  readonly baseModel: string | undefined;
  readonly name: string | undefined;
}

type Planner = (layers: ScratchLayers, options: unknown, context: FormatContext) => Promise<FormattedModel>;

/** How a format plans the files of a model. @throws {FailedPreconditionError} where it is not for models of this kind */
function plannerFor(model: Model, format: Format): Planner {
  const refuse = (kind: string, remedy: string): never => {
    throw new FailedPreconditionError(
      `${model.path} is ${kind}, which --format ${format.name} does not hold; assemble with --format ${remedy}`,
      { model: model.path, format: format.name },
    );
  };
  if (model.kind === "graph") {
    const { planGraph } = format;
    if (planGraph === undefined) return refuse("an ONNX model", "dense or onnx");
    return (...given) => planGraph(model, ...given);
  }
  const { stacks, architecture } = model;
  if (!format.stacks.includes(stacks)) {
    refuse(`an ${stacks} (${architecture})`, stacks === "encoder" ? "gguf, onnx or dense" : "dense");
  }
  return (...given) => format.plan(model, ...given);
}

async function listFiles(model: Model, plan: Planner, layers: ScratchLayers, choice: AssembleChoice, context: StageContext) {
  const { format, formatOptions, card, baseModel } = choice;
  const source = { ...(await readCardSource(model)), ...(baseModel !== undefined && { baseModel }) };
  const name = modelName(source.baseModel?.split("/").at(-1) ?? choice.name ?? basename(model.path));
  const formatted = await plan(layers, formatOptions, { ...context, name });
  const { summaries = layers.summaries, types } = formatted;
  const sizes = measureSizes(model, summaries.keys(), formatted);
  const copied = (await listCarriedFiles(model.files)).filter((path) => format.isOneFile !== true || isLegalFile(path));
  const carried = copied.map((path): OutputFile => ({
    path,
    content: () => model.files.read(path),
  }));
  // A format's file replaces the source's.
  const byPath = new Map([...carried, ...formatted.files].map((file) => [file.path, file]));
  byPath.delete(cardFile);
  const paths = [...byPath.keys(), recordFile, ...(card ? [cardFile] : [])].sort();
  const { bytes: sourceBytes } = await modelSize(model);
  const made = { source, sourceBytes, format: format.name, sizes, files: paths, types };
  const files = [...byPath.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
  const graph = areGraph(files.map(({ path }) => path));
  return {
    files,
    describe: (weightFiles: ReadonlyMap<string, number>): readonly OutputFile[] => {
      const bytes = [...weightFiles.values()].reduce((sum, own) => sum + own, 0);
      const record = makeRecord(model, { ...made, weightFiles: Object.fromEntries(weightFiles) }, { ...layers, summaries });
      const cardText = (): string => modelCard({ record, weights: { bytes, graph }, name });
      return [textFile(recordFile, formatRecord(record)), ...(card ? [textFile(cardFile, cardText())] : [])];
    },
  };
}

async function* assembleAll(
  streams: readonly ArtifactStream[],
  model: Model,
  choice: AssembleChoice,
  context: StageContext,
): AsyncGenerator<FilePiece> {
  const { signal, progress } = context;
  let layers: ScratchLayers | undefined;
  try {
    const plan = plannerFor(model, choice.format);
    await requireDense(model);
    layers = await scratchLayersOf(streams, model, choice.format.parts);
    const inBlocks = [...layers.summaries].find(([, { grid }]) => grid !== undefined);
    if (inBlocks !== undefined) {
      const [tensor, { grid = "" }] = inBlocks;
      requireTakesBlocks(choice.format, choice.formatOptions, grid, `layer ${tensor} is`);
    }
    const { files, describe } = await listFiles(model, plan, layers, choice, context);
    const weightFiles = new Map<string, number>();
    for (const [index, file] of files.entries()) {
      const bytes = yield* filePieces(file, "assemble", signal);
      if (isWeightFile(file.path)) weightFiles.set(file.path, bytes);
      progress({ activity: "assemble", done: index + 1, total: files.length, unit: "files" });
    }
    const nonfinite = nonfiniteNote(model);
    if (nonfinite !== undefined) context.warn(nonfinite);
    // Record and card come last, since they say how large the weights are.
    for (const file of describe(weightFiles)) yield* filePieces(file, "assemble", signal);
  } finally {
    layers?.close();
    await model.close();
  }
}

/**
 * Stage `assemble`: layers and the model that they change to a model folder.
 *
 * In the default format, dense, the folder is the source's, byte for byte, but for the changed tensors. mbs.json says how
 * it was made.
 */
export const assemble: Stage = {
  name: "assemble",
  summary: "Write the compressed model: a Hugging Face folder, or files for llama.cpp (gguf) or for ONNX Runtime (onnx).",
  examples: [
    "mbs assemble --model M --output out/ < layers.arrow",
    "mbs assemble --model M --output out/ --format gptq < layers.arrow",
    "mbs assemble --model M --output out/ --format gguf --type Q4_K_M < layers.arrow",
    "mbs assemble --model M --output out/ --format gguf --type Q8_0 --without-layers",
    "mbs assemble --model M --output out/ --layers layers-1.arrow --layers layers-2.arrow - < layers-0.arrow",
  ],
  inputs: {
    layers: { kinds: ["layers"], many: true, unless: "withoutLayers", description: "output of `mbs compress`, all of one model" },
  },
  outputs: { files: { kind: "files", description: "folder that is written", folder: true } },
  options: ownOptions,
  moreOptions: async (raw) => (await formatNamed(raw)).options,
  moreOptionsBy: "format",
  holds: async (raw) => heldBy(await formatNamed(raw), raw),
  async checkPlan(raw, planned, pool) {
    const { codes } = planned;
    const { own, format, formatOptions } = await parseChoice(raw);
    if (own.withoutLayers) {
      throw new UsageError("assemble: what was compressed has layers; leave --without-layers out", {
        option: "--without-layers",
      });
    }
    const model = await openModel(own.model, { pool });
    try {
      plannerFor(model, format);
      await requireDense(model);
      if (codes === "unknown") return;
      if (typeof codes === "object" && "kind" in codes) requireTakesBlocks(format, formatOptions, codes.type, "weights are");
      await format.checkPlan?.(model, plannedGridsOf(model, planned), formatOptions);
    } finally {
      await model.close();
    }
  },
  async plannedSize(raw, layers, pool) {
    const { own, format, formatOptions } = await parseChoice(raw);
    if (layers.codes === "unknown" || format.plannedBytes === undefined) return undefined;
    const model = await openModel(own.model, { pool });
    try {
      if (model.kind === "graph") return undefined;
      const planned = plannedGridsOf(model, layers);
      const isRounded = planned.grids.length > 0 || planned.type !== undefined;
      const bytes = await format.plannedBytes(model, planned, formatOptions);
      return {
        ...(await plannedSize(model, bytes, { format: format.name, isRounded })),
        fallbacks: await format.plannedFallbacks?.(model, planned, formatOptions),
      };
    } finally {
      await model.close();
    }
  },
  async run(inputs, raw, context) {
    const { own, format, formatOptions } = await parseChoice(raw);
    const layers = inputs["layers"] ?? [];
    if (layers.length > 0 && own.withoutLayers) throw new UsageError("--without-layers takes no layers; leave one of them out");
    if (layers.length === 0 && format.withoutLayers !== true) {
      throw new UsageError(
        `--format ${format.name} without layers would be a copy of the model; give it layers, or take --format gguf or onnx, which --without-layers goes with`,
        { option: "--format" },
      );
    }
    const model = await openModel(own.model, { ...context, allowNonfinite: own.allowNonfinite });
    const choice = { format, formatOptions, card: own.card && layers.length > 0, baseModel: own.baseModel, name: own.name };
    return { files: encodeFiles(assembleAll(layers, model, choice, context), { model: model.address }) };
  },
};
