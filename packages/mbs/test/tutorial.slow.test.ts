import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
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

test("the commands of the tutorial run as they stand, on the controlled model in place of Gemma, and a size for it", async () => {
  const page = await readFile(join(root, "docs/tutorial.md"), "utf8");
  const blocks = [...page.matchAll(/```sh\n([\s\S]*?)```/g)].map(([, text = ""]) => text);
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
  const script = blocks
    .join("\n")
    .replace(/^MODEL=\S+/m, `MODEL=${join(file, "model.gguf")}`)
    .replace("--size 160MB", "--size 2500kB")
    .replaceAll(/\bnpx mbs\b/g, `${process.execPath} ${program}`);
  assert.not.match(script, /npx/);
  const { stdout } = await promisify(execFile)("bash", ["-euo", "pipefail", "-c", script], { cwd: folder });
  assert.match(stdout, /\nlanguage +perplexity +95% interval +usual\nen .*\nhi .*\nkm /);
  assert.match(stdout, /figures are within their limits/);
});

test.run();
