import { mkdir, rename, rm, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { UsageError } from "@mbs/contracts";
import * as assert from "uvu/assert";
import { failure, go } from "./fixtures/run-fakes.ts";
import { snapshot, workspaceSuite } from "./fixtures/workspace.ts";

const test = workspaceSuite("read paths");

test("texts, weights and shares that lie where a run writes are never deleted, however they are named", async ({
  root,
  recipe,
}) => {
  const out = join(root, "out");
  const manifest = join(root, "corpus.yaml");
  await writeFile(manifest, "languages: { en: out/model/en.txt }\n");
  await mkdir(join(root, "linked"));
  await symlink(join(out, "run", "mr.txt"), join(root, "linked", "mr.txt"));
  const texts = join(root, "corpus", "en.txt");
  const model = join(root, "model");
  const cases = [
    [texts, "model/en.txt", { corpus: manifest }],
    [texts, "model/en.txt", { evaluate: { corpus: manifest } }],
    [texts, "run/mr.txt", { corpus: join(root, "linked") }],
    [join(model, "model.safetensors"), "model/model.bin", {}],
    [join(model, "tokenizer.json"), "recipe.yaml", {}],
  ] as const;
  for (const [file, name, changes] of cases) {
    const moved = join(out, name);
    await mkdir(dirname(moved), { recursive: true });
    await rename(file, moved);
    await symlink(moved, file);
    const before = await snapshot(out);
    for (const force of [false, true]) {
      const error = await failure(go(recipe(changes), { force }));
      assert.instance(error, UsageError, `${name} ${String(error)}`);
      assert.match((error as Error).message, /out\/.* would replace .*, which is read; choose another output$/);
    }
    assert.equal(await snapshot(out), before);
    await rm(file);
    await rename(moved, file);
    await rm(out, { recursive: true });
  }
});

test("a run beside what it reads, in the same folder, resumes", async ({ root, recipe }) => {
  const inside = recipe({ output: join(root, "model", "out"), corpus: join(root, "corpus") });
  await go(inside);
  const { nodes } = await go(inside);
  assert.ok(nodes.every(({ seconds }) => seconds === undefined));
});

test.run();
