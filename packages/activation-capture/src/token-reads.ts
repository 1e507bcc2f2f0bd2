import { parseMetadata, readSegments } from "@mbs/artifacts";
import type { Segment } from "@mbs/artifacts";
import { at, BadDataError, UsageError } from "@mbs/contracts";
import type { ArtifactStream } from "@mbs/contracts";
import { checkTokens, requireEmbeddings } from "@mbs/models";
import type { Model } from "@mbs/models";

const keyOf = ({ language, segment }: Pick<Segment, "language" | "segment">): string => `${language} ${segment}`;

/** How often each token is read, by language. */
export class TokenReads {
  readonly #vocabularySize: number;
  readonly #counts = new Map<string, Uint32Array>();
  /** The tokens of the first segment of each language. */
  readonly #texts = new Map<string, Int32Array>();
  /** The segments that were counted. */
  readonly #seen = new Set<string>();

  constructor(vocabularySize: number) {
    this.#vocabularySize = vocabularySize;
  }

  /** Counts the tokens of a segment, which were checked to be in the vocabulary. */
  count(segment: Segment): void {
    const { language, tokens } = segment;
    const counts = this.#counts.get(language) ?? new Uint32Array(this.#vocabularySize);
    this.#counts.set(language, counts);
    for (const token of tokens) counts[token] = at(counts, token) + 1;
    if (!this.#texts.has(language)) this.#texts.set(language, tokens);
    this.#seen.add(keyOf(segment));
  }

  /** Passes segments on and counts each. */
  async *countAll(segments: AsyncIterable<Segment> | Iterable<Segment>): AsyncGenerator<Segment> {
    for await (const segment of segments) {
      yield segment;
      // behind the reader, who has checked the tokens
      this.count(segment);
    }
  }

  /** @throws {BadDataError} naming a segment of states whose tokens were not counted */
  require(heads: Iterable<Pick<Segment, "language" | "segment">>): void {
    for (const head of heads) {
      if (this.#seen.has(keyOf(head))) continue;
      throw new BadDataError(
        `segment ${head.segment} of ${head.language} has states, and --segments do not have it; give the segments that the states were made of`,
        { segment: head.segment },
      );
    }
  }

  /** The tokens of the language's first segment; undefined where nothing was counted. */
  text(language: string): Int32Array | undefined {
    return this.#texts.get(language);
  }

  /** The share of each token among those of a language, [vocabulary]; undefined where nothing was counted. */
  shares(language: string): Float32Array | undefined {
    const counts = this.#counts.get(language);
    if (counts === undefined) return undefined;
    const total = counts.reduce((sum, count) => sum + count, 0);
    return Float32Array.from(counts, (count) => count / total);
  }
}

/**
 * Where tokens are counted; undefined where embedding and head are not captured.
 *
 * @param asked.embeddings whether they are asked for with segments as the source
 * @param asked.isBehind whether the states are those after the last block: then they are all that is captured
 * @param asked.segments those that the states were made of
 * @throws {UsageError} where the segments are missing, or not wanted
 * @throws {FailedPreconditionError} for a model whose embedding and head stay as they are
 */
export async function readsFor(asked: {
  readonly embeddings: boolean;
  readonly site: readonly string[] | undefined;
  readonly model: Model;
  readonly kind: "segments" | "states";
  readonly isBehind: boolean;
  readonly segments: ArtifactStream | undefined;
}): Promise<TokenReads | undefined> {
  const { embeddings, site, model, kind, isBehind, segments } = asked;
  if (embeddings && kind === "states" && !isBehind) {
    throw new UsageError("capture: --embeddings goes with segments, or with states after the last block", {
      option: "--embeddings",
    });
  }
  if ((segments !== undefined) !== isBehind) {
    throw new UsageError(
      isBehind
        ? "capture: states after the last block are for embedding and head; give it --segments too, whose tokens are counted"
        : "capture: --segments go with states after the last block",
      { option: "--segments" },
    );
  }
  if (!embeddings && !isBehind) return undefined;
  requireEmbeddings(model);
  if (site !== undefined) throw new UsageError("capture: --site is for blocks, not for embedding and head", { option: "--site" });
  const reads = new TokenReads(model.vocabularySize);
  if (segments === undefined) return reads;
  const { tokenizer } = parseMetadata("segments", segments.schema);
  if (tokenizer !== model.tokenizerAddress) {
    throw new BadDataError(`the segments are of tokenizer ${tokenizer}, the model's is ${model.tokenizerAddress}; sample again`, {
      tokenizer,
    });
  }
  for await (const segment of readSegments(segments)) {
    checkTokens(segment.tokens, model.vocabularySize, `segment ${segment.segment} of ${segment.language}`);
    reads.count(segment);
  }
  return reads;
}
