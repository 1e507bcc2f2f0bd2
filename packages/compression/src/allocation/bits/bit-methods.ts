import { embeddingsBlock, encodeBitAllocation, parseMetadata } from "@mbs/artifacts";
import {
  at,
  BadDataError,
  InternalError,
  InterruptedError,
  parseBytes,
  parseOptions,
  UsageError,
  type AllocationWork,
  type StageContext,
} from "@mbs/contracts";
import { bytesIn, fittingType, ggufBytes, ggufGrids, typeMixNamed } from "@mbs/gguf";
import {
  compressibleBlocks,
  findGgufForm,
  findNonfiniteWeights,
  ggufTensorName,
  ggufTypes,
  requireEmbeddings,
} from "@mbs/models";
import type { Block, Model } from "@mbs/models";
import { defaultTypeMix } from "@mbs/solvers";
import { ofAllExperts, type AllocationMethod } from "../allocation-method.ts";
import { denseBytes } from "./bit-budget.ts";
import type { BitMethod, SizedTensor } from "./bit-method.ts";
import {
  bitOptions,
  choicesOf,
  choosesEmbeddings,
  type BitOptions,
  choiceNamed,
  typeChoices,
  type StorageChoices,
} from "./storage-choices.ts";
import { damage } from "./damage.ts";
import { even } from "./even.ts";
import { ggufPlanOf } from "../../gguf-types.ts";

/** For the name and the licence of the model, which `assemble` adds to the header. */
const spareBytes = 512;

/** What each tensor of a file begins on multiples of. */
const mostPadding = 32;

/**
 * Bytes of a GGUF file beside the blocks of some tensors: its header, tokenizer included, and the other tensors.
 *
 * @param typeMix that gives the other tensors their types
 * @param allocated tensors by their names in the model
 * @param embeddings the type that embedding and head get in place of that
 * @throws {FailedPreconditionError} where no GGUF file is made of the model
 */
export async function ggufBytesBeside(
  model: Model,
  typeMix: string,
  allocated: ReadonlySet<string>,
  embeddings?: string,
): Promise<number> {
  const plan = await ggufPlanOf(model, "give --bits-per-weight instead of --size");
  const types = ggufTypes(plan, typeMixNamed(typeMix));
  const weights = model.embeddings?.sites.flatMap((site) => site.weights) ?? [];
  const ofEmbeddings = new Set(embeddings === undefined ? [] : weights.map(({ tensor }) => tensor));
  const written = plan.tensors.map(({ name, shape, sources }) => {
    const own = sources.some((source) => ofEmbeddings.has(source)) ? embeddings : undefined;
    const type = own === undefined ? types.get(name) : fittingType(own, at(shape, shape.length - 1));
    const isOther = type !== undefined && !sources.some((source) => allocated.has(source));
    return { name, shape, type: type?.number ?? 0, bytes: isOther ? bytesIn(type, shape) : 0 };
  });
  return ggufBytes(plan.metadata, written) + spareBytes + mostPadding * allocated.size;
}

/** The blocks that are chosen for. @throws {FailedPreconditionError} where embedding and head are asked for, and cannot be compressed */
function chosenBlocks(model: Model, options: BitOptions): readonly Block[] {
  if (!choosesEmbeddings(options)) return model.blocks;
  requireEmbeddings(model);
  return compressibleBlocks(model);
}

/** Finds the tensors of blocks that hold NaN or Inf. */
async function leaveOutNonfinite(model: Model, blocks: readonly Block[], { signal, warn }: StageContext): Promise<void> {
  const tensors = blocks.flatMap(({ sites }) => sites.flatMap(({ weights }) => weights.map(({ tensor }) => tensor)));
  await findNonfiniteWeights(model, signal, tensors);
  if (signal.aborted) throw new InterruptedError("allocate: stopped");
  for (const tensor of tensors) {
    if (model.checkpoint.nonfinite.has(tensor)) warn(`tensor ${tensor} has NaN or Inf and gets no bits`);
  }
}

