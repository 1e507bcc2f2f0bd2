import { parseMetadata } from "@mbs/artifacts";
import {
  BadDataError,
  InternalError,
  optionFlag,
  parseOptions,
  splitOptions,
  UsageError,
  type ArtifactStream,
  type OptionTable,
  type Stage,
} from "@mbs/contracts";
import { openModel, type Model } from "@mbs/models";
import type { AllocationMethod } from "./allocation/allocation-method.ts";
import { bitMethods } from "./allocation/bits/bit-methods.ts";
import { sparsityOption } from "./allocation/sparsity/sparsity-method.ts";
import { sparsityMethods } from "./allocation/sparsity/sparsity-methods.ts";
import { openModelOf } from "./factored-model.ts";

const allocationMethods: readonly AllocationMethod[] = [...sparsityMethods, ...bitMethods];

const ownOptions = {
  model: { kind: "resource", resource: "model", description: "model whose weights are to be compressed" },
  method: {
    kind: "choice",
    choices: allocationMethods.map(({ name }) => name),
    description: allocationMethods.map(({ name, summary }) => `${name}: ${summary}`).join("; "),
  },
  sparsity: { ...sparsityOption.sparsity, optional: true },
  withoutFactors: {
    kind: "flag",
    description: "allocate from the model alone, by a method that reads no statistics (even)",
    default: false,
  },
  allowNonfinite: { kind: "flag", description: "leave tensors with NaN or Inf out instead of stopping", default: false },
} as const satisfies OptionTable;

/** Splits the options between the stage and the method, and parses those of the stage. @throws {UsageError} where they do not go together */
function parseChoice(options: unknown) {
  const raw = (options ?? {}) as Readonly<Record<string, unknown>>;
  requireOwn(raw);
  const method = methodNamed(raw);
  const { own, rest } = splitOptions(ownOptions, method.options, options, "allocate");
  checkTarget(method, own.sparsity);
  return { method, own, rest };
}

/** The requested method. @throws {UsageError} on an unknown one */
function methodNamed({ method: asked }: Readonly<Record<string, unknown>>): AllocationMethod {
  const { method: name } = parseOptions({ method: ownOptions.method }, { method: asked }, "allocate");
  const method = allocationMethods.find((own) => own.name === name);
  if (method === undefined) throw new InternalError(`no method ${name}`);
  return method;
}

/** "damage or even", for messages. */
const namesOf = (methods: readonly AllocationMethod[]): string => methods.map(({ name }) => name).join(" or ");

/** @throws {UsageError} on an option that other methods have */
function requireOwn(raw: Readonly<Record<string, unknown>>): void {
  const method = raw["method"] === undefined ? undefined : methodNamed(raw);
  for (const name of Object.keys(raw)) {
    if (Object.hasOwn(ownOptions, name) || (method && Object.hasOwn(method.options, name))) continue;
    const others = allocationMethods.filter(({ options }) => Object.hasOwn(options, name));
    if (others.length === 0) continue;
    const asked = method === undefined ? "and --method is not given" : `not to ${method.name}`;
    throw new UsageError(`allocate: ${optionFlag(name).slice(2)} belongs to method ${namesOf(others)}, ${asked}`, {
      option: optionFlag(name),
    });
  }
}

/** The options of the method that is asked for; none where none is, which is refused when all are parsed. */
function optionsOfMethod(raw: Readonly<Record<string, unknown>>): OptionTable {
  requireOwn(raw);
  return raw["method"] === undefined ? {} : methodNamed(raw).options;
}

/** @throws {UsageError} where a method of sparsity got none, or one of bits got one */
function checkTarget({ name, needs }: AllocationMethod, sparsity: number | undefined): void {
  if ((needs.chooses === "sparsity") === (sparsity !== undefined)) return;
  const problem =
    sparsity === undefined
      ? "--sparsity is required"
      : `--method ${name} chooses bits, which have no --sparsity; leave it out, or take --method ${namesOf(sparsityMethods)}`;
  throw new UsageError(`allocate: ${problem}`, { option: "--sparsity" });
}

/** @throws {UsageError} for an encoder or encoder-decoder: a method with texts measures how much the output changes, which is for decoders */
function requireDecoder({ path, stacks }: Model, { name, needs: { chooses } }: AllocationMethod): void {
  if (stacks === "decoder") return;
  const others = allocationMethods.filter(({ needs }) => needs.chooses === chooses && !needs.segments);
  throw new UsageError(
    `allocate: ${path} is an ${stacks}, and --method ${name} with segments is for decoders; take --method ${namesOf(others)}, or without a recipe leave out --segments`,
    { option: "--method" },
  );
}

/** @throws {UsageError} for statistics that the method would not read */
function refuseStatistics({ name, needs: { statistics } }: AllocationMethod): void {
  if (statistics === "gram") return;
  const problem =
    statistics === "none"
      ? "reads no statistics; leave out --statistics"
      : "reads the factors alone; leave out --statistics, and where it is to know each language factor with --language-diagonals";
  throw new UsageError(`allocate: --method ${name} ${problem}`, { option: "--statistics" });
}

