import { cp, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { at } from "@mbs/contracts";
import { writeTinyModel } from "@mbs/models/testing";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { tensorOffsets } from "../fixtures/tensor-offsets.ts";
import { writeTexts } from "../fixtures/texts.ts";
import { runMbs } from "../fixtures/run-mbs.ts";
import type { Ended } from "../fixtures/in-process.ts";

const test = suite<{ root: string }>("run command");

test.before.each(async (context) => {
  context.root = await mkdtemp(join(tmpdir(), "mbs-run-"));
  await writeTinyModel(join(context.root, "model"), { contextLength: 32 });
  await writeTexts(join(context.root, "texts"));
});
test.after.each(({ root }) => rm(root, { recursive: true, force: true }));

/** @returns the path of a recipe */
async function writeRecipe(root: string, changes: Readonly<Record<string, string>>): Promise<string> {
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
  return path;
}

/** A command on a recipe. */
async function start(
  command: "estimate" | "run",
  root: string,
  changes: Readonly<Record<string, string>>,
  flags: readonly string[] = [],
): Promise<Ended> {
  return runMbs([command, await writeRecipe(root, changes), "--threads", "1", ...flags]);
}

/** Both commands on one recipe. */
async function both(
  root: string,
  changes: Readonly<Record<string, string>>,
  flags: readonly string[] = [],
): Promise<readonly [estimated: Ended, ran: Ended]> {
  return [await start("estimate", root, changes, flags), await start("run", root, changes, flags)];
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
    [
      { compress: "{ solver: rtn, bits: 3, min-zero-point: 0 }", assemble: "{ format: gptq }" },
      /recipe\.yaml:6: layer .* cannot hold the zero point 0, .*; assemble with --format gptq-v2, dense, .* --min-zero-point 1/,
    ],
    [
      { compress: "{ solver: gptq, bits: 3, group-size: 16 }", assemble: "{ format: gguf }" },
      /recipe\.yaml:6: weights rounded to 3 bits would be rounded again to the types of Q4_K_M, .*; leave out bits and .* type: Q3_K_M /,
    ],
    [{ sample: "{ mix: equal, segments: 600, length: 32 }" }, / \w+ has .* 200 segments of 32.*; add text, lower --segments/],
    [
      { hashes: `{ corpus: "${"0".repeat(64)}" }` },
      /recipe\.yaml:6: corpus has the hash [0-9a-f]{64}, the recipe was made with "0{64}"; remove hashes to use it anyway/,
    ],
    [
      { sample: '{ mix: "only:xx" }' },
      /recipe\.yaml:3: --mix xx: corpus \S+ has no texts of xx \(no known language\), but of /,
      2,
    ],
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
  const [estimated, ran] = await both(root, {
    sample: `{ mix: proportional, distribution: ${shares}, segments: 2, length: 33 }`,
  });
  for (const { code, stderr } of [estimated, ran]) {
    assert.is(code, 0, stderr);
    assert.match(stderr, /warning: .*has no share for .*; left out\n/);
    assert.is(stderr.match(/warning: .*segments of 33 tokens are longer than the 32/g)?.length, 1);
  }
});

test("estimate and run say before anything runs that a result will not be smaller than its source", async ({ root }) => {
  const changes = { compress: "{ solver: wanda, sparsity: 0.5 }" };
  const [estimated, ran] = await both(root, changes);
  const expected =
    /warning: the result will not be smaller than its source \(about ([\d.]+ kB) from .*, as large\): pruned .*quantise/;
  for (const { stderr } of [estimated, ran]) assert.match(stderr, expected);
  assert.match(estimated.stdout.toString(), /\nsize {4}about [\d.]+ kB from [\d.]+ kB\n/);
  assert.match(ran.stdout.toString(), /^dense: ([\d.]+ kB) from \1, as large; /m);
});

