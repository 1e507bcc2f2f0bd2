import { encodeBitAllocation, parseMetadata } from "@mbs/artifacts";
import {
  BadDataError,
  InterruptedError,
  parseOptions,
  quoted,
  UsageError,
  type OptionTable,
  type OptionValues,
  type StageContext,
} from "@mbs/contracts";
import type { Model } from "@mbs/models";
import { isSymmetricAt } from "@mbs/solvers";
import type { AllocationMethod } from "../allocation-method.ts";
import { denseBytes, parseSize, storedBits } from "./bit-budget.ts";
import type { BitMethod, BitRequest, SizedTensor } from "./bit-method.ts";
import { damage } from "./damage.ts";
import { even } from "./even.ts";

/** Bits that a code can have. */
const [fewest, most] = [2, 8];

/** "2,3,4,8" as numbers, in order. @throws {UsageError} on others */
function parseBits(texts: readonly string[]): number[] {
  const bits = [...new Set(texts.map(Number))].sort((a, b) => a - b);
  const wrong = texts.find((text) => !/^[2-8]$/.test(text));
  if (wrong === undefined && bits.length > 0) return bits;
  throw new UsageError(
    `allocate: --bits takes whole numbers from ${fewest} to ${most}, such as 2,3,4,8, not ${quoted(wrong ?? "")}`,
    {
      option: "--bits",
    },
  );
}

const bitOptions = {
  bitsPerWeight: {
    kind: "number",
    description: "bits a weight of all compressed tensors together, scales and zero points counted",
    above: 2,
    maximum: 9,
    optional: true,
  },
  size: {
    kind: "text",
    placeholder: "SIZE",
    description: "size of the written weights instead, those that stay as they are counted: 180MB",
    optional: true,
    excludes: ["bitsPerWeight"],
    check: parseSize,
  },
  bits: {
    kind: "list",
    placeholder: "BITS,…",
    description: "numbers of bits to choose from; in a recipe those that the format holds, if not given",
    default: ["2", "3", "4", "5", "6", "7", "8"],
  },
  unit: {
    kind: "choice",
    choices: ["tensor", "site"],
    description:
      "what gets bits of its own: each tensor, or all tensors of a site together, as programs need them that join query, key and value (vLLM), and solvers that scale inputs (awq)",
    default: "tensor",
  },
  groupSize: {
    kind: "integer",
    description: "columns that share a scale, as compress is going to have it; 0 for one scale a row",
    default: 128,
    minimum: 0,
    maximum: 1_048_576,
  },
  symmetric: { kind: "flag", description: "as compress is going to have it", optional: true },
  minZeroPoint: { kind: "integer", description: "as compress is going to have it", minimum: 0, maximum: 1, optional: true },
} as const satisfies OptionTable;

type SharedOptions = OptionValues<typeof bitOptions>;

/** Reads all weights, so that the checkpoint knows those that hold NaN or Inf: it lists a tensor once it was read. */
async function findNonfinite(model: Model, { signal, warn }: StageContext): Promise<void> {
  for (const { sites } of model.steps) {
    for (const { tensor } of sites.flatMap(({ weights }) => weights)) {
      if (signal.aborted) throw new InterruptedError("allocate: stopped");
      await model.readWeight(tensor);
      if (model.checkpoint.nonfinite.has(tensor)) warn(`tensor ${tensor} has NaN or Inf and gets no bits`);
    }
  }
}

/** @throws {BadDataError} where no tensor is left */
function sizedTensors(model: Model, bits: readonly number[], gridOf: BitRequest["gridOf"]): SizedTensor[] {
  const tensors = model.steps.flatMap(({ name: step, sites }) =>
    sites.flatMap(({ name: site, width: columns, weights }) =>
      weights
        .filter(({ tensor }) => !model.checkpoint.nonfinite.has(tensor))
        .map(({ tensor, rows }) => {
          const sizes = new Map(bits.map((own) => [own, storedBits({ rows, columns }, own, gridOf(own))]));
          return { step, site, tensor, rows, columns, sizes };
        }),
    ),
  );
  if (tensors.length > 0) return tensors;
  throw new BadDataError(`${model.path}: all tensors to compress have NaN or Inf; take the model from its source again`);
}

