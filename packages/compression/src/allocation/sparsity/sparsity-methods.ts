import {
  encodeAllocation,
  isReadSite,
  parseMetadata,
  readFactors,
  embeddingsBlock,
  type FactorRecord,
  type BlockAllocation,
} from "@mbs/artifacts";
import {
  at,
  BadDataError,
  InterruptedError,
  parseOptions,
  type OptionTable,
  type OptionValues,
  type StageContext,
  UsageError,
} from "@mbs/contracts";
import type { Model } from "@mbs/models";
import { readSite } from "../../site/site-weight.ts";
import { requireFactors, type AllocationMethod } from "../allocation-method.ts";
import { correlation } from "./correlation.ts";
import { pruningDamage } from "./pruning-damage.ts";
import { owl } from "./owl.ts";
import { sparsityOption, type SparsityMethod, defineSparsityMethod } from "./sparsity-method.ts";
import { largestSparsity } from "@mbs/numbers";

interface BlockImportance {
  readonly parameters: number;
  /** The more, the less sparse. */
  readonly importance: number;
}

/**
 * Spreads sparsity over blocks: linear in their importance, 2·spread between the extremes, the mean over all weights as asked.
 *
 * @param target share of all weights to be set to zero
 * @param spread λ ≥ 0
 * @returns the sparsity of each block
 * @throws {UsageError} where a block's sparsity would be below 0 or above the largest that solvers take
 * @see arXiv:2310.05175 §3
 */
export function spreadSparsity(blocks: readonly BlockImportance[], target: number, spread: number): number[] {
  const importances = blocks.map(({ importance }) => importance);
  const least = Math.min(...importances);
  const range = Math.max(...importances) - least;
  const shifted = blocks.map(({ parameters, importance }) => ({
    parameters,
    shift: range > 0 ? (2 * spread * (importance - least)) / range : 0,
  }));
  const total = blocks.reduce((sum, { parameters }) => sum + parameters, 0);
  const mean = shifted.reduce((sum, { parameters, shift }) => sum + parameters * shift, 0) / total;
  const sparsities = shifted.map(({ shift }) => target + mean - shift);
  const wrong = sparsities.find((sparsity) => sparsity < 0 || sparsity > largestSparsity);
  if (wrong !== undefined) {
    throw new UsageError(
      `allocate: at a sparsity of ${target} and a spread of ${spread} a block would lose ${wrong.toFixed(3)} of its weights; take a smaller --spread`,
      { sparsity: wrong },
    );
  }
  return sparsities;
}

/** Every block loses the same share: the reference for all others. */
const uniform = defineSparsityMethod({
  name: "uniform",
  source: "https://arxiv.org/abs/2306.11695",
  summary: "the same for every block",
  options: {},
  importance: async () => 0,
  spread: () => 0,
});

interface Measuring {
  readonly model: Model;
  readonly method: SparsityMethod;
  readonly options: OptionValues<OptionTable>;
  readonly context: StageContext;
}

async function measureBlock(
  { model, method, options }: Measuring,
  name: string,
  records: readonly FactorRecord[],
): Promise<BlockImportance> {
  const sites = records.map((record) => ({ record, weight: async () => (await readSite(model, record)).weight }));
  const block = model.blocks.find((known) => known.name === name);
  const parameters = records.reduce((sum, { site, width }) => {
    const weights = block?.sites.find((known) => known.name === site)?.weights;
    if (weights === undefined) {
      throw new BadDataError(`${name} ${site}: the model has no such site; capture and factor again`, { block: name, site });
    }
    return sum + width * weights.reduce((rows, weight) => rows + weight.rows, 0);
  }, 0);
  return { parameters, importance: await method.importance(sites, options) };
}

/** The importance of each block, in the order of the factors. */
async function measureBlocks(factors: AsyncIterable<FactorRecord>, measuring: Measuring): Promise<Map<string, BlockImportance>> {
  const { signal, progress } = measuring.context;
  const blocks = new Map<string, BlockImportance>();
  let records: FactorRecord[] = [];
  const finish = async (): Promise<void> => {
    const [first] = records;
    if (first === undefined) return;
    const { block } = first;
    if (blocks.has(block)) throw new BadDataError(`factors of ${block} are scattered over the artifact; factor again`, { block });
    blocks.set(block, await measureBlock(measuring, block, records));
    progress({ activity: `allocate (${measuring.method.name})`, done: blocks.size, unit: "blocks" });
  };
  for await (const record of factors) {
    if (signal.aborted) throw new InterruptedError("allocate: stopped");
    // embedding and head have bits, and no sparsity
    if (!isReadSite(record.site) || record.block === embeddingsBlock) continue;
    if (records.some(({ block }) => block !== record.block)) {
      await finish();
      records = [];
    }
    const { gram: _gram, upper: _upper, ...light } = record;
    records.push(light);
  }
  await finish();
  return blocks;
}

async function* allocateBlocks(
  factors: AsyncIterable<FactorRecord>,
  target: number,
  measuring: Measuring,
): AsyncGenerator<BlockAllocation> {
  try {
    const blocks = await measureBlocks(factors, measuring);
    if (blocks.size === 0) throw new BadDataError("allocate: the factors hold no site; factor again");
    const { method, options } = measuring;
    const sparsities = spreadSparsity([...blocks.values()], target, method.spread(options));
    for (const [index, [block, { parameters, importance }]] of [...blocks].entries()) {
      yield { block, parameters, importance, sparsity: at(sparsities, index) };
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
    const blocks = allocateBlocks(readFactors(factors), sparsity, { model, method, options, context });
    return Promise.resolve(encodeAllocation(blocks, metadata));
  },
});

/** The ways to spread sparsity over blocks or tensors. */
export const sparsityMethods: readonly AllocationMethod[] = [
  ...([uniform, owl, correlation] as readonly SparsityMethod[]).map(allocationMethodOf),
  pruningDamage,
];
