import { readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { BadDataError } from "@mbs/contracts";
import * as assert from "uvu/assert";
import { fakeStages } from "./fixtures/fake-stages.ts";
import { flipBit } from "./fixtures/flip-bit.ts";
import { failure, go } from "./fixtures/run-fakes.ts";
import { snapshot, workspaceSuite } from "./fixtures/workspace.ts";

const test = workspaceSuite("model files");

test("a model with a flipped bit is scored no more; moved away as the message says, it is written again", async ({
  root,
  recipe,
}) => {
  await go(recipe());
  const whole = await snapshot(join(root, "out"));
  const another = { corpus: join(root, "corpus"), length: 8 };
  const started: string[] = [];
  const noting = { stages: fakeStages((name) => started.push(name)) };
  for (const evaluate of [another, { corpus: join(root, "evaluation") }]) {
    await flipBit(join(root, "out", "model", "model.bin"));
    const before = await snapshot(join(root, "out"));
    const error = await failure(go(recipe({ evaluate }), noting));
    assert.instance(error, BadDataError);
    const [, file, model = ""] =
      /^(\S+) is not as the run wrote it: .*; move (\S+) away and run again to have it written again$/.exec(
        (error as Error).message,
      ) ?? [];
    assert.is(file, join(root, "out", "model", "model.bin"));
    assert.equal(started, []);
    assert.equal(await snapshot(join(root, "out")), before, "nothing is changed");

    await rename(model, join(root, "away"));
    await go(recipe({ evaluate }), noting);
    assert.equal(started.splice(0), evaluate === another ? ["assemble", "evaluate"] : ["assemble"]);
    await rm(join(root, "away"), { recursive: true });
  }
  const { "recipe.yaml": _recipe, "run/manifest.json": _manifest, ...results } = whole;
  const again = await snapshot(join(root, "out"));
  for (const [name, bytes] of Object.entries(results)) assert.is(again[name], bytes, name);
});

test("a file that is missing from a model is reported, a changed card is not", async ({ root, recipe }) => {
  await go(recipe());
  await writeFile(join(root, "out", "model", "README.md"), "my own words");
  await go(recipe());
  assert.is(await readFile(join(root, "out", "model", "README.md"), "utf8"), "my own words");
  await rm(join(root, "out", "model", "model.bin"));
  const error = await failure(go(recipe()));
  assert.instance(error, BadDataError);
  assert.match((error as Error).message, /model\.bin is not as the run wrote it: damaged, changed or removed/);
});

test("a model whose hashes are lost or damaged is written again", async ({ root, recipe }) => {
  await go(recipe());
  const hashes = join(root, "out", "run", "model.json");
  const whole = await readFile(hashes, "utf8");
  for (const text of ["", "[]", "{}", '{"address": "a"', whole.replace(/[0-9a-f]{64}/, "0".repeat(64))]) {
    await writeFile(hashes, text);
    const started: string[] = [];
    await go(recipe(), { stages: fakeStages((name) => started.push(name)) });
    assert.equal(started, ["assemble"], text);
    assert.is(await readFile(hashes, "utf8"), whole);
  }
});

test.run();