/** @throws {BadDataError} where no tensor is left */
function sizedTensors(model: Model, blocks: readonly Block[], choices: StorageChoices): SizedTensor[] {
  const tensors = blocks.flatMap(({ name: block, sites }) =>
    sites.flatMap(({ name: site, width: columns, weights }) =>
      weights
        .filter(({ tensor }) => !model.checkpoint.nonfinite.has(tensor))
        .map(({ tensor, rows }) => ({ block, site, tensor, rows, columns, choices: choices.of({ rows, columns }) })),
    ),
  );
  const chosen = tensors.filter((tensor) => tensor.choices.length > 0);
  if (chosen.length > 0) return chosen;
  throw new BadDataError(
    tensors.length > 0
      ? `${model.path}: no tensor has rows of whole blocks of 32, as --types need them; allocate bits instead`
      : `${model.path}: all tensors to compress have NaN or Inf; take the model from its source again`,
  );
}

/** Names of tensors in the GGUF file that is made of a model, which may hold several of the model's. */
async function fileTensorsOf(model: Model): Promise<(tensor: string) => string | undefined> {
  const gguf = model.kind === "architecture" ? await findGgufForm(model.architecture) : undefined;
  if (model.kind !== "architecture" || gguf === undefined) return () => undefined;
  return (tensor) => ggufTensorName(gguf.form.tensors, tensor, model.layout.prefixes)?.name;
}

/** Tensors with bits of their own, or those of a site together. With types those that are one tensor of the file are together. */
export async function unitsOf(
  model: Model,
  blocks: readonly Block[],
  tensors: readonly SizedTensor[],
  { unit, types }: Pick<BitOptions, "unit" | "types">,
): Promise<SizedTensor[][]> {
  const inFile = types === undefined ? (): undefined => undefined : await fileTensorsOf(model);
  const places = new Map(
    blocks.flatMap(({ sites }) => sites.flatMap(({ weights }) => weights.map(({ tensor }, index) => [tensor, index] as const))),
  );
  const units = new Map<string, SizedTensor[]>();
  for (const own of tensors) {
    const { block, site, tensor } = own;
    const place = types === undefined ? site : ofAllExperts(site);
    const key = JSON.stringify([block, place, unit === "site" ? "" : (inFile(tensor) ?? places.get(tensor) ?? "")]);
    units.set(key, [...(units.get(key) ?? []), own]);
  }
  return [...units.values()];
}

/** Bytes of what is written beside the chosen tensors. */
async function bytesBeside(
  { types, typeMix = defaultTypeMix, embeddings }: BitOptions,
  model: Model,
  chosen: ReadonlySet<string>,
): Promise<number> {
  if (types === undefined) return denseBytes(model, chosen);
  return ggufBytesBeside(
    model,
    typeMix,
    chosen,
    embeddings !== undefined && ggufGrids.includes(embeddings) ? embeddings : undefined,
  );
}

const megabytes = (bytes: number): string => `${(Math.ceil(bytes / 1e5) / 10).toFixed(1)}MB`;

/** What else would make the smallest choices smaller. */
function smallerRemedy({ types }: BitOptions, tensors: readonly SizedTensor[]): string {
  if (types === undefined) return ", or larger groups";
  const all = typeChoices(ggufGrids);
  // rows that are no whole blocks of 256 have smallest types of their own
  const smaller = tensors.flatMap((tensor) => {
    const least = at(all.of(tensor), 0);
    return least.size < at(tensor.choices, 0).size ? [least.name] : [];
  });
  return smaller.length === 0 ? "" : `, or types as small as ${[...new Set(smaller)].join(" and ")}`;
}

/**
 * Bits that all tensors may take.
 *
 * @param isTrimmedLater whether what is written beside them is not known yet and counts as nothing
 * @throws {UsageError} where none was given, or the smallest choices take more
 */