/** @throws {BadDataError} with both addresses, where statistics or segments were made with another model or tokenizer */
function checkSources(model: Model, statistics: ArtifactStream | undefined, segments: ArtifactStream | undefined): void {
  const captured = statistics && parseMetadata("statistics", statistics.schema).model;
  if (captured !== undefined && captured !== model.address) {
    throw new BadDataError(`the statistics are of model ${captured}, ${model.path} is ${model.address}; capture again`, {
      expected: model.address,
      found: captured,
    });
  }
  const sampled = segments && parseMetadata("segments", segments.schema).tokenizer;
  if (sampled !== undefined && sampled !== model.tokenizerAddress) {
    throw new BadDataError(`the segments are of tokenizer ${sampled}, the model's is ${model.tokenizerAddress}; sample again`, {
      expected: model.tokenizerAddress,
      found: sampled,
    });
  }
}

/** Stage `allocate`: factors of all blocks and a model to a sparsity of each block, or to bits of each tensor. */
export const allocate: Stage = {
  name: "allocate",
  runsModel: true,
  summary:
    "Choose the sparsity of each block or tensor, or the bits or GGUF type of each tensor, from statistics of the model's inputs.",
  examples: [
    "mbs allocate --model M --method pruning-damage --sparsity 0.5 --segments segments.arrow < factors.arrow > allocation.arrow",
    "mbs allocate --model M --method owl --sparsity 0.6 < factors.arrow > allocation.arrow",
    "mbs factor --upper off --language-diagonals < statistics.arrow | mbs allocate --model M --method correlation --sparsity 0.6 > allocation.arrow",
    "mbs compress --model M --solver wanda --allocation allocation.arrow < factors.arrow > layers.arrow",
    "mbs allocate --model M --method damage --bits-per-weight 3.2 --group-size 64 --statistics statistics.arrow --segments segments.arrow < factors.arrow > bits.arrow",
    "mbs compress --model M --solver gptq --allocation bits.arrow < factors.arrow > layers.arrow",
    "mbs allocate --model M --method even --bits-per-weight 3.2 --group-size 64 --without-factors > bits.arrow",
    "mbs allocate --model M --method damage --bits-per-weight 3.5 --types Q2_K,Q3_K,Q4_K,Q5_K,Q6_K --statistics statistics.arrow --segments segments.arrow --output types.arrow < factors.arrow",
  ],
  inputs: {
    factors: {
      kinds: ["factors"],
      unless: "withoutFactors",
      description: "output of `mbs factor` for the statistics of all blocks",
    },
    statistics: {
      kinds: ["statistics"],
      optional: true,
      description: "the statistics of each language that the factors are of; without them damage is that of the mix",
    },
    segments: {
      kinds: ["segments"],
      optional: true,
      description: "texts to measure on how much the model's output changes with each tensor's, for damage and pruning-damage",
    },
  },
  outputs: {
    allocation: { kind: "allocation", description: "the sparsity of each block or tensor, or the bits or type of each tensor" },
  },
  options: ownOptions,
  moreOptions: async (raw) => optionsOfMethod(raw),
  moreOptionsBy: "method",
  allocationNeeds: async (raw) => methodNamed(raw).needs,
  async allocationWork(raw) {
    const { options, work } = methodNamed(raw);
    return work?.(Object.fromEntries(Object.entries(raw).filter(([name]) => Object.hasOwn(options, name))));
  },
  async checkPlan(raw, { isTrimmedLater = false }, pool) {
    const { method, own, rest } = parseChoice(raw);
    if (!method.needs.segments && method.checkSize === undefined) return;
    const model = await openModel(own.model, { pool });
    try {
      // a recipe's run gives segments to each method that can use them
      if (method.needs.segments) requireDecoder(model, method);
      await method.checkSize?.(model, rest, { isTrimmedLater });
    } finally {
      await model.close();
    }
  },
  async run(inputs, raw, context) {
    const { method, own, rest } = parseChoice(raw);
    const factors = inputs["factors"]?.[0];
    if (own.withoutFactors && method.needs.statistics !== "none") {
      throw new UsageError(`allocate: --method ${method.name} reads statistics; give it factors instead of --without-factors`, {
        option: "--without-factors",
      });
    }
    if (own.withoutFactors !== (factors === undefined)) {
      throw new UsageError(own.withoutFactors ? "allocate: --without-factors takes no factors" : "allocate: give it factors");
    }
    const [statistics, segments] = [inputs["statistics"]?.[0], inputs["segments"]?.[0]];
    if (statistics !== undefined) refuseStatistics(method);
    const opening = { allowNonfinite: own.allowNonfinite, progress: context.progress, pool: context.pool };
    const model = await (factors === undefined ? openModel(own.model, opening) : openModelOf(factors, own.model, opening));
    try {
      checkSources(model, statistics, segments);
      if (segments !== undefined && method.needs.segments) requireDecoder(model, method);
    } catch (error) {
      await model.close();
      throw error;
    }
    const { allowNonfinite } = own;
    const given = method.needs.chooses === "sparsity" ? { ...rest, sparsity: own.sparsity } : rest;
    return { allocation: await method.allocate(model, { factors, statistics, segments, allowNonfinite }, given, context) };
  },
};
