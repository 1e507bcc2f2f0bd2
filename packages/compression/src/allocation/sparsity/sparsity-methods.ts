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
  type OptionTable,
  type OptionValues,
  type StageContext,
} from "@mbs/contracts";
import type { Model } from "@mbs/models";
import { readSite } from "../../site/site-weight.ts";
import { requireFactors, type AllocationMethod } from "../allocation-method.ts";
import { correlation } from "./correlation.ts";
import { pruningDamage } from "./pruning-damage.ts";
import { owl } from "./owl.ts";
import { sparsityOption, type SparsityMethod } from "./sparsity-method.ts";
import { spreadSparsity, type StepImportance } from "./spread-sparsity.ts";
import { uniform } from "./uniform.ts";

interface Measuring {
  readonly model: Model;
  readonly method: SparsityMethod;
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

/** How a way to spread sparsity makes an allocation. */
const allocationMethodOf = (method: SparsityMethod): AllocationMethod => ({
  name: method.name,
  source: method.source,
  summary: method.summary,
  needs: { chooses: "sparsity", statistics: "diagonal", segments: false },
  options: method.options,
  allocate(model, inputs, raw, context) {
    const factors = requireFactors(inputs);
    const { sparsity, ...own } = parseOptions({ ...sparsityOption, ...method.options }, raw, `allocate --method ${method.name}`);
    const { weights } = parseMetadata("factors", factors.schema);
    const options = own as OptionValues<OptionTable>;
    const metadata = { model: model.address, method: method.name, options, sparsity, weights };
    const steps = allocateSteps(readFactors(factors), sparsity, { model, method, options, context });
    return Promise.resolve(encodeAllocation(steps, metadata));
  },
});

/** The ways to spread sparsity over steps or tensors. */
export const sparsityMethods: readonly AllocationMethod[] = [
  ...([uniform, owl, correlation] as readonly SparsityMethod[]).map(allocationMethodOf),
  pruningDamage,
];