test("estimate and run warn of held-out texts that the calibration has too: by content, or a part of the files", async ({
  root,
}) => {
  const copy = join(root, "copy");
  await cp(join(root, "texts"), copy, { recursive: true });
  const [first = ""] = (await readdir(copy)).sort();
  const manifest = join(root, "part.yaml");
  await writeFile(manifest, `languages: { xx: ${join(root, "texts", first)}, yy: ${join(copy, first)} }\n`);
  for (const [corpus, expected] of [
    [copy, /warning: \S+recipe\.yaml:6: evaluate has the same texts as the calibration, so its losses say little/],
    [manifest, /warning: \S+recipe\.yaml:6: evaluate reads \S+\/texts\/\S+, as the calibration does, so/],
  ] as const) {
    for (const { code, stderr } of await both(root, { evaluate: `{ corpus: ${corpus}, windows: 1 }` })) {
      assert.is(code, 0, stderr);
      assert.match(stderr, expected);
    }
    await rm(join(root, "out"), { recursive: true });
  }
  const other = join(root, "other");
  await mkdir(other);
  await writeFile(join(other, "en.txt"), "Some other text of another kind.\n\n".repeat(40));
  const estimated = await start("estimate", root, { evaluate: `{ corpus: ${other}, windows: 1 }` });
  assert.not.match(estimated.stderr, /as the calibration/);
});

test("estimate says that the entries of stages are not counted", async ({ root }) => {
  const stages = "{ alike: { stage: similarity, inputs: { statistics: capture } } }";
  const [estimated, ran] = await both(root, { propagation: "dense", stages });
  assert.equal([estimated.code, ran.code], [0, 0], estimated.stderr + ran.stderr);
  assert.match(estimated.stdout.toString(), /\nstages {2}not counted: alike\n/);
  assert.ok((await readdir(join(root, "out"))).includes("alike.arrow"));
  assert.ok(ran.stdout.toString().includes(`\n${join(root, "out", "alike.arrow")}\nnext: `));
});

test("what estimate says of the disk is what a run that keeps all has on it", async ({ root }) => {
  await rm(join(root, "model"), { recursive: true });
  await writeTinyModel(join(root, "model"), { contextLength: 32, hiddenSize: 128, blocks: 3 });
  const shared = { keep: "true", similarity: "true" };
  const variants: readonly Readonly<Record<string, string>>[] = [
    { propagation: "true-sequential" },
    { compress: "{ solver: gptaq, group-size: 16 }" },
    { compress: "{ solver: wanda, sparsity: 0.5 }", allocate: "{ method: owl }" },
  ];
  for (const changes of variants) {
    await rm(join(root, "out"), { recursive: true, force: true });
    const [estimated, ran] = await both(root, { ...shared, ...changes }, ["--json"]);
    assert.is(ran.code, 0, ran.stderr);
    const { disk } = JSON.parse(estimated.stdout.toString()) as { disk: { peak: number } };
    let used = 0;
    for (const name of await readdir(join(root, "out"), { recursive: true })) {
      const found = await stat(join(root, "out", name));
      if (found.isFile()) used += found.size;
    }
    // beside the numbers there are headers, similarities and records
    const ratio = disk.peak / used;
    assert.ok(ratio > 0.9 && ratio < 1.1, `${JSON.stringify(changes)}: ${disk.peak} said, ${used} used`);
  }
});

