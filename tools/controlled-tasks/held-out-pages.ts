import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { at } from "@mbs/contracts";

const texts = new URL("../../datasets/controlled-texts/", import.meta.url);

/** A page of a language that the controlled models were not trained on. */
export interface Page {
  readonly name: string;
  readonly paragraphs: readonly string[];
}

/** The languages of the held-out texts, in their manifest's order: from the largest share of the training to the smallest. */
export async function heldOutLanguages(): Promise<readonly string[]> {
  const manifest = await readFile(new URL("heldout.yaml", texts), "utf8");
  return [...manifest.matchAll(/^ {2}(\S+): heldout\//gm)].map((match) => at(match, 1));
}

/** The held-out pages of a language, in the order of the file. */
export async function heldOutPages(language: string): Promise<readonly Page[]> {
  const lines = (await readFile(new URL(`heldout/${language}.jsonl`, texts), "utf8")).trimEnd().split("\n");
  return lines.map((line) => {
    const { page, text } = JSON.parse(line) as { readonly page: string; readonly text: string };
    return { name: page, paragraphs: text.split("\n") };
  });
}

const seed = "controlled-tasks 1";

/** A whole number below `limit` that depends on the seed and a key alone, on any machine and version of Node. */
export function chosenBy(key: string, limit: number): number {
  return createHash("sha256").update(`${seed}\n${key}`).digest().readUIntBE(0, 6) % limit;
}

/** Values in an order that depends on the seed and their keys alone. */
export function shuffledBy<Value>(values: readonly Value[], keyOf: (value: Value) => string): readonly Value[] {
  const keyed = values.map((value) => ({
    value,
    key: createHash("sha256")
      .update(`${seed}\n${keyOf(value)}`)
      .digest("hex"),
  }));
  return keyed.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0)).map(({ value }) => value);
}
