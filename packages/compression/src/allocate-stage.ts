import {
  encodeAllocation,
  inputSite,
  parseMetadata,
  readFactors,
  vocabularyStep,
  type FactorRecord,
  type StepAllocation,
} from "@mbs/artifacts";
import {
  at,
  BadDataError,
  InterruptedError,
  parseOptions,
  splitOptions,
  UsageError,
  type OptionTable,
  type OptionValues,
  type Stage,
  type StageContext,
} from "@mbs/contracts";
import type { Model } from "@mbs/models";
import type { AllocationMethod } from "./allocation/allocation-method.ts";
import { correlation } from "./allocation/correlation.ts";
import { owl } from "./allocation/owl.ts";
import { spreadSparsity, type StepImportance } from "./allocation/spread-sparsity.ts";
import { uniform } from "./allocation/uniform.ts";
import { openModelOf } from "./factored-model.ts";
import { readSite } from "./site/site-weight.ts";

/** The ways to allocate by name. */
const allocationMethods: ReadonlyMap<string, AllocationMethod> = new Map(
  ([uniform, owl, correlation] as readonly AllocationMethod[]).map((method) => [method.name, method]),
);

const methods = [...allocationMethods.keys()];

const ownOptions = {
  model: { kind: "resource", resource: "model", description: "model whose weights are to be pruned" },
  method: {
    kind: "choice",
    choices: methods,
    description: [...allocationMethods.values()].map(({ name, summary }) => `${name}: ${summary}`).join("; "),
    default: "owl",
  },
  sparsity: {
    kind: "number",
    description: "share of all weights to be set to zero",
    minimum: 0,
    maximum: 0.999,
  },
  allowNonfinite: { kind: "flag", description: "leave tensors with NaN or Inf out instead of stopping", default: false },
} as const satisfies OptionTable;

/** Undefined for an unknown name, which is refused when the stage's options are parsed. */
function methodNamed({ method = ownOptions.method.default }: Readonly<Record<string, unknown>>): AllocationMethod | undefined {
  return typeof method === "string" ? allocationMethods.get(method) : undefined;
}

interface Measuring {
  readonly model: Model;
  readonly method: AllocationMethod;
  readonly options: OptionValues<OptionTable>;
  readonly context: StageContext;
}

async function measureStep(
  { model, method, options }: Measuring,
  name: string,
  records: readonly FactorRecord[],
): Promise<StepImportance> {
  const sites = records.map((record) => ({ record, weight: async () => (await readSite(model, record)).weight }));
  const step = model.steps.find((known) => known.name === name);
  const parameters = records.reduce((sum, { site, width }) => {
    const weights = step?.sites.find((known) => known.name === site)?.weights;
    if (weights === undefined) {
      throw new BadDataError(`${name} ${site}: the model has no such site; capture and factor again`, { step: name, site });
    }
    return sum + width * weights.reduce((rows, weight) => rows + weight.rows, 0);
  }, 0);
  return { parameters, importance: await method.importance(sites, options) };
}

/** The importance of each step, in the order of the factors. */
async function measureSteps(factors: AsyncIterable<FactorRecord>, measuring: Measuring): Promise<Map<string, StepImportance>> {
  const { signal, progress } = measuring.context;
  const steps = new Map<string, StepImportance>();
  let records: FactorRecord[] = [];
  const finish = async (): Promise<void> => {
    const [first] = records;
    if (first === undefined) return;
    const { step } = first;
    if (steps.has(step)) throw new BadDataError(`factors of ${step} are scattered over the artifact; factor again`, { step });
    steps.set(step, await measureStep(measuring, step, records));
    progress({ activity: `allocate (${measuring.method.name})`, done: steps.size, unit: "steps" });
  };
  for await (const record of factors) {
    if (signal.aborted) throw new InterruptedError("allocate: stopped");
    // embedding and head have bits, and no sparsity
    if (record.site === inputSite || record.step === vocabularyStep) continue;
    if (records.some(({ step }) => step !== record.step)) {
      await finish();
      records = [];
    }
    const { gram: _gram, upper: _upper, ...light } = record;
    records.push(light);
  }
  await finish();
  return steps;
}

async function* allocateSteps(
  factors: AsyncIterable<FactorRecord>,
  target: number,
  measuring: Measuring,
): AsyncGenerator<StepAllocation> {
  try {
    const steps = await measureSteps(factors, measuring);
    if (steps.size === 0) throw new BadDataError("allocate: the factors hold no site; factor again");
    const { method, options } = measuring;
    const sparsities = spreadSparsity([...steps.values()], target, method.spread(options));
    for (const [index, [step, { parameters, importance }]] of [...steps].entries()) {
      yield { step, parameters, importance, sparsity: at(sparsities, index) };
    }
  } finally {
    await measuring.model.close();
  }
}

/** Stage `allocate`: factors of all steps and a model to a sparsity of each step. */
export const allocate: Stage = {
  name: "allocate",
  summary: "Choose the sparsity of each step of the model from statistics of its inputs.",
  examples: [
    "mbs allocate --model M --method owl --sparsity 0.6 < factors.arrow > allocation.arrow",
    "mbs factor --upper off --language-diagonals < statistics.arrow | mbs allocate --model M --method correlation --sparsity 0.6 > allocation.arrow",
    "mbs compress --model M --solver wanda --allocation allocation.arrow < factors.arrow > layers.arrow",
  ],
  inputs: { factors: { kinds: ["factors"], description: "output of `mbs factor` for the statistics of all steps" } },
  outputs: { allocation: { kind: "allocation", description: "the sparsity of each step" } },
  options: ownOptions,
  moreOptions: async (raw) => methodNamed(raw)?.options ?? {},
  moreOptionsBy: "method",
  async run(inputs, raw, context) {
    const method = methodNamed((raw ?? {}) as Readonly<Record<string, unknown>>);
    const { own, rest } = splitOptions(ownOptions, method?.options ?? {}, raw, "allocate");
    const factors = inputs["factors"]?.[0];
    if (factors === undefined || method === undefined) throw new UsageError("allocate: give it factors");
    const options = parseOptions(method.options, rest, `allocate --method ${method.name}`);
    const { weights } = parseMetadata("factors", factors.schema);
    const model = await openModelOf(factors, own.model, {
      allowNonfinite: own.allowNonfinite,
      progress: context.progress,
      pool: context.pool,
    });
    const metadata = { model: model.address, method: method.name, options, sparsity: own.sparsity, weights };
    const steps = allocateSteps(readFactors(factors), own.sparsity, { model, method, options, context });
    return { allocation: encodeAllocation(steps, metadata) };
  },
};
