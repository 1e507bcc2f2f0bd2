import { readFileSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { contentAddress, openArtifact } from "@mbs/artifacts";
import { UsageError } from "@mbs/contracts";
import { writeTinyModel } from "@mbs/models/testing";
import { recipeFrom, run } from "@mbs/pipeline";
import type { Recipe } from "@mbs/pipeline";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { parse } from "yaml";
import { loadStages } from "../src/stages.ts";
import { writeTexts } from "./fixtures/texts.ts";
import { installedProgram } from "./fixtures/program.ts";
import { runMbs } from "./fixtures/run-mbs.ts";

const document = readFileSync(join(import.meta.dirname, "../../../docs/adding-a-stage.md"), "utf8");

/** The block of a language that docs/adding-a-stage.md shows, as it stands there. */
function documented(language: string): string {
  const [, source] = new RegExp(`\`\`\`${language}\n(.*?)\`\`\``, "s").exec(document) ?? [];
  if (source === undefined) throw new Error(`docs/adding-a-stage.md shows no ${language}`);
  return source;
}

interface Context {
  root: string;
  /** The documented stage. */
  path: string;
  recipe: (stages: unknown, propagation?: string) => Recipe;
}

const test = suite<Context>("own stage");
test.before.each(async (context) => {
  context.root = await mkdtemp(join(tmpdir(), "mbs-own-stage-"));
  const { root } = context;
  await writeTinyModel(join(root, "model"), { contextLength: 32 });
  await writeTexts(join(root, "texts"));
  context.path = join(root, "outliers.js");
  // where the documentation installs the packages, they are linked
  await symlink(join(import.meta.dirname, "../../../node_modules"), join(root, "node_modules"));
  await writeFile(join(root, "package.json"), '{ "type": "module" }');
  await writeFile(context.path, documented("js"));
  context.recipe = (stages, propagation = "sequential") =>
    recipeFrom({
      model: join(root, "model"),
      corpus: join(root, "texts"),
      sample: { mix: "equal", segments: 6, length: 32 },
      propagation,
      compress: { solver: "wanda", sparsity: 0.5 },
      output: join(root, "out"),
      stages,
    });
});
test.after.each(({ root }) => rm(root, { recursive: true, force: true }));

const go = async (recipe: Recipe) =>
  run(recipe, { stages: await loadStages(), threads: 1, signal: new AbortController().signal });

const failureOf = (recipe: Recipe): Promise<unknown> =>
  go(recipe).then(
    () => undefined,
    (error: unknown) => error,
  );

test("the documented stage runs in a pipe and in a recipe, with the same bytes", async ({ root, path, recipe }) => {
  const { stages } = parse(documented("yaml")) as { stages: { outliers: object } };
  const entry = { ...stages.outliers, stage: path };
  const { nodes, folder } = await go({ ...recipe({ outliers: entry }), keep: true });
  const { address } = await contentAddress(await openArtifact(join(folder.root, "outliers.arrow")));
  const node = nodes.find(({ id }) => id === "outliers");
  assert.is(node?.address, address);
  // the printed command gives the same bytes again
  assert.match(node?.command ?? "", /^mbs --stage \S+outliers\.js --least 0\.05 - --statistics /);

  const statistics = nodes
    .filter(({ id }) => id.startsWith("capture."))
    .map(({ address }) => join(folder.artifacts, `${address}.arrow`));
  const args = statistics.flatMap((file) => ["--statistics", file]);
  const out = join(root, "outliers.arrow");
  const { code, stderr } = await runMbs(
    ["--stage", path, "--least", "0.05", ...args, "--output", out],
    undefined,
    installedProgram,
  );
  assert.is(code, 0, stderr);
  assert.is((await contentAddress(await openArtifact(out))).address, address);

  const inspected = await runMbs(["inspect", out, "--json"]);
  assert.is(inspected.code, 0, inspected.stderr);
  const { kind, rows, summary } = JSON.parse(inspected.stdout.toString()) as { kind: string; rows: number; summary: object[] };
  assert.is(kind, "outliers");
  assert.ok(rows > 0 && summary.length === rows);
  assert.equal(Object.keys(summary[0] ?? {}), ["block", "site", "language", "channel", "share"]);

  // a run that gets another entry keeps its layers
  const again = await go({
    ...recipe({ outliers: entry, alike: { stage: "similarity", inputs: { statistics: "capture" } } }, "sequential"),
    keep: true,
  }).catch((error: unknown) => error);
  assert.instance(again, UsageError);
  assert.match(String(again), /stages\.alike reads 2 artifacts as statistics, which takes one; with propagation: dense/);
  const more = await go({ ...recipe({ outliers: entry, stronger: { ...entry, options: { least: 0.1 } } }), keep: true });
  assert.equal(
    more.nodes.filter(({ seconds }) => seconds !== undefined).map(({ id }) => id),
    ["stronger"],
  );

  // the recorded recipe is one, and a changed stage is run again
  const recorded = parse(await readFile(folder.recipe, "utf8")) as { stages: Record<string, { options: object }> };
  assert.equal(recorded.stages["outliers"]?.options, { least: 0.05 });
  await writeFile(path, (await readFile(path, "utf8")).replace("Name the channel", "Tell the channel"));
  const changed = await go({ ...recipe({ outliers: entry }), keep: true });
  assert.equal(
    changed.nodes.filter(({ seconds }) => seconds !== undefined).map(({ id }) => id),
    ["outliers"],
  );
});

test("help lists what a third-party stage takes", async ({ path }) => {
  const { code, stdout } = await runMbs(["--stage", path, "--help"], undefined, installedProgram);
  assert.is(code, 0);
  const text = stdout.toString();
  assert.match(text, /^Usage: mbs --stage \S+outliers\.js \[options\] \[-\]/);
  for (const flag of ["--least <SHARE>", "--statistics <FILE>", "--output <FILE>"]) assert.ok(text.includes(flag), flag);
  assert.not.ok(text.includes("--via"), "a server runs its own stages only");
});

test("an entry that cannot work is refused before anything runs", async ({ root, path, recipe }) => {
  const inputs = { statistics: "capture" };
  await mkdir(join(root, "folder"));
  await writeFile(join(root, "empty.js"), "export default {};");
  for (const [entry, message] of [
    [
      { stage: path, inputs: { statistics: "capture.h.0" } },
      /stages\.mine\.inputs\.statistics names "capture\.h\.0", and this recipe has sample, propagate, capture, factor/,
    ],
    [
      { stage: path, inputs: { statistics: "sample" } },
      /stages\.mine reads sample as its input statistics, which takes statistics; sample makes segments/,
    ],
    [{ stage: path, inputs: { states: "capture" } }, /stages\.mine has no input states; its stage has statistics/],
    [{ stage: path, inputs: { ...inputs, more: "capture" } }, /stages\.mine has no input more; its stage has statistics/],
    [{ stage: path, inputs, options: { most: 1 } }, /outliers: unknown option --most; it takes --least/],
    [
      { stage: join(root, "none.js"), inputs },
      /no stage .*none\.js": there is no such file; take rotate, .*, a path such as \.\/mine\.js, or an installed package/,
    ],
    [{ stage: join(root, "folder"), inputs }, /it is a folder; name the file in it/],
    [{ stage: join(root, "empty.js"), inputs }, /empty\.js is no stage: its name is not/],
    [{ stage: "assemble", inputs: { layers: "compress" } }, /stages\.mine writes a folder/],
    [
      { stage: path, inputs: { statistics: "assemble" } },
      /stages\.mine reads assemble as its input statistics, which writes a folder/,
    ],
  ] as const) {
    const error = await failureOf(recipe({ mine: entry }));
    assert.instance(error, UsageError, String(error));
    assert.match((error as Error).message, message);
  }
});

test("the artifact of an entry is kept for its result, also where other nodes would release it", async ({ recipe }) => {
  const { folder } = await go(recipe({ again: { stage: "capture", inputs: { source: "sample" } } }, "dense"));
  const { kind } = (await openArtifact(join(folder.root, "again.arrow"))).schema;
  assert.is(kind, "statistics");
});

test("entries that are none are refused with their line", () => {
  const whole = { model: "m", corpus: "c", compress: { solver: "gptq" }, output: "o" };
  for (const [stages, message] of [
    [5, /stages takes entries/],
    [{ Mine: { stage: "./a.js" } }, /stages\.Mine: a name is lower-case letters/],
    [{ scores: { stage: "./a.js" } }, /stages\.scores: a name is lower-case letters, digits and "-", and none of model, /],
    [{ mine: { inputs: {} } }, /stages\.mine needs stage/],
    [{ mine: { stage: "./a.js", least: 1 } }, /unknown key stages\.mine\.least; an entry takes stage, inputs, options/],
    [{ mine: { stage: "./a.js", inputs: { statistics: [1] } } }, /stages\.mine\.inputs\.statistics takes a key/],
    [{ mine: { stage: "./a.js", options: [] } }, /stages\.mine\.options takes options/],
  ] as const) {
    assert.throws(() => recipeFrom({ ...whole, stages }), message);
  }
});

test.run();