async function limitOf(
  options: BitOptions,
  model: Model,
  all: readonly SizedTensor[],
  { isTrimmedLater }: { readonly isTrimmedLater: boolean },
): Promise<number> {
  const tensors = isTrimmedLater ? all.filter(({ block }) => block !== embeddingsBlock) : all;
  const { bitsPerWeight, size, types } = options;
  if (bitsPerWeight === undefined && size === undefined) {
    throw new UsageError(
      "allocate: give it --bits-per-weight or --size; to prune, take --method pruning-damage with --sparsity",
      { option: "--bits-per-weight" },
    );
  }
  const weights = tensors.reduce((sum, { rows, columns }) => sum + rows * columns, 0);
  const beside =
    size === undefined || isTrimmedLater ? 0 : await bytesBeside(options, model, new Set(tensors.map(({ tensor }) => tensor)));
  const limit = size === undefined ? (bitsPerWeight ?? 0) * weights : (parseBytes(size, "--size") - beside) * 8;
  const least = tensors.reduce((sum, { choices }) => sum + at(choices, 0).size, 0);
  if (limit >= least) return limit;
  const besides = isTrimmedLater
    ? "without embedding and head, of which trim keeps a part"
    : `of which ${megabytes(beside)} are not chosen for`;
  const [flag, needed, larger] =
    size === undefined
      ? ["--bits-per-weight", `${(Math.ceil((least / weights) * 1000) / 1000).toFixed(3)} bits a weight`, "more bits a weight"]
      : ["--size", `${megabytes(least / 8 + beside)} (of a million bytes), ${besides}`, "a larger size"];
  const fewest = types === undefined ? "fewest bits" : "smallest type";
  throw new UsageError(
    `allocate: with the ${fewest} everywhere the weights take ${needed}; give ${larger}${smallerRemedy(options, tensors)}`,
    { option: flag },
  );
}

/** Of a tensor whose rows are whole blocks of any type. */
const anyShape = { rows: 1, columns: 256 };

/** @throws {InternalError} where the method does not say what it computes */
function workOf(method: BitMethod, raw: unknown): AllocationWork {
  const parsed = parseOptions({ ...bitOptions, ...method.options }, raw, `allocate --method ${method.name}`);
  const work = method.work?.(
    choicesOf(parsed)
      .of(anyShape)
      .map(({ grid }) => grid),
    parsed,
  );
  if (work === undefined) throw new InternalError(`allocate: ${method.name} does not say what it computes`);
  return work;
}

/** How a way to choose bits or types makes an allocation. */
const allocationMethodOf = (method: BitMethod): AllocationMethod => ({
  name: method.name,
  source: method.source,
  summary: method.summary,
  needs: { chooses: "bits", ...method.needs },
  options: { ...bitOptions, ...method.options },
  ...(method.work && { work: (raw: unknown) => workOf(method, raw) }),
  async checkSize(model, raw, state) {
    const parsed = parseOptions({ ...bitOptions, ...method.options }, raw, `allocate --method ${method.name}`);
    const shared = parsed as BitOptions;
    const tensors = sizedTensors(model, chosenBlocks(model, shared), choicesOf(shared));
    await limitOf(shared, model, tensors, state);
  },
  async allocate(model, inputs, raw, context) {
    try {
      const parsed = parseOptions({ ...bitOptions, ...method.options }, raw, `allocate --method ${method.name}`);
      const shared = parsed as BitOptions;
      const choices = choicesOf(shared);
      const blocks = chosenBlocks(model, shared);
      if (inputs.allowNonfinite) await leaveOutNonfinite(model, blocks, context);
      const tensors = sizedTensors(model, blocks, choices);
      const units = await unitsOf(model, blocks, tensors, shared);
      const limit = await limitOf(shared, model, tensors, { isTrimmedLater: false });
      const request = { model, inputs, tensors, units, limit, trial: choices.trial, options: parsed, context };
      const chosen = await method.choose(request);
      const rows = tensors.map(({ block, tensor, rows: tensorRows, columns, choices: sized }) => {
        const own = chosen.get(tensor);
        if (own === undefined) throw new InternalError(`${tensor}: nothing was chosen`, { tensor });
        const { name, importance } = own;
        const { grid, size } = choiceNamed(sized, name);
        return { size, row: { block, tensor, parameters: tensorRows * columns, importance, grid } };
      });
      const bitsPerWeight =
        rows.reduce((sum, { size }) => sum + size, 0) / rows.reduce((sum, { row }) => sum + row.parameters, 0);
      const weights = inputs.factors === undefined ? {} : parseMetadata("factors", inputs.factors.schema).weights;
      const options = Object.fromEntries(Object.entries(parsed).filter(([, value]) => value !== undefined));
      const metadata = { model: model.address, method: method.name, options, sparsity: 0, weights, bitsPerWeight };
      return encodeBitAllocation(
        rows.map(({ row }) => row),
        metadata,
      );
    } finally {
      await model.close();
    }
  },
});

/** The ways to give tensors bits or types of their own. */
export const bitMethods: readonly AllocationMethod[] = ([damage, even] as readonly BitMethod[]).map(allocationMethodOf);
