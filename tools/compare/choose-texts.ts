/**
 * Chooses pages of the calibration texts of texts.ts in several ways, so that the comparison can say whether it matters which
 * pages are taken, at the same number of tokens.
 *
 * usage: node --conditions=mbs-source --import tsx tools/compare/choose-texts.ts --model M --texts FOLDER
 *
 * FOLDER gets, for each way, chosen/WAY/LANG.jsonl and chosen-WAY.yaml with six pages and 3072 tokens a language at least, twice
 * what a row draws of it:
 *
 *   short        the pages of the fewest tokens
 *   long         any pages of at least 512 tokens, as many as a segment has
 *   diverse      those with the most different tokens among their first 200
 *   uncovered    one page after the other, each the one that those before it cover least: by the leverage of its states in the
 *                middle of the model, Σ xᵀ(I + Σ yyᵀ)⁻¹x over the first 256 tokens, y of the pages before; of 48
 *                pages of 256 to 511 tokens
 */
import { createHash } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { advance, embedStreams, openModel, statesOf } from "@mbs/models";
import type { Forward, Model } from "@mbs/models";
import { stringify } from "yaml";
import { twelveLanguages } from "./languages.ts";

const { values } = parseArgs({ options: { model: { type: "string" }, texts: { type: "string" } } });
if (values.model === undefined || values.texts === undefined) throw new Error("usage: choose-texts.ts --model M --texts FOLDER");
const texts = resolve(values.texts);

/** Tokens of a language, in so many pages, as each segment begins with one, of at least `least`; `first` are those that decide. */
const [wanted, pagesWanted, least] = [3072, 6, 40];
const first = { diverse: 200, uncovered: 256, long: 512 };
const uncoveredOf = 48;

interface Page {
  /** As it stands in the file. */
  readonly line: string;
  readonly tokens: Int32Array;
}

/** Pages from the first on, until there are enough of them and of tokens. */
async function enough(pages: Iterable<Page> | AsyncIterable<Page>): Promise<readonly Page[]> {
  const taken: Page[] = [];
  let tokens = 0;
  for await (const page of pages) {
    taken.push(page);
    tokens += page.tokens.length;
    if (tokens >= wanted && taken.length >= pagesWanted) break;
  }
  return taken;
}

/** In an order that has nothing to do with what they say. */
function shuffled(pages: readonly Page[]): readonly Page[] {
  const address = ({ line }: Page): string => createHash("sha256").update(line).digest("hex");
  return [...pages].sort((a, b) => (address(a) < address(b) ? -1 : 1));
}

function diverse(pages: readonly Page[]): readonly Page[] {
  const different = (page: Page): number => new Set(page.tokens.subarray(0, first.diverse)).size;
  return pages.filter(({ tokens }) => tokens.length >= first.diverse).sort((a, b) => different(b) - different(a));
}

/** States of the tokens of a page in the middle of the model, each by its root mean square. */
async function tokenStates(page: Page, model: Model, forward: Forward): Promise<readonly Float32Array[]> {
  const tokens = page.tokens.subarray(0, first.uncovered);
  let states = await embedStreams(forward, new Map([["hidden", tokens]]));
  for (let block = 0; block < model.blocks.length / 2; block += 1) states = await advance(forward, model.blocks, block, states);
  const { rows, columns, values: all } = statesOf(states, "hidden");
  return Array.from({ length: rows }, (_, row) => {
    const own = all.subarray(row * columns, (row + 1) * columns);
    const size = Math.sqrt(own.reduce((sum, value) => sum + value * value, 0) / columns);
    return own.map((value) => value / size);
  });
}

/** (I + Σ yyᵀ)⁻¹ of the rows that it has seen. */
class Covered {
  readonly #width: number;
  readonly #inverse: Float64Array;

  constructor(width: number) {
    this.#width = width;
    this.#inverse = new Float64Array(width * width);
    for (let index = 0; index < width; index += 1) this.#inverse[index * (width + 1)] = 1;
  }

