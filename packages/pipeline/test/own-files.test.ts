import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, writeFileSync } from "node:fs";
import { mkdir, readFile, rename, rm, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { BadDataError, DeniedError, UsageError, at } from "@mbs/contracts";
import * as assert from "uvu/assert";
import type { RunOptions } from "../src/run/run-options.ts";
import { failure, go } from "./fixtures/run-fakes.ts";
import { snapshot, workspaceSuite } from "./fixtures/workspace.ts";

const test = workspaceSuite("own files");

test("--force deletes nothing that a run has not written: models, texts and files of others stay whole", async ({
  root,
  recipe,
}) => {
  const out = join(root, "out");
  // the model to be compressed lies where the compressed one would go, by a link or not
  await mkdir(out);
  await rename(join(root, "model"), join(out, "model"));
  await symlink(join(out, "model"), join(root, "link"));
  const kept = await snapshot(join(out, "model"));
  for (const model of [join(out, "model"), join(root, "link")]) {
    const error = await failure(go(recipe({ model }), { force: true }));
    assert.instance(error, UsageError, String(error));
    assert.match((error as Error).message, /out\/model would replace .*, which is read; choose another output$/);
  }
  assert.equal(await snapshot(join(out, "model")), kept);
  await rename(join(out, "model"), join(root, "model"));

  // files of a folder that no run has claimed
  for (const name of ["model/thesis.txt", "run/thesis.txt", "recipe.yaml", "scores.arrow"]) {
    await mkdir(dirname(join(out, name)), { recursive: true });
    await writeFile(join(out, name), "mine");
    assert.instance(await failure(go(recipe())), DeniedError, name);
    const error = await failure(go(recipe(), { force: true }));
    assert.instance(error, DeniedError, name);
    assert.match((error as Error).message, /was not written by this run; move it away, or choose another output$/);
    assert.is(await readFile(join(out, name), "utf8"), "mine");
    await rm(join(out, at(name.split("/"), 0)), { recursive: true });
  }
});

test("--force denies files of others among those of a run, naming them, before anything is deleted", async ({ root, recipe }) => {
  const out = join(root, "out");
  await go(recipe());
  const strange = [
    "run/artifacts/thesis.arrow",
    "run/artifacts/old/thesis.txt",
    "run/artifacts-old/thesis.txt",
    "run/manifest.json.bak",
    "run/identity2",
    "model/thesis.txt",
    "model/onnx/thesis.txt",
  ];
  const whole = await snapshot(out);
  for (const name of strange) {
    await mkdir(dirname(join(out, name)), { recursive: true });
    await writeFile(join(out, name), "mine");
    const error = await failure(go(recipe(), { force: true }));
    assert.instance(error, DeniedError, name);
    const [, named = "?"] =
      /^(.*) was not written by this run; move it away, or choose another output$/.exec((error as Error).message) ?? [];
    assert.ok(join(out, name).startsWith(named), `${name}: ${String(error)}`);
    const { [name]: mine, ...others } = await snapshot(out);
    assert.is(Buffer.from(mine ?? "", "hex").toString(), "mine", name);
    assert.equal(others, whole, name);
    if (name === "model/thesis.txt") await go(recipe());
    await rm(join(out, name));
    if (!(dirname(name) in { model: 0, run: 0, "run/artifacts": 0 })) await rm(dirname(join(out, name)), { recursive: true });
  }
  // what killed processes of any machine leave is no obstacle
  await writeFile(join(out, "run/artifacts/.artifact.elsewhere.12.00aa11bb.tmp"), "half");
  await writeFile(join(out, "model/.mbs.json.elsewhere.12.00aa11bb.tmp"), "half");
  await go(recipe(), { force: true });
});

test("a file of others at the path of a run's identity claims nothing", async ({ root, recipe }) => {
  const out = join(root, "out");
  for (const text of ["a photograph", `${"a".repeat(64)}\n`, `${"a".repeat(64)}\n${"b".repeat(64)}\nmore\n`]) {
    await mkdir(join(out, "run"), { recursive: true });
    await mkdir(join(out, "model"), { recursive: true });
    await writeFile(join(out, "run", "identity"), text);
    await writeFile(join(out, "model", "thesis.txt"), "mine");
    const before = await snapshot(out);
    for (const force of [false, true]) {
      const error = await failure(go(recipe(), { force }));
      assert.instance(error, BadDataError);
      assert.match((error as Error).message, /out\/run\/identity is damaged or missing, or was not written by a run/);
    }
    assert.equal(await snapshot(out), before);
  }
});

test("results of others in a run's folder are replaced neither at once nor at the end", async ({ root, recipe }) => {
  const out = join(root, "out");
  await go(recipe({ output: join(root, "other"), sample: { seed: 5 }, evaluate: undefined }));
  const foreign = join(root, "other", "similarity.arrow");
  const mine = [
    ["recipe.yaml", () => writeFileSync(join(out, "recipe.yaml"), "model: m\n")],
    ["recipe.yaml", () => mkdirSync(join(out, "recipe.yaml"))],
    ["recipe.yaml", () => execFileSync("mkfifo", [join(out, "recipe.yaml")])],
    ["similarity.arrow", () => execFileSync("mkfifo", [join(out, "similarity.arrow")])],
    ["scores.arrow", () => cpSync(foreign, join(out, "scores.arrow"))],
    ["similarity.arrow", () => writeFileSync(join(out, "similarity.arrow"), "mine")],
    ["model", () => cpSync(join(root, "other", "model"), join(out, "model"), { recursive: true })],
    ["model", () => cpSync(join(root, "model"), join(out, "model"), { recursive: true })],
  ] as const;
  for (const [name, put] of mine) {
    const why = `${name}: ${String(put)}`;
    const denied = async (options: Partial<RunOptions>): Promise<void> => {
      const before = await snapshot(out);
      const error = await failure(go(recipe(), options));
      assert.instance(error, BadDataError, why);
      assert.match((error as Error).message, `; move ${join(out, name)} away and run again`, why);
      assert.equal(await snapshot(out), before, why);
    };
    // in a folder whose run has only begun
    await failure(go(recipe(), { signal: AbortSignal.abort() }));
    put();
    await denied({});
    await denied({ force: true });
    await rm(out, { recursive: true });

    if (name !== "model" && name !== "scores.arrow") continue;
    // while the run goes on
    const error = await failure(go(recipe(), { onNode: ({ id }) => id === "capture.h.1.mlp-up" && put() }));
    assert.instance(error, BadDataError, why);
    await rm(join(out, name), { recursive: true });
    await go(recipe());

    // instead of what the run has written
    await rm(join(out, name), { recursive: true });
    put();
    await denied({});
    await denied({ force: true });
    await rm(out, { recursive: true });
  }
});

test.run();
