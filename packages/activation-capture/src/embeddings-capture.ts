import { allLanguages, headSite, tokenSites } from "@mbs/artifacts";
import type { ScratchFile, Statistic } from "@mbs/artifacts";
import { at, InternalError, InterruptedError } from "@mbs/contracts";
import { headStates, requireFiniteRows, rowsAt, spreadStride } from "@mbs/models";
import type { Forward, Model, Embeddings, EmbeddingsForward } from "@mbs/models";
import { embeddingPrice } from "./embedding-price.ts";
import { LanguageStatistics, PooledGrams } from "./language-statistics.ts";
import type { SegmentBatch } from "./segment-batches.ts";
import { nameSegment } from "./segment-passage.ts";
import type { CaptureTools, BlockCapture } from "./block-capture.ts";
import type { TokenReads } from "./token-reads.ts";

/** As of a block; the plan has the head's site alone. */
export interface EmbeddingsCapture extends Pick<BlockCapture, "plan" | "batches" | "shares" | "states"> {
  readonly model: Model;
  readonly embeddings: Embeddings;
  /** Of the same segments. */
  readonly reads: TokenReads;
}

function embeddingsForward({ embeddings }: Forward): EmbeddingsForward {
  if (embeddings === undefined) throw new InternalError("the forward pass does not show what the head reads");
  return embeddings;
}

/** Adds the inputs of the head to the sums of a language, and returns the mean of p·(1 - p) of each token. */
async function captureLanguage(
  { plan, states }: EmbeddingsCapture,
  batches: readonly SegmentBatch[],
  statistics: LanguageStatistics,
  { forward, signal, advanceProgress }: CaptureTools,
): Promise<Float32Array> {
  const head = embeddingsForward(forward);
  let spread: Float64Array | undefined;
  let positions = 0;
  for (const { first, segments } of batches) {
    if (signal.aborted) throw new InterruptedError("capture: stopped");
    const last = headStates(await states.read("own", ["hidden"], first, segments.length));
    const input = await head.headInput(last);
    requireFiniteRows({ made: "the input of the head", segments: segments.map(nameSegment) }, input);
    await statistics.add(at(plan.sites, 0).site, { input, tokens: input.rows });
    const sampled = Array.from({ length: Math.ceil(last.rows / spreadStride) }, (_, index) => index * spreadStride);
    const sums = await head.spread(rowsAt(last, sampled));
    if (spread === undefined) spread = sums;
    else for (const [token, sum] of sums.entries()) spread[token] = at(spread, token) + sum;
    positions += sampled.length;
    advanceProgress(segments.length);
  }
  // p is at most 1 up to rounding
  return Float32Array.from(spread ?? [], (sum) => Math.max(sum / positions, 0));
}

/**
 * The statistics of embedding and head from the states after the last block: how often each token is read, what an error of the
 * embedding costs where it is the head too, and how uncertain the prediction of each token is, a language after the other, then
 * the Grams of the head's input.
 */
export async function* captureEmbeddings(
  capture: EmbeddingsCapture,
  tools: CaptureTools & { readonly grams: ScratchFile },
): AsyncGenerator<Statistic> {
  const { model, embeddings, plan, batches, shares, reads } = capture;
  const { grams } = tools;
  grams.clear();
  const block = embeddings.name;
  const pooledGrams = new PooledGrams();
  const statistics = new LanguageStatistics(plan.sites, tools.sums);
  const { width } = at(plan.sites, 0);
  const found = new Map<string, { tokens: number; spread: ReturnType<ScratchFile["append"]>; rest: () => Statistic[] }>();
  for (const [language, own] of batches) {
    const share = shares[language];
    if (share === undefined) throw new InternalError(`${language} has no weight in the mix`, { language });
    const spread = await captureLanguage(capture, own, statistics, tools);
    const mean = at(await statistics.finish(plan.pooled ? { grams: pooledGrams, share } : undefined), 0);
    const kept = (["gram", "diagonal"] as const).flatMap((kind) => {
      const values = mean[kind];
      return values === undefined ? [] : [{ kind, slot: grams.append(values) }];
    });
    const { tokens } = mean;
    found.set(language, {
      tokens,
      spread: grams.append(spread),
      rest: () =>
        kept.map(({ kind, slot }) => {
          const values = new Float32Array(grams.read(slot).buffer);
          return { block, site: headSite, language, kind, tokens, width, values };
        }),
    });
  }
  const perToken = (site: string, language: string, tokens: number, values: Float32Array): Statistic => ({
    block,
    site,
    language,
    kind: "diagonal",
    tokens,
    width: values.length,
    values,
  });
  for (const [language, { tokens }] of found) {
    const own = reads.shares(language);
    if (own === undefined) throw new InternalError(`no token of ${language} was counted`, { language });
    yield perToken(tokenSites.reads, language, tokens, own);
  }
  if (embeddings.isTied) {
    const { tensor } = at(at(embeddings.sites, 0).weights, 0);
    const passes = { forward: tools.forward, embeddings: embeddingsForward(tools.forward) };
    for (const [language, { tokens }] of found) {
      if (tools.signal.aborted) throw new InterruptedError("capture: stopped");
      const text = reads.text(language);
      if (text === undefined) throw new InternalError(`no token of ${language} was counted`, { language });
      yield perToken(tokenSites.price, language, tokens, Float32Array.of(await embeddingPrice(model, tensor, passes, text)));
    }
  }
  // what compresses embedding and head reads some of their rows at a time
  embeddingsForward(tools.forward).freeHead();
  for (const [language, { tokens, spread }] of found) {
    yield perToken(tokenSites.spread, language, tokens, new Float32Array(grams.read(spread).buffer));
  }
  const pooled = pooledGrams.get(headSite);
  const tokens = [...found.values()].reduce((sum, own) => sum + own.tokens, 0);
  if (pooled !== undefined) yield { block, site: headSite, language: allLanguages, kind: "gram", tokens, width, values: pooled };
  for (const { rest } of found.values()) yield* rest();
}
