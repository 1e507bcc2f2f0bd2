import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { writeTinyModel } from "@mbs/models/testing";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { writeTexts } from "./fixtures/texts.ts";
import { runMbs } from "./run-mbs.ts";
import type { Ended } from "./run-mbs.ts";

const test = suite<{ root: string }>("run command");

test.before.each(async (context) => {
  context.root = await mkdtemp(join(tmpdir(), "mbs-run-"));
  await writeTinyModel(join(context.root, "model"), { contextLength: 32 });
  await writeTexts(join(context.root, "texts"));
});
test.after.each(({ root }) => rm(root, { recursive: true, force: true }));

/** Both commands on one recipe. */
async function both(root: string, changes: Readonly<Record<string, string>>): Promise<readonly Ended[]> {
  const path = join(root, "recipe.yaml");
  const keys = {
    model: join(root, "model"),
    corpus: join(root, "texts"),
    sample: "{ mix: equal, segments: 6, length: 32 }",
    compress: "{ solver: rtn, group-size: 16 }",
    output: join(root, "out"),
    ...changes,
  };
  await writeFile(
    path,
    Object.entries(keys)
      .map(([key, value]) => `${key}: ${value}\n`)
      .join(""),
  );
  const ended: Ended[] = [];
  for (const command of ["estimate", "run"]) ended.push(await runMbs([command, path, "--threads", "1"]));
  return ended;
}

test("estimate and run refuse the same: formats that cannot hold the layers, and too little text, and what stages do not take", async ({
  root,
}) => {
  for (const [changes, message, expected = 65] of [
    [
      { compress: '{ solver: wanda, pattern: "2:4" }', assemble: "{ format: gptq }" },
      /recipe\.yaml:6: layer .*: wanda makes no codes/,
    ],
    [
      { compress: "{ solver: rtn, bits: 5 }", assemble: "{ format: gptq }" },
      /recipe\.yaml:6: .*, not 5; compress with --bits 4 or 8/,
    ],
    [
      { compress: "{ solver: rtn, bits: 5 }", assemble: "{ format: onnx }" },
      /recipe\.yaml:6: .*5 bits cannot be written as ONNX/,
    ],
    [{ sample: "{ mix: equal, segments: 600, length: 32 }" }, / \w+ has .* 200 segments of 32.*; add text, lower --segments/],
    [{ sample: '{ mix: "only:xx" }' }, /recipe\.yaml:3: the corpus has no xx; it has /, 2],
    [{ evaluate: `{ corpus: ${join(root, "texts")}, labels: [a, a] }` }, /recipe\.yaml:6: two models have one name \(a, a\)/, 2],
  ] as const) {
    const [estimated, ran] = await both(root, changes);
    for (const { code, stderr } of [estimated, ran]) {
      assert.is(code, expected, stderr);
      assert.match(stderr, message);
    }
    assert.is(
      ran.stderr.replace("mbs run: sample: ", "mbs run: ").split("mbs run: ").at(-1),
      estimated.stderr.split("mbs estimate: ").at(-1),
    );
    assert.not.ok((await readdir(root)).includes("out") && (await readdir(join(root, "out"))).includes("model"));
    await rm(join(root, "out"), { recursive: true, force: true });
  }
});

test("estimate warns of what run warns of: languages without a share, segments beyond the context", async ({ root }) => {
  const shares = join(root, "shares.json");
  await writeFile(shares, JSON.stringify({ unit: "tokens", source: "test", shares: { en: 1 } }));
  const [estimated, ran] = await both(root, { sample: `{ distribution: ${shares}, segments: 2, length: 33 }` });
  for (const { code, stderr } of [estimated, ran]) {
    assert.is(code, 0, stderr);
    assert.match(stderr, /warning: .*has no share for .*; left out\n/);
    assert.is(stderr.match(/warning: .*segments of 33 tokens are longer than the 32/g)?.length, 1);
  }
});

test("run ends with the scores, the size and the next command; the steps' commands are asked for", async ({ root }) => {
  const evaluate = `{ corpus: ${join(root, "texts")}, windows: 1 }`;
  const [, { code, stdout, stderr }] = await both(root, { evaluate, similarity: "true" });
  assert.is(code, 0, stderr);
  const text = stdout.toString();
  assert.match(text, /^dense\nlanguage +windows +perplexity/);
  assert.match(text, /\ncompressed, rise above dense/);
  const ending = text.split("\n").slice(-5);
  assert.match(ending[0], /^dense: [\d.]+ kB on disk, as large as/);
  assert.match(ending[1], /^12 steps in /);
  const out = join(root, "out");
  const results = `${out}/scores.arrow ${out}/similarity.arrow --recipe ${out}/recipe.yaml`;
  assert.equal(ending.slice(2), [join(out, "model"), `next: mbs report ${results} --output report.html`, ""]);
  assert.not.match(text, /mbs capture/);
  const again = await runMbs(["run", join(root, "recipe.yaml"), "--threads", "1", "--commands", "--quiet"]);
  assert.is(again.code, 0, again.stderr);
  assert.match(again.stdout.toString(), /^mbs sample .*\n {2}# done before, [0-9a-f]{64}\nmbs propagate /);
});

test.run();
