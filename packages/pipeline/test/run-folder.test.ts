import { readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { BadDataError } from "@mbs/contracts";
import * as assert from "uvu/assert";
import { fakeStages } from "./fixtures/fake-stages.ts";
import { failure, go } from "./fixtures/run-fakes.ts";
import { snapshot, workspaceSuite } from "./fixtures/workspace.ts";

const test = workspaceSuite("run folder");

test("what a damaged manifest does not name any more is made again, in a finished run and a begun one", async ({
  root,
  recipe,
}) => {
  const out = join(root, "out");
  const { nodes } = await go(recipe());
  const whole = await snapshot(out);
  for (const stop of ["", "compress.h.0.mlp-up", "assemble"]) {
    await rm(out, { recursive: true, force: true });
    const controller = new AbortController();
    const stopping = { signal: controller.signal, onNode: ({ id }: { id: string }) => id === stop && controller.abort() };
    await failure(go(recipe(), stopping));
    await writeFile(join(out, "run", "manifest.json"), "null");
    const [started, warnings]: [string[], string[]] = [[], []];
    await go(recipe(), { stages: fakeStages((name) => started.push(name)), warn: (line) => warnings.push(line) });
    assert.is(started.length, nodes.length, "everything again");
    assert.equal(warnings, [`${join(out, "run", "manifest.json")} is damaged; what it does not name any more is made again`]);
    assert.equal(await snapshot(out), whole);
  }
});

test("a node whose address was changed in the manifest is made again, and what was made of it", async ({ root, recipe }) => {
  const out = join(root, "out");
  const manifest = join(out, "run", "manifest.json");
  await go(recipe());
  const [whole, lines] = [await snapshot(out), (await readFile(manifest, "utf8")).trimEnd().split("\n")];
  // a line for each node; every third one is enough
  for (const [index, line] of lines.entries()) {
    if (index % 3 !== 0) continue;
    const changed = line.replace(/[0-9a-f](?="\}\}$)/, (digit) => (digit === "0" ? "1" : "0"));
    await writeFile(manifest, `${lines.with(index, changed).join("\n")}\n`);
    const warnings: string[] = [];
    await go(recipe(), { warn: (text) => warnings.push(text) });
    assert.is(warnings.length, 1);
    assert.match(warnings[0] ?? "", `${manifest} named ${/[0-9a-f]{64}(?="\}\}$)/.exec(changed)?.[0]} for `);
    const { "run/manifest.json": _, ...others } = whole;
    const again = await snapshot(out);
    for (const [name, bytes] of Object.entries(others)) assert.is(again[name], bytes, `${line}: ${name}`);
  }
});

test("a damaged or missing identity is refused, and the remedy works: the folder moved away, the run makes all again", async ({
  root,
  recipe,
}) => {
  const out = join(root, "out");
  const identity = join(out, "run", "identity");
  await go(recipe());
  const [whole, text] = [await snapshot(out), await readFile(identity, "utf8")];
  const flipped = text.replace(/^./, (digit) => (digit === "0" ? "1" : "0"));
  for (const damaged of ["half", "", flipped, undefined]) {
    if (damaged === undefined) await rm(identity);
    else await writeFile(identity, damaged);
    for (const force of [false, true]) {
      const error = await failure(go(recipe(), { force }));
      assert.instance(error, BadDataError);
      assert.match(
        (error as Error).message,
        new RegExp(`run/identity is damaged or missing, or was not written by a run: .*; move ${out} away and run again`),
      );
    }
  }
  await rename(out, join(root, "away"));
  await go(recipe());
  assert.equal(await snapshot(out), whole);
});

test("with its manifest gone, a run still replaces nothing of others", async ({ root, recipe }) => {
  const out = join(root, "out");
  await go(recipe({ output: join(root, "other"), sample: { seed: 5 } }));
  await go(recipe());
  await rm(join(out, "run", "manifest.json"));
  for (const name of ["model/mbs.json", "similarity.arrow"]) {
    const before = await snapshot(out);
    const theirs = await snapshot(join(root, "other"));
    await writeFile(join(out, name), Buffer.from(theirs[name] ?? "", "hex"));
    const error = await failure(go(recipe()));
    assert.instance(error, BadDataError, name);
    assert.ok((error as Error).message.startsWith(`${join(out, name)} is not as the run wrote it: `));
    await writeFile(join(out, name), Buffer.from(before[name] ?? "", "hex"));
  }
});

test("all results that are damaged are named at once, and written again when they are away", async ({ root, recipe }) => {
  const out = join(root, "out");
  await go(recipe());
  const whole = await snapshot(out);
  const damaged = ["model/mbs.json", "model/model.bin", "scores.arrow", "similarity.arrow", "recipe.yaml"];
  for (const name of damaged) await writeFile(join(out, name), "null");
  const [first, ...rest] = damaged.map((name) => join(out, name));
  const error = await failure(go(recipe()));
  assert.instance(error, BadDataError);
  assert.is(
    (error as Error).message,
    `${[first, ...rest.slice(0, -1)].join(", ")} and ${rest.at(-1)} are not as the run wrote them: damaged, changed or removed; ` +
      `move ${["model", "scores.arrow", "similarity.arrow"].map((name) => join(out, name)).join(", ")} and ${rest.at(-1)} away and run again to have them written again`,
  );
  await rm(join(out, "model"), { recursive: true });
  for (const name of damaged.slice(2)) await rm(join(out, name));
  const started: string[] = [];
  await go(recipe(), { stages: fakeStages((name) => started.push(name)) });
  assert.equal(started, ["assemble"]);
  assert.equal(await snapshot(out), whole);
});

test.run();
