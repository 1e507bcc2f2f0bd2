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

/** The blocks of commands of a page. */
async function commandsOf(page: string): Promise<readonly string[]> {
  const text = await readFile(join(root, "docs", page), "utf8");
  return [...text.matchAll(/```sh\n([\s\S]*?)```/g)].map(([, block = ""]) => block);
}

async function runScript(script: string): Promise<string> {
  const built = script.replaceAll(/\bnpx mbs\b/g, `${process.execPath} ${program}`);
  assert.not.match(built, /npx/);
  return (await promisify(execFile)("bash", ["-euo", "pipefail", "-c", built], { cwd: folder })).stdout;
}

test("the commands of the tutorial run as they stand, on the controlled model in place of Gemma, and a size for it", async () => {
  const blocks = await commandsOf("tutorial.md");
  assert.is(blocks.length, 5);
  const source = join(root, "datasets/controlled-llama");
  const file = join(folder, "model");
  const written = await runMbs([
    "assemble",
    "--model",
    source,
    "--without-layers",
    "--format",
    "gguf",
    "--type",
    "Q8_0",
    "--output",
    file,
    "--quiet",
  ]);
  assert.is(written.code, 0, written.stderr);
  const stdout = await runScript(
    blocks
      .join("\n")
      .replace(/^MODEL=\S+/m, `MODEL=${join(file, "model.gguf")}`)
      .replace("--size 160MB", "--size 2500kB"),
  );
  assert.match(stdout, /\nlanguage +perplexity +95% interval\nen .*\nhi .*\nkm [\s\S]*\nusual: rounding to nearest/);
  assert.match(stdout, /figures are within their limits/);
});

test("the first recipe of its page and the stages by hand run as they stand, in a clone", async () => {
  for (const name of ["datasets", "recipes"]) await symlink(join(root, name), join(folder, name));
  const [recipe = ""] = await commandsOf("recipes.md");
  assert.match(await runScript(recipe), /\ngguf: 2\.89 MB from 8\.40 MB/);
  const [byHand = ""] = await commandsOf("by-hand.md");
  assert.is(byHand.match(/^npx mbs/gm)?.length, 5);
  await runScript(`${byHand}npx mbs gate scores.arrow --max-worst-rise 10%`);
});

test.run();