  #times(row: Float32Array): Float64Array {
    const made = new Float64Array(this.#width);
    for (let index = 0; index < this.#width; index += 1) {
      const scale = row[index] ?? 0;
      const from = index * this.#width;
      for (let column = 0; column < this.#width; column += 1) {
        made[column] = (made[column] ?? 0) + scale * (this.#inverse[from + column] ?? 0);
      }
    }
    return made;
  }

  /** xᵀ(I + Σ yyᵀ)⁻¹x */
  leverage(row: Float32Array): number {
    return this.#times(row).reduce((sum, value, index) => sum + value * (row[index] ?? 0), 0);
  }

  /** By the formula of Sherman and Morrison. */
  add(row: Float32Array): void {
    const seen = this.#times(row);
    const scale = 1 / (1 + seen.reduce((sum, value, index) => sum + value * (row[index] ?? 0), 0));
    for (let index = 0; index < this.#width; index += 1) {
      const own = scale * (seen[index] ?? 0);
      for (let column = 0; column < this.#width; column += 1) {
        const place = index * this.#width + column;
        this.#inverse[place] = (this.#inverse[place] ?? 0) - own * (seen[column] ?? 0);
      }
    }
  }
}

/** Every eighth row says enough of how far a page is covered. */
const leverageOf = (rows: readonly Float32Array[], covered: Covered): number =>
  rows.filter((_, index) => index % 8 === 0).reduce((sum, row) => sum + covered.leverage(row), 0);

async function* uncovered(pages: readonly Page[], model: Model, forward: Forward): AsyncGenerator<Page> {
  const decided = pages.filter(({ tokens }) => tokens.length >= first.uncovered && tokens.length < 2 * first.uncovered);
  const drawn = shuffled(decided).slice(0, uncoveredOf);
  const left = new Map<Page, readonly Float32Array[]>();
  for (const page of drawn) left.set(page, await tokenStates(page, model, forward));
  const covered = new Covered(model.stateWidth);
  while (left.size > 0) {
    const ranked = [...left].map(([page, rows]) => ({ page, rows, leverage: leverageOf(rows, covered) }));
    const { page, rows } = ranked.reduce((most, other) => (other.leverage > most.leverage ? other : most));
    left.delete(page);
    for (const row of rows) covered.add(row);
    yield page;
  }
}

const model = await openModel(values.model);
const forward = await model.forward({ threads: 1 });
const tokenizer = await model.tokenizer();
const chosen = new Map<string, Map<string, readonly Page[]>>();
for (const { tag } of twelveLanguages) {
  const lines = (await readFile(join(texts, "calibration", `${tag}.jsonl`), "utf8")).split("\n").filter((line) => line !== "");
  const pages = lines
    .map((line): Page => ({ line, tokens: tokenizer.encode((JSON.parse(line) as { readonly text: string }).text, tag) }))
    .filter(({ tokens }) => tokens.length >= least);
  const ways: Readonly<Record<string, readonly Page[]>> = {
    short: await enough([...pages].sort((a, b) => a.tokens.length - b.tokens.length)),
    long: await enough(shuffled(pages.filter(({ tokens }) => tokens.length >= first.long))),
    diverse: await enough(diverse(pages)),
    uncovered: await enough(uncovered(pages, model, forward)),
  };
  for (const [way, taken] of Object.entries(ways)) {
    chosen.set(way, (chosen.get(way) ?? new Map<string, readonly Page[]>()).set(tag, taken));
    const tokens = taken.reduce((sum, page) => sum + page.tokens.length, 0);
    process.stderr.write(`choose-texts: ${tag}, ${way}: ${taken.length} of ${pages.length} pages, ${tokens} tokens\n`);
  }
}
await forward.close();
await model.close();
for (const [way, languages] of chosen) {
  await mkdir(join(texts, "chosen", way), { recursive: true });
  for (const [tag, pages] of languages) {
    await writeFile(join(texts, "chosen", way, `${tag}.jsonl`), pages.map(({ line }) => `${line}\n`).join(""));
  }
  const entries = Object.fromEntries([...languages.keys()].map((tag) => [tag, `chosen/${way}/${tag}.jsonl`]));
  await writeFile(join(texts, `chosen-${way}.yaml`), stringify({ languages: entries }));
}