/** Tensors with bits of their own, or those of a site together. */
function unitsOf(tensors: readonly SizedTensor[], unit: SharedOptions["unit"]): SizedTensor[][] {
  if (unit === "tensor") return tensors.map((tensor) => [tensor]);
  const sites = new Map<string, SizedTensor[]>();
  for (const tensor of tensors) {
    const key = JSON.stringify([tensor.step, tensor.site]);
    sites.set(key, [...(sites.get(key) ?? []), tensor]);
  }
  return [...sites.values()];
}

/** Bits that all tensors may take. @throws {UsageError} where none was given, or the fewest bits take more */
function limitOf({ bitsPerWeight, size }: SharedOptions, model: Model, tensors: readonly SizedTensor[]): number {
  if (bitsPerWeight === undefined && size === undefined) {
    throw new UsageError("allocate: give it --bits-per-weight or --size", { option: "--bits-per-weight" });
  }
  const weights = tensors.reduce((sum, { rows, columns }) => sum + rows * columns, 0);
  const dense = size === undefined ? 0 : denseBytes(model, new Set(tensors.map(({ tensor }) => tensor)));
  const limit = size === undefined ? (bitsPerWeight ?? 0) * weights : (parseSize(size) - dense) * 8;
  const least = tensors.reduce((sum, { sizes }) => sum + Math.min(...sizes.values()), 0);
  if (limit >= least) return limit;
  const [flag, needed] =
    size === undefined
      ? ["--bits-per-weight", (Math.ceil((least / weights) * 1000) / 1000).toFixed(3)]
      : ["--size", `${Math.ceil((least / 8 + dense) / 1e5) / 10}MB, of which ${(dense / 1e6).toFixed(1)}MB stay as they are`];
  throw new UsageError(
    `allocate: with the fewest bits everywhere the weights take ${needed}; give a larger ${flag}, or larger groups`,
    {
      option: flag,
    },
  );
}

/** How a way to choose bits makes an allocation. */
const allocationMethodOf = (method: BitMethod): AllocationMethod => ({
  name: method.name,
  source: method.source,
  summary: method.summary,
  needs: { chooses: "bits", ...method.needs },
  options: { ...bitOptions, ...method.options },
  async allocate(model, inputs, raw, context) {
    try {
      const parsed = parseOptions({ ...bitOptions, ...method.options }, raw, `allocate --method ${method.name}`);
      const shared = parsed as SharedOptions;
      const gridOf = (bits: number) => ({
        groupSize: shared.groupSize,
        symmetric: shared.symmetric ?? isSymmetricAt(bits),
        minZeroPoint: shared.minZeroPoint,
      });
      if (inputs.allowNonfinite) await findNonfinite(model, context);
      const tensors = sizedTensors(model, parseBits(shared.bits), gridOf);
      const units = unitsOf(tensors, shared.unit);
      const limit = limitOf(shared, model, tensors);
      const request = { model, inputs, tensors, units, limit, gridOf, options: parsed, context };
      const chosen = await method.choose(request);
      const rows = tensors.map(({ step, tensor, rows: own, columns, sizes }) => {
        const found = chosen.get(tensor) ?? { bits: Math.min(...sizes.keys()), importance: 0 };
        return { step, tensor, parameters: own * columns, ...found, size: sizes.get(found.bits) ?? 0 };
      });
      const total = (values: (row: (typeof rows)[number]) => number): number => rows.reduce((sum, row) => sum + values(row), 0);
      const bitsPerWeight = total(({ size }) => size) / total(({ parameters }) => parameters);
      const weights = inputs.factors === undefined ? {} : parseMetadata("factors", inputs.factors.schema).weights;
      const options = Object.fromEntries(Object.entries(parsed).filter(([, value]) => value !== undefined));
      const metadata = { model: model.address, method: method.name, options, sparsity: 0, weights, bitsPerWeight };
      return encodeBitAllocation(
        rows.map(({ size: _size, ...row }) => row),
        metadata,
      );
    } finally {
      await model.close();
    }
  },
});

/** The ways to give tensors bits of their own. */
export const bitMethods: readonly AllocationMethod[] = ([damage, even] as readonly BitMethod[]).map(allocationMethodOf);
