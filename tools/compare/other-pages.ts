/**
 * Copies texts of the comparison with other held-out pages: of each page its first paragraphs, until they have the tokens of a window, in
 * an order that has nothing to do with what pages are about. So rows are scored on as many pages as windows, or nearly.
 *
 * usage: node --conditions=mbs-source --import tsx tools/compare/other-pages.ts --model M --texts FOLDER --output FOLDER
 *   --texts   what tools/compare/texts.ts has made
 *   --output  for --texts of tools/compare/run.ts with --size pages; must not be there
 */
import { createHash } from "node:crypto";
import { cp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { openModel } from "@mbs/models";
import { twelveLanguages } from "./languages.ts";
import { sizes } from "./rows.ts";

const { values } = parseArgs({
  options: { model: { type: "string" }, texts: { type: "string" }, output: { type: "string" } },
});
if (values.model === undefined || values.texts === undefined || values.output === undefined) {
  console.error("usage: tools/compare/other-pages.ts --model M --texts FOLDER --output FOLDER");
  process.exit(2);
}
const { texts, output } = values;
const { windows, windowLength } = sizes.pages;

interface Page {
  /** Path within the help, the same in every language. */
  readonly source: string;
  readonly text: string;
}

/** Where a page stands: shuffled without a seed, the same in every language. */
const shuffledPlace = ({ source }: Page): string => createHash("sha256").update(`order ${source}`).digest("hex");

const model = await openModel(values.model);
const tokenizer = await model.tokenizer();

/** The first paragraphs of a page, until they have the tokens of a window. */
function beginningOf(text: string, language: string): { readonly text: string; readonly tokens: number } {
  const kept: string[] = [];
  let tokens = 0;
  for (const paragraph of text.split("\n")) {
    if (tokens >= windowLength) break;
    kept.push(paragraph);
    tokens += tokenizer.encode(paragraph, language).length;
  }
  return { text: kept.join("\n"), tokens };
}

// whole, or not there: a stopped one would be taken for texts whose held-out pages are the first ones
const unfinished = `${output}.unfinished`;
await rm(unfinished, { recursive: true, force: true });
await cp(texts, unfinished, { recursive: true });
for (const { tag } of twelveLanguages) {
  const path = join(unfinished, "heldout", `${tag}.jsonl`);
  const lines = (await readFile(path, "utf8")).split("\n").filter((line) => line !== "");
  const pages = lines.map((line) => JSON.parse(line) as Page).sort((a, b) => (shuffledPlace(a) < shuffledPlace(b) ? -1 : 1));
  const taken: string[] = [];
  let tokens = 0;
  for (const page of pages) {
    if (tokens > (windows + 1) * windowLength) break;
    const beginning = beginningOf(page.text, tag);
    tokens += beginning.tokens;
    taken.push(`${JSON.stringify({ ...page, text: beginning.text })}\n`);
  }
  await writeFile(path, taken.join(""));
  process.stderr.write(`other-pages: ${tag}: ${taken.length} pages, ${tokens} tokens\n`);
}
await model.close();
await rename(unfinished, output);
