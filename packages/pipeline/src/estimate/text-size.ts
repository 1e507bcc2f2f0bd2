import type { OpenChat, StageContext } from "@mbs/contracts";
import { openCorpus, takenLanguages } from "@mbs/corpora";
import type { Corpus } from "@mbs/corpora";
import { chatOf } from "@mbs/models";
import type { Model } from "@mbs/models";
import { processorSeconds } from "./probes/timing.ts";

/** How much text a corpus holds. */
export interface TextSize {
  /** Language → tokens, from its bytes and the ratio measured on its first texts. */
  readonly tokens: ReadonlyMap<string, number>;
  /** Processor seconds to read all of it. */
  readonly readSeconds: number;
  /** Tokens that are made of text in a second of processor time. */
  readonly tokensPerSecond: number;
}

/** Characters of each language that are encoded to learn the ratio of tokens to bytes. */
const probeCharacters = 20_000;

async function measureLanguage(corpus: Corpus, language: string, chat: OpenChat): Promise<{ bytes: number; probe: string }> {
  let bytes = 0;
  let probe = "";
  for await (const { text } of corpus.documents(language, chat)) {
    bytes += Buffer.byteLength(text) + 2;
    if (probe.length < probeCharacters) probe += `${text}\n\n`;
  }
  return { bytes, probe: probe.slice(0, probeCharacters) };
}

/** Reads a corpus once and encodes a piece of every language. @param named the languages that are taken; absent: all */
export async function measureTexts(
  { corpus: path, languages: named }: { readonly corpus: string; readonly languages: readonly string[] | undefined },
  model: Pick<Model, "path" | "files" | "tokenizer">,
  context: Pick<StageContext, "signal" | "progress">,
): Promise<TextSize> {
  const corpus = await openCorpus(path, context);
  const tokenizer = await model.tokenizer();
  const tokens = new Map<string, number>();
  let readSeconds = 0;
  let encodeSeconds = 0;
  let encoded = 0;
  for (const language of takenLanguages(corpus, named).languages) {
    const before = processorSeconds();
    const { bytes, probe } = await measureLanguage(corpus, language, chatOf(model));
    const read = processorSeconds();
    const count = probe === "" ? 0 : tokenizer.encode(probe, language).length;
    readSeconds += read - before;
    encodeSeconds += processorSeconds() - read;
    encoded += count;
    tokens.set(language, probe === "" ? 0 : (bytes * count) / Buffer.byteLength(probe));
  }
  return { tokens, readSeconds, tokensPerSecond: encoded / Math.max(encodeSeconds, 1e-6) };
}