test("every --memory gives the same nodes, addresses and files, and leaves nothing else", async ({ root }) => {
  await rm(join(root, "model"), { recursive: true });
  await writeTinyModel(join(root, "model"), { contextLength: 32, hiddenSize: 64, heads: 4, blocks: 3 });
  const changes = { compress: "{ solver: gptq, bits: 3, group-size: 16 }", evaluate: `{ corpus: ${join(root, "texts")} }` };
  const path = await writeRecipe(root, changes);
  const runWith = async (...memory: readonly string[]) => {
    await rm(join(root, "out"), { recursive: true, force: true });
    const { code, stdout, stderr } = await runMbs(["run", path, "--threads", "1", "--json", ...memory]);
    assert.is(code, 0, stderr);
    const nodes = stdout
      .toString()
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as { id: string; address: string })
      .map(({ id, address }) => ({ id, address }));
    const names = (await readdir(join(root, "out"), { recursive: true })).sort();
    const files = names.filter((name) => name.startsWith("model/") || name.endsWith(".arrow"));
    const contents = await Promise.all(files.map(async (name) => [name, await readFile(join(root, "out", name), "base64")]));
    return { nodes, names, contents };
  };
  const whole = await runWith();
  assert.ok(whole.nodes.length > 30, String(whole.nodes.length));
  assert.ok(whole.names.includes("model/model.safetensors"));
  // nothing is kept; a part of a node's values and artifacts; everything
  for (const memory of ["0", "40KiB", "1GiB"]) assert.equal(await runWith("--memory", memory), whole, memory);
});

