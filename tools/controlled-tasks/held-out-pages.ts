import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { parse } from "yaml";

/** A page of a language. */
export interface Page {
  readonly name: string;
  readonly paragraphs: readonly string[];
}

/** The languages of a corpus and their files of JSON lines, in its manifest's order. */
export async function heldOutFiles(manifest: string): Promise<ReadonlyMap<string, string>> {
  const { languages } = parse(await readFile(manifest, "utf8")) as { readonly languages: Readonly<Record<string, string>> };
  return new Map(Object.entries(languages).map(([language, file]) => [language, resolve(dirname(manifest), file)]));
}

/** The pages of a language, in the order of its file; the field `page` or `source` is a page's name. */
export async function heldOutPages(file: string): Promise<readonly Page[]> {
  const lines = (await readFile(file, "utf8")).trimEnd().split("\n");
  return lines.map((line, index) => {
    const { page, source, text } = JSON.parse(line) as {
      readonly page?: string;
      readonly source?: string;
      readonly text: string;
    };
    const name = page ?? source;
    if (name === undefined) throw new Error(`${file}, line ${index + 1}: no field "page" or "source" names the page`);
    return { name, paragraphs: text.split("\n") };
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
