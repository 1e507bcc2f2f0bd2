import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { controlledFolder, controlledModels } from "../src/index.ts";

test("models, texts, tasks and recipes are where it says", () => {
  for (const model of Object.values(controlledModels)) assert.ok(existsSync(join(model, "model.safetensors")), model);
  for (const path of [
    "datasets/controlled-texts/heldout.yaml",
    "datasets/controlled-tasks/controlled_pairs.yaml",
    "recipes/gptq-3bit.yaml",
  ]) {
    assert.ok(existsSync(join(controlledFolder, path)), path);
  }
});

test("the tarball has them, with their licences", () => {
  const folder = mkdtempSync(join(tmpdir(), "mbs-controlled-"));
  try {
    execFileSync(process.execPath, ["copy-data.mjs"], { cwd: join(import.meta.dirname, "..") });
    const packed = execFileSync("npm", ["pack", "--json", "--pack-destination", folder], {
      cwd: join(import.meta.dirname, ".."),
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    });
    const [{ files }] = JSON.parse(packed) as [{ files: readonly { path: string }[] }];
    const paths = new Set(files.map(({ path }) => path));
    for (const path of [
      "generated/datasets/controlled-llama/model.safetensors",
      "generated/datasets/controlled-bloom/tokenizer.json",
      "generated/datasets/controlled-texts/NOTICE.md",
      "generated/datasets/controlled-texts/licenses/MPL-2.0.txt",
      "generated/datasets/controlled-tasks/README.md",
      "generated/recipes/gptq-3bit.yaml",
    ]) {
      assert.ok(paths.has(path), path);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test.run();