test("--memory is a size, and not above what the machine has", async ({ root }) => {
  for (const [size, message] of [
    ["2", /: --memory takes a size such as 4GiB or 180MB \(kB, .*, TiB\), not "2"\n$/],
    ["-1", /: --memory takes a size such as 4GiB or 180MB \(kB, .*, TiB\), not "-1"\n$/],
    [`${"9".repeat(400)}TiB`, /: --memory takes a size such as 4GiB or 180MB \(.*\), not "9+/],
    ["4096TiB", /: --memory 4\.50 PB is more than the .* of memory here; leave some of that for the work itself\n$/],
  ] as const) {
    for (const { code, stderr } of await both(root, {}, ["--memory", size])) {
      assert.is(code, 2, stderr);
      assert.match(stderr, message);
    }
  }
});

test("a run of alps says that it spreads sparsity by damage, and one with uniform does not", async ({ root }) => {
  await writeTinyModel(join(root, "model"), { hiddenSize: 64, heads: 4, contextLength: 32 });
  const compress = "{ solver: alps, sparsity: 0.5, schedule: short, qep: 0.5 }";
  const byDamage = await start("run", root, { compress });
  assert.is(byDamage.code, 0, byDamage.stderr);
  assert.match(byDamage.stderr, /^mbs run: allocate takes method: pruning-damage, which the recipe leaves to solver alps$/m);
  assert.match(await readFile(join(root, "out", "recipe.yaml"), "utf8"), /\nallocate:\n {2}method: pruning-damage\n/);
  await rm(join(root, "out"), { recursive: true });
  const uniform = await start("run", root, { compress, allocate: "{ method: uniform }" });
  assert.is(uniform.code, 0, uniform.stderr);
  assert.not.match(uniform.stderr, /allocate/);
  assert.not.match(await readFile(join(root, "out", "recipe.yaml"), "utf8"), /\nallocate:/);
});

test("at 3 bits a run for GPTQ's first version takes zero points from 1, and says so", async ({ root }) => {
  await writeTinyModel(join(root, "model"), { hiddenSize: 64, heads: 4, contextLength: 32 });
  const changes = { compress: "{ solver: rtn, bits: 3, group-size: 16 }", assemble: "{ format: gptq }" };
  const { code, stderr } = await start("run", root, changes);
  assert.is(code, 0, stderr);
  const line =
    "mbs run: compress takes search: none, symmetric: false, min-zero-point: 1, which the recipe leaves to solver rtn and format gptq\n";
  assert.is(stderr.split(line).length, 2, stderr);
  const recorded = await readFile(join(root, "out", "recipe.yaml"), "utf8");
  assert.match(recorded, /\n  symmetric: false\n  minZeroPoint: 1\n/);
  const file = await readFile(join(root, "out", "model", "model.safetensors"));
  const stored = new Set<number>();
  for (const [name, [start, end]] of tensorOffsets(file)) {
    if (!name.endsWith(".qzeros")) continue;
    // 32 zero points of 3 bits fill 3 words without gaps, from the lowest bit up
    const bits = [...file.subarray(start, end)]
      .toReversed()
      .map((byte) => byte.toString(2).padStart(8, "0"))
      .join("");
    for (const [zero] of bits.matchAll(/.../g)) stored.add(Number.parseInt(zero, 2));
  }
  // less one, as version 1 stores them: 7 would stand for a zero point of 0
  assert.not.ok(stored.has(7));
  assert.ok(stored.size > 2, [...stored].join());
});

test("run ends with the scores, the size and the next command; the nodes' commands are asked for", async ({ root }) => {
  const evaluate = `{ corpus: ${join(root, "texts")}, windows: 1 }`;
  const { code, stdout, stderr } = await start("run", root, { evaluate, similarity: "true" });
  assert.is(code, 0, stderr);
  const text = stdout.toString();
  assert.match(text, /^dense\nlanguage +windows +perplexity/);
  assert.match(text, /\ncompressed, rise above dense/);
  const ending = text.split("\n").slice(-6);
  assert.match(at(ending, 0), /^dense: ([\d.]+ kB) from \1, as large; \d+\.\d+ bits a weight; no weight is packed/);
  assert.match(at(ending, 1), /^7 nodes in /);
  const out = join(root, "out");
  const results = `${out}/scores.arrow ${out}/similarity.arrow --recipe ${out}/recipe.yaml`;
  assert.match(at(ending, 2), /\/out\/run \([\d.]+ [kM]B\) is what another run of this recipe goes on from; it may be deleted$/);
  assert.equal(ending.slice(3), [join(out, "model"), `next: mbs report ${results} --output report.html`, ""]);
  assert.not.match(text, /mbs capture/);
  const again = await runMbs(["run", join(root, "recipe.yaml"), "--threads", "1", "--commands", "--quiet"]);
  assert.is(again.code, 0, again.stderr);
  assert.match(again.stdout.toString(), /^mbs sample .*\n {2}# done before, [0-9a-f]{64}\nmbs propagate /);
  const open = await runMbs(["run", join(root, "recipe.yaml"), "--commands", "--quiet"]);
  assert.is(open.code, 0, open.stderr);
  assert.is(open.stdout.toString(), again.stdout.toString(), "the threads that it began with");
  const other = await runMbs(["run", join(root, "recipe.yaml"), "--threads", "3"]);
  assert.is(other.code, 77);
  assert.match(other.stderr, /out holds a run that began with --threads 1; with 3 everything would be made again, .* --force\n$/);
});

test("a run whose evaluation rounds activations ends with a card without scores, and says so", async ({ root }) => {
  await writeTinyModel(join(root, "model"), { hiddenSize: 64, heads: 4, contextLength: 32 });
  const { code, stderr } = await start("run", root, {
    compress: "{ solver: rtn, bits: 4, group-size: 16 }",
    assemble: "{ format: gptq }",
    evaluate: `{ corpus: ${join(root, "texts")}, windows: 1, activations: int8 }`,
  });
  assert.is(code, 0, stderr);
  assert.match(stderr, /\nmbs run: the card has no scores, since compressed was evaluated with activations in int8\n/);
  const card = await readFile(join(root, "out", "model", "README.md"), "utf8");
  assert.match(card, /activations: int8/, "the recipe");
  assert.not.match(card, /perplexity/i);
});

test("a limit for nodes that nothing would keep is refused", async ({ root }) => {
  const path = await writeRecipe(root, {});
  for (const [flags, message] of [
    [["--workers", "0", "--node-limit", "5"], "--node-limit needs a worker process"],
    [["--node-limit", "3000000"], "at most 2000000"],
  ] as const) {
    const { code, stderr } = await runMbs(["run", path, ...flags]);
    assert.is(code, 2, stderr);
    assert.match(stderr, message);
  }
});

test.run();
