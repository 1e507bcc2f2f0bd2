import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createBlas } from "@mbs/onnx";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type * as KeptRates from "../src/estimate/kept-rates.ts";
import { measure, noise } from "../src/estimate/probes/timing.ts";

const test = suite<{ root: string; cache: string | undefined }>("kept rates");

test.before.each(async (context) => {
  context.root = await mkdtemp(join(tmpdir(), "mbs-rates-"));
  context.cache = process.env["XDG_CACHE_HOME"];
  process.env["XDG_CACHE_HOME"] = context.root;
});
test.after.each(async ({ root, cache }) => {
  if (cache === undefined) delete process.env["XDG_CACHE_HOME"];
  else process.env["XDG_CACHE_HOME"] = cache;
  await rm(root, { recursive: true, force: true });
});

let processes = 0;
/** What a process of its own finds. */
async function ask(isQuiet: boolean, seconds: number, key = "product") {
  processes += 1;
  const { keptSeconds } = (await import(`../src/estimate/kept-rates.ts?process=${processes}`)) as typeof KeptRates;
  let measured = 0;
  const found = await keptSeconds([key, 2], ["a", "b"], isQuiet, async () => {
    measured += 1;
    return { a: seconds, b: 1 };
  });
  return [found.a, measured];
}

test("a rate is measured once on a machine, and again only where other programs were at work before and are not now", async () => {
  assert.equal(await ask(false, 3), [3, 1]);
  assert.equal(await ask(false, 1), [3, 0]);
  assert.equal(await ask(true, 4), [3, 1], "the shorter is kept");
  assert.equal(await ask(true, 1), [3, 0]);
  assert.equal(await ask(true, 1, "another"), [1, 1]);
});

test("what is damaged is measured again, and without a place to keep it it is measured each time", async ({ root }) => {
  await ask(true, 3);
  const folder = join(root, "mbs/rates");
  const [name = ""] = await readdir(folder);
  for (const damaged of ["", "{", '{"seconds":{"a":1}}', '{"seconds":{"a":-1,"b":1}}', '{"seconds":{"a":"1","b":1}}', "null"]) {
    await writeFile(join(folder, name), damaged);
    assert.equal(await ask(true, 2), [2, 1], damaged);
  }
  process.env["XDG_CACHE_HOME"] = join(folder, name);
  assert.equal(await ask(true, 5), [5, 1]);
  assert.equal(await ask(true, 5), [5, 1]);
});

test("other programs make work wait and do not make it longer, and threads share what the engine does", async () => {
  const waiting = await measure(1, () => new Promise((done) => setTimeout(done, 300)));
  assert.ok(waiting.clock >= 0.29 && waiting.quiet < 0.1, JSON.stringify(waiting));
  const blas = createBlas({ threads: 1 });
  const matrix = { rows: 700, columns: 700, values: noise(700 * 700) };
  await blas.gemm(matrix, matrix);
  const products = async (threads: number): Promise<number> => {
    const taken = await measure(threads, async () => {
      for (let time = 0; time < 8; time++) await blas.gemm(matrix, matrix);
    });
    return taken.quiet;
  };
  const [one, eight] = [await products(1), await products(8)];
  await blas.release();
  // what is not the engine's is the same
  assert.ok(eight < 0.6 * one, `${one} s, ${eight} s`);
});

test.run();
