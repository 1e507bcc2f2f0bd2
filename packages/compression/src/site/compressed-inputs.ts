import { embeddingSite, headClassSite, headSite, isReadSite, readFactors, tokenSites, embeddingsBlock } from "@mbs/artifacts";
import type { FactorRecord } from "@mbs/artifacts";
import { BadDataError, type ArtifactStream } from "@mbs/contracts";
import { compressibleBlocks, type Model } from "@mbs/models";
import { packUpper } from "@mbs/numbers";
import type { SiteInput } from "./site-statistics.ts";

/** What is compressed next: the weights of a site, or those of their rows that one factor is for. */
export interface Work extends SiteInput {
  /** What a squared error of each row's output costs, where rows differ in that. */
  readonly rowCosts?: Float32Array | undefined;
  /** The class of each row, and that of the factor; absent where it is for all rows. */
  readonly rowClass?: { readonly classes: Float32Array; readonly number: number };
}

/** Every site of a model, of whose inputs nothing is known, embedding and head among them where they are asked for. */
export function* plainSites(model: Model, withEmbeddings: boolean): Generator<Work> {
  for (const { name: block, sites } of withEmbeddings ? compressibleBlocks(model) : model.blocks) {
    for (const { name: site, width } of sites) yield { block, site, width };
  }
}

/** H = I for the embedding of an untied model: tokens read its rows as they are. */
function embeddingFactor(like: FactorRecord): FactorRecord {
  const { block, width } = like;
  const identity = new Float32Array(width * width);
  for (let column = 0; column < width; column += 1) identity[column * (width + 1)] = 1;
  const packed = packUpper(identity, width);
  const { requestedDamping: _, fallback: __, ...summary } = like.summary;
  return {
    block,
    site: embeddingSite,
    width,
    summary: {
      ...summary,
      requestedDamping: 0,
      damping: 0,
      precision: "float32",
      retries: 0,
      dead: [],
      orderName: "natural",
      factorised: true,
    },
    order: Int32Array.from({ length: width }, (_, column) => column),
    diagonal: new Float32Array(width).fill(1),
    gram: packed,
    upper: packed.slice(),
  };
}

/** The sites of factors that weights read. @throws {BadDataError} where the head is asked for, and they do not have it */
export async function* factoredSites(
  factors: ArtifactStream,
  { embeddings }: Model,
  withEmbeddings: boolean,
): AsyncGenerator<Work> {
  /** Values of tokens, by their sites: they come before the head's. */
  const ofTokens = new Map<string, Float32Array>();
  let head: FactorRecord | undefined;
  let number = 0;
  for await (const factor of readFactors(factors)) {
    const { block, site, width } = factor;
    if (block !== embeddingsBlock) {
      // no weight reads the input before the norm; its factor is there for comparisons of languages
      if (isReadSite(site)) yield { block, site, width, factor };
    } else if (site !== headClassSite(number)) {
      ofTokens.set(site, factor.diagonal);
    } else if (withEmbeddings) {
      const classes = ofTokens.get(tokenSites.classes);
      const rowCosts = ofTokens.get(tokenSites.spread);
      yield { block, site: headSite, width, factor, rowCosts, ...(classes && { rowClass: { classes, number } }) };
      head ??= factor;
      number += 1;
    }
  }
  if (!withEmbeddings) return;
  const classes = ofTokens.get(tokenSites.classes)?.reduce((most, own) => Math.max(most, own + 1), 1) ?? 1;
  if (head === undefined || number < classes) {
    throw new BadDataError("the factors have no input of the head; capture with --embeddings, or leave it out here");
  }
  for (const { name: site, width } of embeddings?.sites ?? []) {
    if (site === headSite) continue;
    yield { block: embeddingsBlock, site, width, factor: embeddingFactor(head), rowCosts: ofTokens.get(tokenSites.reads) };
  }
}
