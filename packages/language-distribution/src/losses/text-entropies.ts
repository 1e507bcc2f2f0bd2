import { setImmediate } from "node:timers/promises";
import { deflateRawSync } from "node:zlib";
import { BadDataError, InterruptedError } from "@mbs/contracts";
import type { Corpus } from "@mbs/corpora";
import { CharacterModel } from "./character-model.ts";

/** UTF-8 bytes of each language's text that are enough by default. */
export const textBytes = 1_000_000;

const order = 5;

const sizeOf = (text: string): number => deflateRawSync(text).length;

interface Half {
  readonly texts: string[];
  /** UTF-8. */
  bytes: number;
}

/** Documents in turn for learning and for measuring; once one half is full, the rest go to the other. */
async function readHalves(corpus: Corpus, language: string, limit: number): Promise<readonly [string, string]> {
  const [learnt, measured]: [Half, Half] = [
    { texts: [], bytes: 0 },
    { texts: [], bytes: 0 },
  ];
  let documents = 0;
  for await (const { text } of corpus.documents(language)) {
    const [next, other] = documents % 2 === 0 ? [learnt, measured] : [measured, learnt];
    const half = next.bytes < limit / 2 ? next : other;
    half.texts.push(text);
    half.bytes += Buffer.byteLength(text);
    documents += 1;
    if (Math.min(learnt.bytes, measured.bytes) >= limit / 2) break;
  }
  if (documents < 2) {
    throw new BadDataError(`corpus ${corpus.name} has ${documents} documents in ${language}; two or more are needed`, {
      language,
    });
  }
  return [learnt.texts.join("\n"), measured.texts.join("\n")];
}

/**
 * How hard the text of each language is for a small model of characters, in bits per UTF-8 byte: what a model's losses have to be
 * compared with before languages can be compared. Scripts spend different numbers of bytes on the same content, so every language
 * learns and is measured on the same amount of deflated text, as much as the smallest half has.
 *
 * @param limit UTF-8 bytes of text used of each language, half of them to learn from; the last document of a half is used whole
 * @throws {BadDataError} where a language has fewer than two documents
 */
export async function textEntropies(corpus: Corpus, limit: number, signal: AbortSignal): Promise<ReadonlyMap<string, number>> {
  const halves = new Map<string, readonly [string, string]>();
  for (const language of corpus.languages) halves.set(language, await readHalves(corpus, language, limit));
  const smallest = Math.min(...[...halves.values()].flat().map(sizeOf));
  const entropies = new Map<string, number>();
  for (const [language, [learnt, measured]] of halves) {
    await setImmediate();
    if (signal.aborted) throw new InterruptedError("distribution: stopped");
    const cut = (text: string): string => text.slice(0, Math.ceil((text.length * smallest) / sizeOf(text)));
    const model = new CharacterModel(order);
    model.learn(cut(learnt));
    const text = cut(measured);
    entropies.set(language, model.bits(text) / Buffer.byteLength(text));
  }
  return entropies;
}
