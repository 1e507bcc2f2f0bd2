import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import * as assert from "uvu/assert";
import { done, faultSuite, mbs, refused, sampling } from "../fixtures/fault-suite.ts";

const test = faultSuite("faults 21 and 22: corpora");

const line = '{"text":"a good document, long enough to be drawn"}\n';

/** 200 documents of which one is bad: half a per cent, where the limit is one. */
const oneBad = (bad: string | Uint8Array): Buffer =>
  Buffer.concat([Buffer.from(line.repeat(120)), Buffer.from(bad), Buffer.from(line.repeat(79))]);

const badBytes = Buffer.concat([Buffer.from('{"text":"'), Buffer.from([0xff, 0xfe]), Buffer.from('"}\n')]);

const reported: Readonly<Record<string, readonly [content: Uint8Array, warning: RegExp]>> = {
  "bad UTF-8": [oneBad(badBytes), /en: 1 of 200 documents are broken \(1 bad UTF-8; first: [^\n]*en\.jsonl, row 121\)/],
  "a huge line": [
    oneBad(`{"text":"${"x".repeat(9 << 20)}"}\n`),
    /en: 1 of 200 documents are broken \(1 too long; first: [^\n]*en\.jsonl/,
  ],
  "a missing field": [oneBad('{"other":"x"}\n'), /en: 1 of 200 documents are broken \(1 no text; first: [^\n]*en\.jsonl/],
  "a byte-order mark": [Buffer.from(`\ufeff${line.repeat(200)}`), /byte-order mark; dropped/],
};

test("21: what is broken is counted and reported", async ({ model, path }) => {
  for (const [what, [content, warning]] of Object.entries(reported)) {
    const corpus = path(`reported-${what.replaceAll(" ", "-")}`);
    await mkdir(corpus);
    await writeFile(join(corpus, "en.jsonl"), content);
    const { stderr } = await done([...sampling(model, corpus), "--output", `${corpus}.arrow`]);
    assert.match(stderr, warning, what);
  }
});

const aboveLimit: Readonly<Record<string, readonly [content: Uint8Array, message: RegExp]>> = {
  "bad UTF-8": [Buffer.concat([Buffer.from(line.repeat(50)), badBytes]), /en: 1 of 51 documents are broken \(1 bad UTF-8;/],
  "a missing column": [Buffer.from('{"body":"x"}\n'.repeat(50)), /"text".*body/],
  "UTF-16": [Buffer.from(`\ufeff${line}`, "utf16le"), /is UTF-16; convert it to UTF-8/],
};

test("21: above one per cent, or where nothing can be read, it is refused", async ({ model, path }) => {
  for (const [what, [content, message]] of Object.entries(aboveLimit)) {
    const corpus = path(`refused-${what.replaceAll(" ", "-")}`);
    await mkdir(corpus);
    await writeFile(join(corpus, "en.jsonl"), content);
    await refused([...sampling(model, corpus), "--quiet"], 65, message, { output: path("no.arrow") });
  }
});

test("22: too few tokens name the language and the deficit; --allow-short records it", async ({ model, corpus, path }) => {
  const short = path("short");
  await mkdir(short);
  await writeFile(join(short, "en.txt"), "plenty of text to draw from, again and again\n\n".repeat(60));
  await writeFile(join(short, "mr.txt"), "ten bytes!\n");
  await refused(sampling(model, short), 65, /mr has 10 tokens where 2 segments of 32 need 64; .*--allow-short/, {
    output: path("no.arrow"),
  });
  const output = path("short.arrow");
  const { stderr } = await done([...sampling(model, short, "--allow-short"), "--output", output]);
  assert.match(stderr, /mr has 10 tokens .*; going on without it/);
  const { metadata } = JSON.parse((await done(["inspect", output, "--json"])).stdout) as { metadata: Record<string, string> };
  assert.equal(JSON.parse(metadata["shortfall"] ?? ""), { mr: 54 });
  assert.is((await mbs(sampling(model, corpus))).code, 0);
});

test("a device is no corpus", async ({ model, path }) => {
  await refused(sampling(model, "/dev/zero"), 65, /\/dev\/zero is no manifest/, { output: path("no.arrow") });
});

test("a manifest whose aliases multiply is refused", async ({ model, path }) => {
  const lines = ["a: &a [x, x, x, x, x, x, x, x, x]"];
  for (let level = 1; level < 10; level++) {
    const before = Array.from({ length: 9 }, () => `*${"abcdefghij"[level - 1]}`).join(", ");
    lines.push(`${"abcdefghij"[level]}: &${"abcdefghij"[level]} [${before}]`);
  }
  await writeFile(path("bomb.yaml"), lines.join("\n"));
  await refused(sampling(model, path("bomb.yaml")), 65, /bomb\.yaml: is no YAML/, { output: path("no.arrow") });
  await refused(["run", path("bomb.yaml")], 65, /bomb\.yaml: no valid YAML/);
});

test.run();
