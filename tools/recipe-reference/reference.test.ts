import { readFile } from "node:fs/promises";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { recipeReference } from "./reference.ts";

test("docs/recipes.md says what the code declares", async () => {
  const written = await readFile(new URL("../../docs/recipes.md", import.meta.url), "utf8");
  const remedy = "make it again: node --conditions=mbs-source --import tsx tools/recipe-reference/generate.ts";
  assert.is(written, await recipeReference(), remedy);
});

test("the page has every key, and the options of stages, solvers and formats", async () => {
  const lines = (await recipeReference()).split("\n");
  const has = (start: string): boolean => lines.some((line) => line.startsWith(start));
  for (const start of [
    "| `model` (must be given) |",
    "| [`sample`](#sample) |",
    "| `segments` |",
    "| `damping` |",
    "| `solver` |",
  ]) {
    assert.ok(has(start), start);
  }
  for (const start of [
    "| `group-size` | rtn, gptq, gptaq, awq, sparsegpt |",
    "| `spread` | owl, correlation |",
    "| `spread` | pruning-damage |",
    "| `three-bit` | onnx |",
    "| `windows` |",
  ]) {
    assert.ok(has(start), start);
  }
  // what the recipe gives itself is no option of a section
  const sample = lines.slice(lines.indexOf("## sample"), lines.indexOf("## capture"));
  assert.not.ok(sample.some((line) => line.startsWith("| `corpus` |")));
});

test.run();
