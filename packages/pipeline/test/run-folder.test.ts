import { readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { BadDataError, DeniedError } from "@mbs/contracts";
import * as assert from "uvu/assert";
import { fakeStages } from "./fixtures/fake-stages.ts";
import { failure, go } from "./fixtures/run-fakes.ts";
import { snapshot, workspaceSuite } from "./fixtures/workspace.ts";

const test = workspaceSuite("run folder");

test("a damaged manifest is refused, and both remedies that the message names work, in a finished run and a begun one", async ({
  root,
  recipe,
}) => {
  const out = join(root, "out");
  const { nodes } = await go(recipe());
  const whole = await snapshot(out);
  for (const stop of ["", "compress.h.0.mlp-up", "assemble"]) {
    for (const force of [false, true]) {
      await rm(out, { recursive: true, force: true });
      const controller = new AbortController();
      const stopping = { signal: controller.signal, onNode: ({ id }: { id: string }) => id === stop && controller.abort() };
      await failure(go(recipe(), stopping));
      await writeFile(join(out, "run", "manifest.json"), "{ half");
      const error = await failure(go(recipe()));
      assert.instance(error, BadDataError, String(error));
      const [, path = ""] =
        /^(\S+) is no run manifest, .*; delete it and run again, which computes everything again, or start over with --force$/.exec(
          (error as Error).message,
        ) ?? [];
      if (!force) await rm(path);
      const started: string[] = [];
      await go(recipe(), { force, stages: fakeStages((name) => started.push(name)) });
      assert.is(started.length, nodes.length, "everything again");
      assert.equal(await snapshot(out), whole);
    }
  }
});

test("an address that was changed in the manifest is refused with its path, and the remedy works", async ({ root, recipe }) => {
  const out = join(root, "out");
  const manifest = join(out, "run", "manifest.json");
  await go(recipe());
  const [whole, lines] = [await snapshot(out), (await readFile(manifest, "utf8")).trimEnd().split("\n")];
  // a line for each node; every third one is enough
  for (const [index, line] of lines.entries()) {
    if (index % 3 !== 0) continue;
    const changed = line.replace(/[0-9a-f](?="\}\}$)/, (digit) => (digit === "0" ? "1" : "0"));
    await writeFile(manifest, `${lines.with(index, changed).join("\n")}\n`);
    const error = await failure(go(recipe()));
    assert.instance(error, BadDataError, String(error));
    const { message } = error as Error;
    assert.match(message, `${manifest} names ${/[0-9a-f]{64}(?="\}\}$)/.exec(changed)?.[0]} for `);
    assert.match(message, /: the file was changed, .*; delete it and run again, .*, or start over with --force$/);
    await rm(manifest);
    await go(recipe());
    assert.equal(await snapshot(out), whole, line);
  }
});

test("a damaged identity is refused, and the remedy works: the folder moved away, the run makes all again", async ({
  root,
  recipe,
}) => {
  const out = join(root, "out");
  await go(recipe());
  const whole = await snapshot(out);
  await writeFile(join(out, "run", "identity"), "half");
  for (const force of [false, true]) {
    const error = await failure(go(recipe(), { force }));
    assert.instance(error, DeniedError);
    assert.match(
      (error as Error).message,
      `run/identity is damaged, or was not written by a run; move ${out} away and run again`,
    );
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
    assert.instance(error, DeniedError, name);
    assert.match((error as Error).message, /out\/(model|similarity\.arrow) was not written by this run/);
    await writeFile(join(out, name), Buffer.from(before[name] ?? "", "hex"));
  }
});

test.run();
