import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { program } from "./fixtures/program.ts";
import { runMbs } from "./fixtures/run-mbs.ts";

const root = join(import.meta.dirname, "../../..");
const folder = await mkdtemp(join(tmpdir(), "mbs-tutorial-"));
test.after(() => rm(folder, { recursive: true, force: true }));

/** The blocks of commands of a page, or of one of its sections. @param path from the root */
async function commandsOf(path: string, section = ""): Promise<readonly string[]> {
  const page = await readFile(join(root, path), "utf8");
  const start = page.indexOf(section === "" ? "" : `\n## ${section}\n`);
  assert.ok(start >= 0, section);
  const text = section === "" ? page : page.slice(start).split("\n## ")[1];
  return [...(text ?? "").matchAll(/```sh\n([\s\S]*?)```/g)].map(([, block = ""]) => block);
}

/** The model of the pages is a GGUF file that is quantised already, and so is this one. */
const file = join(folder, "model/model.gguf");

/** What stands in the pages, and here in its place: names of models, and a size as much smaller than its model. */
const inPlaceOf: ReadonlyMap<string, string> = new Map([
  ["gemma-3-270m-q4_k_m.gguf", file],
  ["shrink MODEL", `shrink ${file}`],
  ["hf:google/gemma-3-270m", join(root, "datasets/controlled-llama")],
  ["--size 160MB", "--size 2400kB"],
]);

const replaced = (script: string): string => [...inPlaceOf].reduce((text, [name, other]) => text.replaceAll(name, other), script);

async function runScript(script: string): Promise<string> {
  const built = script.replaceAll(/\bnpx mbs\b/g, `${process.execPath} ${program}`);
  assert.not.match(built, /npx/);
  return (await promisify(execFile)("bash", ["-euo", "pipefail", "-c", built], { cwd: folder })).stdout;
}

test("the commands for your own model run as they stand, on a small one in place of Gemma", async () => {
  const source = join(root, "datasets/controlled-llama");
  const quantised = ["assemble", "--model", source, "--without-layers", "--format", "gguf", "--type", "Q4_K_M"];
  const written = await runMbs([...quantised, "--output", join(folder, "model"), "--quiet"]);
  assert.is(written.code, 0, written.stderr);
  const blocks = await commandsOf("docs/tutorial.md");
  assert.is(blocks.length, 5);
  const stdout = await runScript(replaced(blocks.join("\n")));
  assert.match(stdout, /\nlanguage +perplexity +95% interval\nen .*\nhi .*\nkm [^]*\nlanguage +shrunk +usual\nen /);
  assert.match(stdout, /figures are within their limits/);
  // the same model and size once more: that they are taken is enough
  for (const [path, section] of [
    ["README.md", "Your own model"],
    ["docs/shrink.md", ""],
  ] as const) {
    const [script = "", ...others] = await commandsOf(path, section);
    assert.is(others.length, 0, path);
    const dry = replaced(script).replaceAll(/^(?:npx )?mbs shrink .*$/gm, (line) => `npx ${line.replace(/^npx /, "")} --dry-run`);
    assert.match(await runScript(dry), /^# Written by mbs shrink/, path);
  }
});

test("the first recipe of its page and the stages by hand run as they stand, in a clone", async () => {
  for (const name of ["datasets", "recipes"]) await symlink(join(root, name), join(folder, name));
  const [recipe = ""] = await commandsOf("docs/recipes.md");
  assert.match(await runScript(recipe), /\ngguf: 2\.89 MB from 8\.40 MB/);
  const [byHand = ""] = await commandsOf("docs/by-hand.md");
  assert.is(byHand.match(/^npx mbs/gm)?.length, 5);
  await runScript(`${byHand}npx mbs gate scores.arrow --max-worst-rise 10%`);
});

test.run();
