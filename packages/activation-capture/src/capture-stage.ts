import { encodeStatistics, headSite, inputSite, requireKind, ScratchFile, statisticsUnits } from "@mbs/artifacts";
import type { Statistic } from "@mbs/artifacts";
import { at, BadDataError, languageWeights, parseBytes, parseLanguageMix, parseOptions, UsageError } from "@mbs/contracts";
import type { ArtifactStream, LanguageMix, OptionTable, OptionValues, Stage, StageContext } from "@mbs/contracts";
import { openModel, readAsZero } from "@mbs/models";
import { createBlas, createMomentKernel } from "@mbs/onnx";
import { chooseSites, planBlock } from "./capture-plan.ts";
import { CaptureWalks } from "./capture-walks.ts";
import { checkDenseStates, withDense } from "./dense-states.ts";
import type { WalkRequest } from "./held-walk.ts";
import { batchSegments } from "./segment-batches.ts";
import { TokenRows } from "./token-rows.ts";
import { ScratchStates } from "./scratch-states.ts";
import type { StatesOwner } from "./scratch-states.ts";
import { findShard, requireSegments, shardOptions } from "./shards.ts";
import type { Shard } from "./shards.ts";
import { checkSegments, checkStates, leaveUnread, mixOfSource, readSegmentStates } from "./state-source.ts";
import type { SegmentHead, StateSource } from "./state-source.ts";
import { captureBlock } from "./block-capture.ts";
import { readsFor } from "./token-reads.ts";
import { captureEmbeddings } from "./embeddings-capture.ts";
import { keepLayers, noLayers, readBlockLayers } from "./block-layers.ts";
import type { BlockLayers } from "./block-layers.ts";

const options = {
  model: { kind: "resource", resource: "model", description: "model folder" },
  ...shardOptions,
  site: {
    kind: "list",
    optional: true,
    placeholder: "SITE,…",
    description: "capture these sites only; default all and the block's input",
  },
  statistics: {
    kind: "choice",
    choices: ["gram", "diagonal"],
    default: "gram",
    description: "E[x xᵀ] of every site, or E[x²] alone, which is enough for Wanda and for similarity",
  },
  grams: {
    kind: "choice",
    choices: ["languages", "pooled"],
    default: "languages",
    description:
      "a Gram of each language, or one pooled in the shares of --mix and every language's diagonal, which is enough for mbs factor; of the head's input always one of each",
  },
  embeddings: {
    kind: "flag",
    description:
      "from segments: also what the head reads, and how often each token is read and predicted, to compress embedding and head; states after the last block give this alone",
    default: false,
  },
  normaliseTokens: {
    kind: "flag",
    description:
      "divide the inputs of each token by their root mean square, or by that of the states that the outputs are added to, so that those of large activations do not outweigh the others; in a recipe on with gptq, sparsegpt and alps if not given",
    default: false,
  },
  budget: {
    kind: "text",
    default: "4GiB",
    placeholder: "SIZE",
    description: "memory for the Grams of one block; beyond it one Gram of the mix and every language's diagonal are kept",
    check: (text: string) => parseBytes(text, "--budget"),
  },
  mix: {
    kind: "text",
    optional: true,
    placeholder: "LANG=WEIGHT,…",
    description:
      "weight of each language in a pooled Gram, and in factor; default: the tokens seen of it, without text that was added to cover experts",
    check: (text: string) => parseLanguageMix(text),
  },
  allowNonfinite: { kind: "flag", description: "read NaN and Inf weights as 0 instead of stopping", default: false },
} as const satisfies OptionTable;

interface Work extends StateSource {
  /** What the artifact is of, where it is not of all segments. */
  readonly shard: Shard | undefined;
  /** The dense model's states beside those of `source`. */
  readonly dense: ArtifactStream | undefined;
  readonly values: OptionValues<typeof options>;
  readonly budget: number;
  readonly mix: LanguageMix | undefined;
  /** The blocks to run: all from segments, the next one from states. */
  readonly blocks: readonly number[];
  /** Whether embedding and head are captured, behind the blocks. */
  readonly withEmbeddings: boolean;
  readonly layers: BlockLayers;
}

/**
 * The walks of a capture that another one may have begun, or a later stage may go on from. There are none where all sites are
 * captured: the layers that are made of them change what every site but the first reads.
 */
function takeWalks({ source, dense, shard, model, values, layers }: Work, { pool, threads, device }: StageContext) {
  const { site: sites, allowNonfinite } = values;
  if (pool === undefined || sites === undefined || sites.includes(inputSite)) return undefined;
  const request = (owner: StatesOwner, { address: states }: ArtifactStream, given: BlockLayers): WalkRequest => ({
    origin: { model: model.address, allowNonfinite, states, owner, threads, device },
    layers: given,
  });
  const requests = [request("own", source, layers), ...(dense === undefined ? [] : [request("dense", dense, noLayers)])];
  return requests.every(({ origin }) => origin.states !== undefined)
    ? CaptureWalks.take(pool, requests, sites, shard?.shards.of ?? 1)
    : undefined;
}

