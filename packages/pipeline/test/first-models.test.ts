import { mkdir, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DeniedError, UsageError } from "@mbs/contracts";
import { openModel } from "@mbs/models";
import * as assert from "uvu/assert";
import { stringify } from "yaml";
import { estimate } from "../src/estimate/estimate.ts";
import { exportPlan } from "../src/export/export-plan.ts";
import { parseRecipe } from "../src/recipe/parse-recipe.ts";
import { fakeStages } from "./fixtures/fake-stages.ts";
import { failure, go } from "./fixtures/run-fakes.ts";
import { snapshot, workspaceSuite } from "./fixtures/workspace.ts";

const test = workspaceSuite("first-models");

const addressOf = async (path: string): Promise<string> => {
  const model = await openModel(path);
  await model.close();
  return model.address;
};

test("the model is rotated once, before the first node, and every node takes the result", async ({ root, recipe }) => {
  const started: string[] = [];
  const stages = fakeStages((name) => started.push(name));
  const turned = recipe({ rotate: { seed: 3 } });
  const first = await go(turned, { stages });
  assert.equal(started.slice(0, 2), ["rotate", "sample"]);
  assert.is(started.filter((name) => name === "rotate").length, 1);
  assert.ok(first.nodes.every(({ id }) => id !== "rotate"));
  const rotated = join(root, "out", "run", "rotated");
  assert.not.equal(await addressOf(rotated), await addressOf(join(root, "model")));
  assert.match(first.nodes.find(({ id }) => id === "sample")?.command ?? "", rotated);
  assert.match(first.nodes.find(({ id }) => id === "assemble")?.command ?? "", / --name model( |$)/);
  assert.equal((await readdir(join(root, "out"))).sort(), ["model", "recipe.yaml", "run", "scores.arrow", "similarity.arrow"]);

  started.length = 0;
  const second = await go(turned, { stages });
  assert.equal(started, []);
  assert.equal(
    second.nodes.map(({ address }) => address),
    first.nodes.map(({ address }) => address),
  );
});

test("the recorded recipe names the model as it was given, and runs again", async ({ root, recipe }) => {
  await go(recipe({ rotate: {} }));
  const path = join(root, "out", "recipe.yaml");
  const text = await readFile(path, "utf8");
  const recorded = parseRecipe(text, path);
  assert.is(recorded.model, join(root, "model"));
  assert.equal(recorded.rotate, { seed: 0 });
  assert.is(recorded.hashes?.["model"], await addressOf(join(root, "model")));
  await go({ ...recorded, output: join(root, "again") });
  assert.equal(await snapshot(join(root, "again", "model")), await snapshot(join(root, "out", "model")));
});

test("another rotation in the same folder is refused, and replaced by force; a damaged one is made again", async ({
  root,
  recipe,
}) => {
  await go(recipe({ rotate: {} }));
  const rotated = join(root, "out", "run", "rotated");
  const before = await addressOf(rotated);
  const error = await failure(go(recipe({ rotate: { seed: 1 } })));
  assert.instance(error, DeniedError);
  assert.match(String(error), /run\/rotated is a model of other settings or of another source; .*--force$/);
  assert.is(await addressOf(rotated), before);
  await go(recipe({ rotate: { seed: 1 } }), { force: true });
  assert.not.equal(await addressOf(rotated), before);

  const whole = await snapshot(join(root, "out"));
  await writeFile(join(rotated, "config.json"), "{}");
  const warnings: string[] = [];
  await go(recipe({ rotate: { seed: 1 } }), { warn: (line) => warnings.push(line) });
  assert.equal(warnings, [`${join(rotated, "config.json")} is damaged; ${rotated} is made again`]);
  assert.equal(await snapshot(join(root, "out")), whole);
  // what is not known to be of this recipe is not replaced
  await writeFile(`${rotated}.json`, "null");
  const unknown = await failure(go(recipe({ rotate: { seed: 1 } })));
  assert.match(String(unknown), /rotated\.json, which says what .*, is damaged or missing; move \S+rotated away and run again/);
  await rm(rotated, { recursive: true });
  await go(recipe({ rotate: { seed: 1 } }));
  assert.equal(await snapshot(join(root, "out")), whole);
});

