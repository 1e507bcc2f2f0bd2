import { InternalError, parseOptions, splitOptions, UsageError, type OptionTable, type Stage } from "@mbs/contracts";
import type { AllocationMethod } from "./allocation/allocation-method.ts";
import { bitMethods } from "./allocation/bits/bit-methods.ts";
import { sparsityMethods } from "./allocation/sparsity/sparsity-methods.ts";
import { openModelOf } from "./factored-model.ts";

/** The ways to allocate by name. */
const allocationMethods: ReadonlyMap<string, AllocationMethod> = new Map(
  [...sparsityMethods, ...bitMethods].map((method) => [method.name, method]),
);

const methods = [...allocationMethods.keys()];

const ownOptions = {
  model: { kind: "resource", resource: "model", description: "model whose weights are to be compressed" },
  method: {
    kind: "choice",
    choices: methods,
    description: [...allocationMethods.values()].map(({ name, summary }) => `${name}: ${summary}`).join("; "),
    default: "owl",
  },
  allowNonfinite: { kind: "flag", description: "leave tensors with NaN or Inf out instead of stopping", default: false },
} as const satisfies OptionTable;

/** The requested method. @throws {UsageError} on an unknown one */
function methodNamed({ method: asked }: Readonly<Record<string, unknown>>): AllocationMethod {
  const { method: name } = parseOptions({ method: ownOptions.method }, { method: asked }, "allocate");
  const method = allocationMethods.get(name);
  if (method === undefined) throw new InternalError(`no method ${name}`);
  return method;
}

/** Stage `allocate`: factors of all steps and a model to a sparsity of each step, or to bits of each tensor. */
export const allocate: Stage = {
  name: "allocate",
  summary: "Choose the sparsity of each step, or the bits of each tensor, from statistics of the model's inputs.",
  examples: [
    "mbs allocate --model M --method owl --sparsity 0.6 < factors.arrow > allocation.arrow",
    "mbs factor --upper off --language-diagonals < statistics.arrow | mbs allocate --model M --method correlation --sparsity 0.6 > allocation.arrow",
    "mbs compress --model M --solver wanda --allocation allocation.arrow < factors.arrow > layers.arrow",
    "mbs allocate --model M --method damage --bits-per-weight 3.2 --group-size 64 --statistics statistics.arrow < factors.arrow > bits.arrow",
    "mbs compress --model M --solver gptq --group-size 64 --allocation bits.arrow < factors.arrow > layers.arrow",
  ],
  inputs: {
    factors: { kinds: ["factors"], description: "output of `mbs factor` for the statistics of all steps" },
    statistics: {
      kinds: ["statistics"],
      optional: true,
      description: "the statistics of each language that the factors are of; without them damage is that of the mix",
    },
    segments: {
      kinds: ["segments"],
      optional: true,
      description: "texts to measure on how much the model's output changes with each tensor's, for damage",
    },
  },
  outputs: { allocation: { kind: "allocation", description: "the sparsity of each step, or the bits of each tensor" } },
  options: ownOptions,
  moreOptions: async (raw) => methodNamed(raw).options,
  moreOptionsBy: "method",
  async run(inputs, raw, context) {
    const method = methodNamed((raw ?? {}) as Readonly<Record<string, unknown>>);
    const { own, rest } = splitOptions(ownOptions, method.options, raw, "allocate");
    const factors = inputs["factors"]?.[0];
    if (factors === undefined) throw new UsageError("allocate: give it factors");
    const model = await openModelOf(factors, own.model, {
      allowNonfinite: own.allowNonfinite,
      progress: context.progress,
      pool: context.pool,
    });
    const [statistics, segments] = [inputs["statistics"]?.[0], inputs["segments"]?.[0]];
    const { allowNonfinite } = own;
    return { allocation: await method.allocate(model, { factors, statistics, segments, allowNonfinite }, rest, context) };
  },
};