async function* captureAll(work: Work, context: StageContext): AsyncGenerator<Statistic> {
  const { source, dense, kind, shard, model, values, blocks, layers, reads, withEmbeddings } = work;
  const { signal, progress, warn, threads, device } = context;
  const forward = await model.forward({ threads, device });
  const kernel = createMomentKernel({ threads, pool: context.pool, device });
  const blas = createBlas({ threads, pool: context.pool });
  const rows = new TokenRows({ threads, pool: context.pool });
  const grams = new ScratchFile();
  const states = new ScratchStates(
    model.stateWidth,
    () => withDense(readSegmentStates(work, forward), dense, model),
    (done) => progress({ activity: "read segments", done, unit: "segments" }),
  );
  const walks = kind === "states" && blocks.length > 0 ? await takeWalks(work, context) : undefined;
  let isDone = false;
  try {
    const all = walks?.batches ?? [...batchSegments(await states.heads())];
    if (all.length === 0) throw new BadDataError("the artifact has no segments; sample at least one");
    walks?.begin(all);
    const heads = all.flatMap(({ segments }) => segments);
    const languages = [...new Set(heads.map(({ language }) => language))].sort();
    const batches = new Map(languages.map((name) => [name, all.filter(({ language }) => language === name)] as const));
    const shares = sharesOf(countTokens(heads), work);
    const inWhole = shard === undefined ? languages.length : Object.keys(shard.wholeTokens).length;
    const total = (blocks.length + (withEmbeddings ? 1 : 0)) * heads.length;
    let done = 0;
    let pooled = false;
    const request = {
      statistics: values.statistics,
      grams: values.grams,
      budget: work.budget,
      cross: dense !== undefined,
      normalised: values.normaliseTokens,
    };
    const advanceProgress =
      (block: string) =>
      (count: number): void => {
        done += count;
        progress({ activity: `capture ${block}`, done, total, unit: "segments" });
      };
    const tools = { model, forward, sums: { kernel, blas, rows }, grams, signal, warn };
    for (const [position, index] of blocks.entries()) {
      const block = at(model.blocks, index);
      const plan = planBlock(chooseSites(block, model.hiddenSize, values.site), inWhole, request);
      if (plan.pooled && !pooled && values.grams === "languages") {
        warn(
          `${block.name}: the Grams of ${inWhole} languages need more than --budget; here, and wherever else they do, keeping one Gram of the mix and the diagonals`,
        );
      }
      pooled ||= plan.pooled;
      const advance = withEmbeddings || position < blocks.length - 1;
      const compares = dense !== undefined;
      const { weights } = layers;
      const capture = { block, index, plan, batches, shares, states, compares, walks, advance, weights };
      yield* captureBlock(capture, { ...tools, advanceProgress: advanceProgress(block.name) });
    }
    const { embeddings } = model;
    if (withEmbeddings && embeddings !== undefined && reads !== undefined) {
      reads.require(heads);
      // all inputs are of one size behind the norm, and its size has a meaning beside the price of the embedding; each row of the
      // head belongs to few languages, so that it wants their Grams
      const asked = { ...request, grams: "languages", normalised: false } as const;
      const plan = planBlock([{ site: headSite, width: model.hiddenSize }], inWhole, asked);
      const capture = { model, embeddings, plan, batches, shares, states, reads };
      yield* captureEmbeddings(capture, { ...tools, advanceProgress: advanceProgress(embeddings.name) });
    }
    isDone = true;
    for (const line of readAsZero(model)) warn(line);
  } finally {
    if (!isDone) await walks?.close();
    states.close();
    if (!states.isRead) for (const stream of [source, ...(dense === undefined ? [] : [dense])]) await leaveUnread(stream);
    grams.close();
    await kernel.release();
    await blas.release();
    await rows.release();
    await forward.close();
    await model.close();
  }
  // after the model: a pool without space for both gives up what was put first
  if (walks === undefined || context.pool === undefined) return;
  await keepLayers(context.pool, layers, model, at(blocks, 0));
  await walks.keep();
}

function countTokens(segments: readonly SegmentHead[]): ReadonlyMap<string, number> {
  const tokens = new Map<string, number>();
  for (const { language, lengths } of segments) {
    const own = lengths.reduce((sum, length) => sum + length, 0);
    tokens.set(language, (tokens.get(language) ?? 0) + own);
  }
  return tokens;
}

/**
 * The weight of each language's mean in a pooled Gram. In a shard it is that of the whole, as far as the shard has the language's
 * tokens; the weights of all shards sum to 1.
 *
 * @throws {BadDataError} where the shard has more tokens of a language than the whole
 */
