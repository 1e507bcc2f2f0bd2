import { readFile } from "node:fs/promises";
import { decodeStream, encodeStream } from "@mbs/artifacts";
import type { ArtifactStream } from "@mbs/contracts";
import * as assert from "uvu/assert";
import { done, faultSuite, mbs, refused, sampling } from "../fixtures/fault-suite.ts";

const test = faultSuite("faults 14 to 19 and 27 to 31: streams at the command line");

async function decode(bytes: Uint8Array): Promise<ArtifactStream> {
  return decodeStream(
    (async function* chunks() {
      yield bytes;
    })(),
  );
}

async function encode(stream: ArtifactStream): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of encodeStream(stream).bytes) chunks.push(chunk);
  return Buffer.concat(chunks);
}

test("14 and 28: a stream cut anywhere", async ({ model, corpus, path }) => {
  await done([...sampling(model, corpus), "--output", path("segments.arrow")]);
  const segments = await readFile(path("segments.arrow"));
  for (const length of [1, 9, 700, segments.length - 200, segments.length - 8, segments.length - 1]) {
    await refused(["inspect", "-"], 65, /^mbs inspect: /, { input: segments.subarray(0, length) });
  }
  const input = segments.subarray(0, segments.length - 100);
  await refused(["capture", "--model", model], 65, /^mbs capture: /, { input, output: path("no.arrow") });
});

test("15: a flipped byte", async ({ path }) => {
  const segments = await readFile(path("segments.arrow"));
  for (const at of [3, 40, Math.floor(segments.length / 2), segments.length - 60]) {
    const input = Buffer.from(segments);
    input[at] = (input[at] ?? 0) ^ 0x10;
    await refused(["inspect", "-"], 65, /^mbs inspect: /, { input });
  }
});

test("16 and 17: a length that no machine could hold", async ({ path }) => {
  const input = await readFile(path("segments.arrow"));
  input.writeInt32LE(0x7f_ff_ff_f0, 4);
  await refused(["inspect", "-"], 65, /states 2147483632 bytes of metadata/, { input });
});

test("18: a version of the future", async ({ path }) => {
  const { schema, batches } = await decode(await readFile(path("segments.arrow")));
  const input = await encode({ schema: { ...schema, version: 9 }, batches });
  await refused(["inspect", "-"], 65, /version 9.*version 2 is supported.*update/, { input });
});

test("19: empty standard input", async ({ model, path }) => {
  await refused(["similarity"], 65, /^mbs similarity: standard input: empty/, {
    output: path("no.arrow"),
    input: new Uint8Array(),
  });
  await refused(["capture", "--model", model], 65, /^mbs capture: standard input: empty/, {
    output: path("no.arrow"),
    input: new Uint8Array(),
  });
  const without = { output: path("no"), input: new Uint8Array() };
  await refused(
    ["assemble", "--model", model, "--format", "gguf"],
    65,
    /^mbs assemble: standard input: empty, where layers are expected; pipe them in, or give --without-layers \(convert the model/,
    without,
  );
  const copy = ["assemble", "--model", model, "--format", "gptq", "--without-layers"];
  await refused(
    copy,
    2,
    /--format gptq without layers would be a copy of the model; give it layers, or take --format gguf or/,
    without,
  );
});

test("30: an occupied output is 77 before anything is read", async ({ path }) => {
  const before = await readFile(path("segments.arrow"));
  const { code, stderr } = await mbs(["similarity", "--output", path("segments.arrow")], { input: before });
  assert.is(code, 77);
  assert.match(stderr, /--force/);
  assert.equal(await readFile(path("segments.arrow")), before);
});

test("inspect shows kind, address and languages, to people and programs", async ({ path }) => {
  const { stdout } = await done(["inspect", path("segments.arrow"), "--json"]);
  const { kind, rows, address, summary } = JSON.parse(stdout) as Record<string, unknown>;
  assert.is(kind, "segments");
  assert.is(rows, 4);
  assert.match(String(address), /^[0-9a-f]{64}$/);
  assert.equal((summary as { language: string; tokens: number }[]).map(({ language, tokens }) => [language, tokens]).sort(), [
    ["en", 64],
    ["mr", 64],
  ]);
  assert.match((await done(["inspect", path("segments.arrow")])).stdout, `address ${String(address)}`);
});

test.run();
