import { cp, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { writeTinyModel } from "@mbs/models/testing";
import { done, faultSuite, mbs, refused, sampling } from "../fixtures/fault-suite.ts";
import * as assert from "uvu/assert";

const test = faultSuite("fault 20: artifacts of another model or tokenizer");

const hash = "[0-9a-f]{64}";

test("20: tokens of another tokenizer are refused with both hashes", async ({ model, corpus, path }) => {
  await done([...sampling(model, corpus), "--output", path("segments.arrow")]);
  const other = path("other-tokenizer");
  await cp(model, other, { recursive: true });
  await writeFile(join(other, "tokenizer.json"), `${await readFile(join(model, "tokenizer.json"), "utf8")} `);
  for (const stage of ["capture", "propagate"]) {
    await refused([stage, "--model", other, "--source", path("segments.arrow")], 65, new RegExp(`${hash}.*${hash}`), {
      output: path("no.arrow"),
    });
  }
});

test("what belongs to another model is refused at every stage, with both hashes", async ({ model, path }) => {
  const other = path("other");
  await writeTinyModel(other, { seed: 1 });
  const [segments, states, statistics] = [path("segments.arrow"), path("states.arrow"), path("statistics.arrow")];
  const [factors, layers] = [path("factors.arrow"), path("layers.arrow")];
  await done(["propagate", "--model", model, "--source", segments, "--output", states]);
  await done(["capture", "--model", model, "--source", states, "--output", statistics]);
  await done(["factor", "--statistics", statistics, "--output", factors]);
  await done(["compress", "--model", model, "--solver", "rtn", "--factors", factors, "--output", layers]);
  const both = new RegExp(`${hash}.*${hash}`);
  const output = path("no.arrow");
  await refused(["capture", "--model", other, "--source", states], 65, both, { output });
  await refused(["propagate", "--model", other, "--source", states, "--layers", layers], 65, both, { output });
  await refused(["compress", "--model", other, "--factors", factors], 65, both, { output });
  await refused(["assemble", "--model", other, "--layers", layers], 65, both, { output: path("no") });
});

test("an artifact of another kind is refused by name", async ({ model, path }) => {
  const input = await readFile(path("segments.arrow"));
  await refused(["factor"], 65, /takes statistics, but standard input holds segments/, { input, output: path("no.arrow") });
  await refused(["assemble", "--model", model], 65, /takes layers, but standard input holds segments/, {
    input,
    output: path("no"),
  });
});

test("bytes that are no artifact, two artifacts, and none are refused", async ({ model, path }) => {
  const segments = await readFile(path("segments.arrow"));
  const output = path("no.arrow");
  for (const [input, message] of [
    [Buffer.alloc(0), /empty/],
    [Buffer.from("\u001b[31mtext"), /standard input: no artifact: it does not begin as one/],
    [segments.subarray(0, -1), /./],
    [Buffer.concat([segments, segments]), /after the end of the artifact/],
  ] as const) {
    await refused(["capture", "--model", model], 65, message, { input, output });
    await refused(["inspect", "-"], 65, message, { input });
  }
  const changed = Buffer.from(segments);
  const middle = segments.length >> 1;
  changed.writeUInt8(changed.readUInt8(middle) ^ 1, middle);
  await refused(["inspect", "-"], 65, /./, { input: changed });
});

test("an impossible configuration or tokenizer is refused without spending memory on it", async ({ model, path }) => {
  const hostile = path("hostile");
  await cp(model, hostile, { recursive: true });
  const config = JSON.parse(await readFile(join(model, "config.json"), "utf8")) as Record<string, unknown>;
  const capture = ["capture", "--model", hostile, "--source", path("segments.arrow")];
  const output = path("no.arrow");
  for (const [change, message] of [
    [{ hidden_size: 1e12 }, /hidden_size must be/],
    [{ n_layer: 1e9 }, /n_layer must be/],
    [{ n_head: 0 }, /n_head must be a whole number/],
    [{ vocab_size: 100 }, /do not fit config\.json/],
    [{ model_type: "__proto__" }, /model_type "__proto__" is not supported/],
    [{ model_type: "\u001b[31m" }, /is not supported/],
  ] as const) {
    await writeFile(join(hostile, "config.json"), JSON.stringify({ ...config, ...change }));
    await refused(capture, 65, message, { output });
  }
  await writeFile(join(hostile, "config.json"), JSON.stringify(config));
  await writeFile(
    join(hostile, "tokenizer.json"),
    '{"decoder":{"type":"ByteLevel"},"model":{"type":"BPE","vocab":{"a":1e12},"merges":[]}}',
  );
  await refused(sampling(hostile, path("corpus")), 65, /tokenizer\.json: added_tokens is missing, not a list/, { output });
});

test("--debug alone shows a stack", async ({ model, path }) => {
  const args = ["capture", "--model", model, "--source", path("absent.arrow")];
  const { code, stderr } = await mbs([...args, "--debug"], { isProcess: true });
  assert.is(code, 74);
  assert.match(stderr, /\n\s+at /);
  await refused(args, 74, /absent\.arrow/);
});

test.run();
