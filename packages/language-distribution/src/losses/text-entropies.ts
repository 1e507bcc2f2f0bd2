import { setImmediate } from "node:timers/promises";
import { deflateRawSync } from "node:zlib";
import { BadDataError, InterruptedError } from "@mbs/contracts";
import type { Corpus } from "@mbs/corpora";
import { CharacterModel } from "./character-model.ts";

/** UTF-8 bytes of each language's text that are enough by default. */
export const textBytes = 1_000_000;

const order = 5;

const sizeOf = (text: string): number => deflateRawSync(text).length;

/** Every other document to learn from, the others to measure on; once a half has its part of the limit, all to the other. */
async function readHalves(corpus: Corpus, language: string, limit: number): Promise<readonly [string, string]> {
  const halves: [string[], string[]] = [[], []];
  const bytes = [0, 0];
  let documents = 0;
  for await (const { text } of corpus.documents(language)) {
    const next = documents % 2;
    const half = bytes[next] < limit / 2 ? next : 1 - next;
    halves[half].push(text);
    bytes[half] += Buffer.byteLength(text);
    documents += 1;
    if (Math.min(...bytes) >= limit / 2) break;
  }
  if (documents < 2) {
    throw new BadDataError(`corpus ${corpus.name} has ${documents} documents in ${language}; two or more are needed`, {
      language,
    });
  }
  return [halves[0].join("\n"), halves[1].join("\n")];
}

/**
 * How hard the text of each language is for a small model of characters, in bits a UTF-8 byte: what a model's losses have to be
 * held against before languages can be compared. Scripts spend different numbers of bytes on the same content, so every language
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
    const [own, other] = [learnt, measured].map((text) => text.slice(0, Math.ceil((text.length * smallest) / sizeOf(text))));
    const model = new CharacterModel(order);
    model.learn(own);
    entropies.set(language, model.bits(other) / Buffer.byteLength(other));
  }
  return entropies;
}