function sharesOf(tokens: ReadonlyMap<string, number>, { shard, mix }: Work): Readonly<Record<string, number>> {
  if (shard === undefined) return languageWeights(tokens, mix);
  const whole = new Map(Object.entries(shard.wholeTokens));
  const weights = languageWeights(whole, mix);
  return Object.fromEntries(
    [...tokens].map(([language, own]) => {
      const [weight, all = 0] = [weights[language], whole.get(language)];
      if (weight === undefined || own > all) {
        throw new BadDataError(
          `the states have ${own} tokens of ${language}, and all segments together ${all}; propagate again`,
          { language, own, all },
        );
      }
      return [language, (weight * own) / all];
    }),
  );
}

/** Stage `capture`: what every site sees of each language, from segments (all blocks) or from states (the next block). */
export const capture: Stage = {
  name: "capture",
  runsModel: true,
  summary:
    "Compute the statistics of each site and language: for all blocks from segments, or for one block from the states before it.",
  examples: [
    "mbs capture --model M < segments.arrow > statistics.arrow",
    "mbs capture --model M < states-3.arrow > statistics-3.arrow",
    "mbs capture --model M --site mlp-down --layers layers-3.arrow < states-3.arrow > statistics-3-down.arrow",
    "mbs capture --model M --shard 2/8 < segments.arrow > statistics-2-of-8.arrow",
    "mbs capture --model M --segments segments.arrow < states-last.arrow > statistics-embeddings.arrow",
    "mbs capture --model M --dense-states dense-3.arrow < states-3.arrow > statistics-3.arrow",
  ],
  inputs: {
    source: { kinds: ["segments", "states"], description: "segments, or the states before the block to capture" },
    layers: {
      kinds: ["layers"],
      optional: true,
      many: true,
      description: "layers of the same block that are compressed already",
    },
    segments: {
      kinds: ["segments"],
      optional: true,
      description: "with states after the last block: the segments that they were made of, whose tokens are counted",
    },
    denseStates: {
      kinds: ["states"],
      optional: true,
      description: "the same states without any compression, for cross-moments (gptaq needs them)",
    },
  },
  outputs: {
    statistics: { kind: "statistics", description: "means over tokens by block, site and language", intermediate: true },
  },
  options,
  async run(inputs, raw, context) {
    const values = parseOptions(options, raw, "capture");
    const budget = parseBytes(values.budget, "--budget");
    const source = inputs["source"]?.[0];
    if (source === undefined) throw new UsageError("capture: give it segments or states");
    const kind = requireKind(source, ["segments", "states"]);
    // neither text that was added to cover experts nor text that is missing changes what its language weighs
    const { ofMix } = mixOfSource(source, kind);
    const drawn = ofMix && new Map(Object.entries(ofMix));
    const mix = values.mix === undefined ? drawn : parseLanguageMix(values.mix);
    const layers = inputs["layers"] ?? [];
    if (kind === "segments" && layers.length > 0) {
      throw new UsageError("capture: --layers go with states; propagate the segments first", { option: "--layers" });
    }
    const dense = inputs["denseStates"]?.[0];
    if (dense !== undefined && (kind === "segments" || values.statistics !== "gram")) {
      throw new UsageError("capture: --dense-states go with states and --statistics gram", { option: "--dense-states" });
    }
    requireSegments("capture", kind, values.shard);
    const model = await openModel(values.model, {
      allowNonfinite: values.allowNonfinite,
      progress: context.progress,
      pool: context.pool,
    });
    try {
      if (kind === "segments") checkSegments(source, model, context.warn);
      const before = kind === "states" ? checkStates(source, model, "block or embeddings") : undefined;
      const isBehind = before?.blocks === model.blocks.length;
      const reads = await readsFor({ ...values, model, kind, isBehind, segments: inputs["segments"]?.[0] });
      if (isBehind && (dense !== undefined || layers.length > 0)) {
        throw new UsageError("capture: states after the last block take neither --layers nor --dense-states");
      }
      if (before !== undefined && dense !== undefined) checkDenseStates(dense, model, before.blocks);
      const blocks = before === undefined ? [...model.blocks.keys()] : isBehind ? [] : [before.blocks];
      for (const index of blocks) chooseSites(at(model.blocks, index), model.hiddenSize, values.site);
      const shard = await findShard(source, kind, model, values.shard);
      const given = before === undefined ? noLayers : await readBlockLayers(layers, model, before.blocks, context.pool);
      return {
        statistics: encodeStatistics(
          captureAll(
            {
              source,
              dense,
              kind,
              segments: shard?.segments,
              shard,
              model,
              values,
              budget,
              mix,
              blocks,
              layers: given,
              reads,
              withEmbeddings: reads !== undefined,
            },
            context,
          ),
          {
            model: model.address,
            tokenizer: model.tokenizerAddress,
            propagation: kind === "segments" ? "dense" : "sequential",
            unit: values.normaliseTokens ? statisticsUnits.normalised : statisticsUnits.plain,
            mix: mix && Object.fromEntries(mix),
            ...(shard && { shards: shard.shards }),
          },
        ),
      };
    } catch (error) {
      await model.close();
      throw error;
    }
  },
};
