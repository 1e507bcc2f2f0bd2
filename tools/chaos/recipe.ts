import { createHash } from "node:crypto";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join, relative } from "node:path";
import { stringify } from "yaml";
import { mbs, model } from "../reliability/make-artifacts.ts";

export { model };

/** A recipe whose run is killed: two shards, some 45 nodes, of a model so small that most of the time goes into processes. */
export async function writeRecipe(folder: string, name: string, corpus: string): Promise<{ recipe: string; output: string }> {
  const output = join(folder, name);
  const recipe = join(folder, `${name}.yaml`);
  const content = {
    model,
    corpus,
    sample: { mix: "equal", segments: 4, length: 16 },
    shards: 2,
    compress: { solver: "gptq", bits: 4, "group-size": 8 },
    evaluate: { corpus, windows: 2, length: 16 },
    output,
  };
  await writeFile(recipe, stringify(content));
  return { recipe, output };
}

/** The threads of a worker, which a run took when it began, and on which results depend. */
async function threadsOf(output: string): Promise<number> {
  const { threads } = JSON.parse(await readFile(join(output, "run", "machine.json"), "utf8")) as { threads: number };
  return threads;
}

/** In the card of a run at a queue, which holds its workers to one class of processors; a run on one machine has no such line. */
const processorClass = /^ {2}processors: .*\n/m;

async function contentOf(path: string): Promise<Uint8Array | string> {
  if (!path.endsWith("README.md")) return readFile(path);
  return (await readFile(path, "utf8")).replace(processorClass, "");
}

/** Path → hash of all files of the model and of the scores that a run has written. */
async function resultsOf(output: string): Promise<ReadonlyMap<string, string>> {
  const entries = await readdir(output, { recursive: true, withFileTypes: true });
  const names = entries.filter((entry) => entry.isFile()).map(({ parentPath, name }) => relative(output, join(parentPath, name)));
  const kept = names.filter((name) => name.startsWith("model/") || name === "scores.arrow").toSorted();
  const hash = async (name: string): Promise<[string, string]> => [
    name,
    createHash("sha256")
      .update(await contentOf(join(output, name)))
      .digest("hex"),
  ];
  return new Map(await Promise.all(kept.map(hash)));
}

/** How the result of a run is not that of one left alone. */
export interface Difference {
  /** Files are lacking; otherwise they have other bytes. */
  readonly isLost: boolean;
  readonly what: string;
}

/** Results of the recipe's run on this machine alone, which nothing disturbs, by the threads that a disturbed one took. */
export class RunsAlone {
  readonly #folder: string;
  readonly #corpus: string;
  readonly #results = new Map<number, ReadonlyMap<string, string>>();

  constructor(folder: string, corpus: string) {
    this.#folder = folder;
    this.#corpus = corpus;
  }

  /** What a run wrote other than the one left alone, undefined where all is the same. */
  async differenceOf(output: string): Promise<Difference | undefined> {
    const found = await resultsOf(output);
    const expected = await this.#resultsWith(await threadsOf(output));
    const lacks = [...expected.keys()].filter((name) => !found.has(name));
    if (lacks.length > 0) return { isLost: true, what: `${output} lacks ${lacks.join(", ")}` };
    const differs = [...found].filter(([name, hash]) => expected.get(name) !== hash).map(([name]) => name);
    return differs.length > 0 ? { isLost: false, what: `${output}: other bytes in ${differs.join(", ")}` } : undefined;
  }

  async #resultsWith(threads: number): Promise<ReadonlyMap<string, string>> {
    const known = this.#results.get(threads);
    if (known !== undefined) return known;
    const { recipe, output } = await writeRecipe(this.#folder, `alone-${threads}`, this.#corpus);
    await mbs(["run", recipe, "--quiet", "--workers", "1", "--threads", String(threads)]);
    const found = await resultsOf(output);
    this.#results.set(threads, found);
    return found;
  }
}
