import { at } from "@mbs/contracts";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import type { Corpus } from "@mbs/corpora";
import { uniformFloat64 } from "pure-rand/distribution/uniformFloat64";
import { xoroshiro128plus } from "pure-rand/generator/xoroshiro128plus";

/** A tokenizer trained on a known mixture of made-up languages, by tools/golden/distribution. */
export interface MixtureCase {
  readonly kind: "byte-level" | "sentencepiece";
  readonly shares: Readonly<Record<string, number>>;
  readonly tokenizer: Readonly<Record<string, unknown>>;
}

export interface Mixtures {
  readonly words: Readonly<Record<string, readonly string[]>>;
  readonly cases: readonly MixtureCase[];
}

export async function readMixtures(): Promise<Mixtures> {
  return JSON.parse(await readFile(fileURLToPath(new URL("fixtures/mixtures.json", import.meta.url)), "utf8")) as Mixtures;
}

/** Words of a language at random, the n-th 1/n as often as the first. */
function makeText(words: readonly string[], bytes: number, generator: ReturnType<typeof xoroshiro128plus>): string {
  const ends: number[] = [];
  for (const rank of words.keys()) ends.push((ends.at(-1) ?? 0) + 1 / (rank + 1));
  const chosen: string[] = [];
  for (let used = 0; used < bytes;) {
    const place = uniformFloat64(generator) * (ends.at(-1) ?? 0);
    const word = at(
      words,
      ends.findIndex((end) => end > place),
    );
    chosen.push(word);
    used += Buffer.byteLength(word) + 1;
  }
  return chosen.join(" ");
}

/** A corpus of texts drawn from the same words, but not the texts that the tokenizers saw. */
export function syntheticCorpus(
  { words }: Mixtures,
  { languages = Object.keys(words), documents = 20, bytes = 10_000, seed = 1 } = {},
): Corpus {
  const texts = new Map(
    languages.map((language, index) => {
      const generator = xoroshiro128plus(1000 * seed + index);
      const own = words[language];
      if (own === undefined) throw new Error(`no words of ${language}`);
      return [language, Array.from({ length: documents }, () => makeText(own, bytes, generator))];
    }),
  );
  return {
    name: "synthetic",
    license: undefined,
    languages,
    files: [],
    address: Promise.resolve(""),
    async *documents(language) {
      for (const text of texts.get(language) ?? []) yield { text, source: "" };
    },
  };
}