test("a vocabulary is trimmed before a rotation, by the recipe's corpus unless another is named", async ({ root, recipe }) => {
  const started: string[] = [];
  const stages = fakeStages((name) => started.push(name));
  const both = recipe({ rotate: { seed: 3 }, trim: { keep: ["en"] } });
  await go(both, { stages });
  assert.equal(started.slice(0, 3), ["trim", "rotate", "sample"]);
  const config = async (folder: string): Promise<string> => readFile(join(root, "out", "run", folder, "config.json"), "utf8");
  assert.match(await config("trimmed"), /^\{"_keep": \["en"\],/);
  assert.match(await config("rotated"), /^\{"_seed": 3,"_keep": \["en"\],/);
  started.length = 0;
  await go(both, { stages });
  assert.equal(started, []);

  const path = join(root, "out", "recipe.yaml");
  const recorded = parseRecipe(await readFile(path, "utf8"), path);
  assert.is(recorded.model, join(root, "model"));
  assert.equal(recorded.trim, { keep: ["en"] });
  assert.is(recorded.hashes?.["model"], await addressOf(join(root, "model")));
  const others = recipe({ trim: { keep: ["en"], corpus: both.corpus }, output: join(root, "other") });
  await go(others);
  const text = await readFile(join(root, "other", "recipe.yaml"), "utf8");
  assert.equal(parseRecipe(text, path).trim, { keep: ["en"], corpus: both.corpus });

  assert.match(String(await failure(Promise.resolve().then(() => recipe({ trim: {} })))), /trim needs keep/);
  assert.match(
    String(await failure(exportPlan(recipe({ trim: { keep: ["en"] } }), { stages }))),
    /trim is no node of an exported plan/,
  );
});

test("sample and evaluate take the kept languages alone, unless the recipe names others", async ({ root, recipe }) => {
  for (const language of ["de", "hi"]) {
    for (const folder of ["corpus", "evaluation"]) await writeFile(join(root, folder, `${language}.txt`), "One text.\n");
  }
  const other = join(root, "heldout");
  await mkdir(other);
  for (const language of ["en", "ta"]) await writeFile(join(other, `${language}.txt`), "One text.\n");
  const languagesOf = async (changes: Readonly<Record<string, unknown>>, name: string) => {
    const notes: string[] = [];
    const own = recipe({ trim: { keep: ["en", "hi"] }, output: join(root, name), ...changes });
    const { folder } = await go(own, { note: (line) => notes.push(line) });
    const { sample, evaluate } = parseRecipe(await readFile(folder.recipe, "utf8"), folder.recipe);
    return [sample["languages"], evaluate?.["languages"], notes.filter((line) => line.includes("trimmed model keeps")).length];
  };
  assert.equal(await languagesOf({}, "default"), [["en", "hi"], ["en", "hi"], 1]);
  // of the kept languages those that the corpus has
  assert.equal(await languagesOf({ evaluate: { corpus: other } }, "fewer"), [["en", "hi"], ["en"], 1]);
  const named = { sample: { mix: "en=3,de=1" }, evaluate: { corpus: other, languages: ["en", "ta"] } };
  assert.equal(await languagesOf(named, "named"), [undefined, ["en", "ta"], 0]);
  assert.equal(await languagesOf({ trim: { keep: ["en", "de", "hi"] } }, "all"), [undefined, undefined, 0]);
  const none = await failure(go(recipe({ trim: { keep: ["hi"] }, evaluate: { corpus: other }, output: join(root, "none") })));
  assert.instance(none, UsageError);
  assert.match(
    String(none),
    /recipe: corpus heldout has none of hi, which the trimmed model keeps, but en, ta; give evaluate other texts, or name its languages: evaluate: \{ languages: \[en\] \}$/,
  );
});

test("what trim would refuse is refused before any stage runs, with the recipe's line, and asked once", async ({ recipe }) => {
  const started: string[] = [];
  const asked: unknown[] = [];
  const stages = new Map(fakeStages((name) => started.push(name)));
  const trim = stages.get("trim");
  assert.ok(trim);
  stages.set("trim", {
    ...trim,
    async checkPlan(options) {
      asked.push(options);
      if (asked.length > 1) throw new UsageError("--keep xx: no texts of xx", { option: "--keep" });
    },
  });
  const { corpus, model } = recipe();
  await go(recipe({ trim: { keep: ["en"] } }), { stages });
  assert.equal(asked, [{ model, corpus, keep: ["en"] }]);
  started.length = 0;
  for (const call of [go, estimate]) {
    const wrong = parseRecipe(
      stringify({ model, corpus, compress: { solver: "rtn" }, output: "x", trim: { keep: ["xx"] } }),
      "r.yaml",
    );
    const error = await failure(call(wrong, { stages }));
    assert.instance(error, UsageError);
    assert.match(String(error), /r\.yaml:\d+: --keep xx: no texts of xx/);
  }
  assert.equal(started, []);
});

test("a rotation that stopped leaves nothing, and the next run goes on", async ({ root, recipe }) => {
  const stop = new Error("stopped here");
  const stages = fakeStages((name) => {
    if (name === "rotate") throw stop;
  });
  assert.is(await failure(go(recipe({ rotate: {} }), { stages })), stop);
  assert.not((await readdir(root)).includes("out"));
  await go(recipe({ rotate: {} }));
});

test("faults of the options are named before anything is rotated; exports refuse the key", async ({ recipe }) => {
  const started: string[] = [];
  const stages = fakeStages((name) => started.push(name));
  const error = await failure(
    go(recipe({ rotate: { seed: "x", speed: 1 }, compress: { solver: "wanda", sparsity: 2 } }), { stages }),
  );
  assert.instance(error, UsageError);
  for (const fault of [/seed/, /speed/, /sparsity/]) assert.match(String(error), fault);
  assert.instance(await failure(Promise.resolve().then(() => recipe({ rotate: { model: "other" } }))), UsageError);
  const exported = await failure(exportPlan(recipe({ rotate: {} }), { stages }));
  assert.instance(exported, UsageError);
  assert.match(String(exported), /rotate is no node of an exported plan; make the model with mbs rotate/);
  assert.equal(started, []);
});

test.run();
