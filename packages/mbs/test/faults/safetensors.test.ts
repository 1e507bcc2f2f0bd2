import { cp, mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { openArtifact } from "@mbs/artifacts";
import { readScoresReport } from "@mbs/evaluation";
import { writeTinyModel } from "@mbs/models/testing";
import * as assert from "uvu/assert";
import { present } from "../fixtures/present.ts";
import { done, faultSuite, mbs, refused, sampling } from "../fixtures/fault-suite.ts";

const test = faultSuite("faults 1 to 8 and 13: safetensors");

interface Entry {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly data_offsets: readonly [number, number];
}
type Header = Readonly<Record<string, Entry>>;

const withHeader = (header: string | Uint8Array, body: Uint8Array): Buffer => {
  const bytes = Buffer.from(header);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(bytes.length));
  return Buffer.concat([length, bytes, body]);
};

function split(file: Buffer): { header: Header; text: string; body: Buffer } {
  const end = 8 + Number(file.readBigUInt64LE());
  const text = file.subarray(8, end).toString();
  const { __metadata__: _, ...header } = JSON.parse(text) as Record<string, Entry>;
  return { header, text, body: file.subarray(end) };
}

const lengthOnly = (length: bigint, rest: Uint8Array): Buffer => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(length);
  return Buffer.concat([bytes, rest]);
};

const embedding = "transformer.word_embeddings.weight";
const linear = "transformer.h.1.mlp.dense_h_to_4h.weight";

/** Each broken file, made from a whole one, and what the message has to say. */
const faults: Readonly<Record<string, readonly [make: (file: Buffer) => Uint8Array, message: RegExp]>> = {
  "1: 7 bytes": [(file) => file.subarray(0, 7), /cut short: 7 bytes .* at least 8; copy it again/],
  "1: cut within the header": [(file) => file.subarray(0, 100), /cut short: .* the file has 100;/],
  "1: cut within a tensor": [(file) => file.subarray(0, -1), /need \d+ bytes, the file has \d+; copy it again/],
  "2: header longer than the file": [
    (file) => lengthOnly(99_999_999n, file.subarray(8)),
    /header needs 100000007 bytes, the file has \d+/,
  ],
  "2: header above the limit": [(file) => lengthOnly(100_000_001n, file.subarray(8)), /at most 100000000 are allowed/],
  "2: header length beyond 2^63": [(file) => lengthOnly(2n ** 64n - 1n, file.subarray(8)), /claims 18446744073709551615 bytes/],
  "3: not UTF-8": [(file) => withHeader(Buffer.from([0x7b, 0xff, 0xfe, 0x7d]), split(file).body), /not UTF-8/],
  "3: another first byte": [(file) => withHeader(` ${split(file).text}`, split(file).body), /offset 8 does not begin with "\{"/],
  "3: bad JSON": [(file) => withHeader("{bad", split(file).body), /not JSON/],
  "4: a name twice": [
    (file) => {
      const { header, text, body } = split(file);
      const again = `,${JSON.stringify(embedding)}:${JSON.stringify(header[embedding])}}`;
      return withHeader(text.trimEnd().replace(/\}$/, again), body);
    },
    /word_embeddings\.weight" twice/,
  ],
  "4: a tensor named __proto__": [
    (file) => {
      const { text, body } = split(file);
      const extra = `,"__proto__":{"dtype":"F32","shape":[1],"data_offsets":[${body.length},${body.length + 4}]}}`;
      return withHeader(text.trimEnd().replace(/\}$/, extra), Buffer.concat([body, Buffer.alloc(4)]));
    },
    /__proto__ is unknown/,
  ],
  "5: overlapping": [
    (file) => edit(file, ([begin, end]) => ({ data_offsets: [begin - 2, end - 2] })),
    /tensors "[^"]+" and "[^"]+" overlap at offset \d+/,
  ],
  "5: trailing bytes": [(file) => Buffer.concat([file, Buffer.alloc(3)]), /3 trailing bytes/],
  "5: a gap": [
    (file) => {
      const { header, body } = split(file);
      const moved = Object.fromEntries(
        Object.entries(header).map(([name, entry]) => {
          const [begin, end] = entry.data_offsets;
          return [name, { ...entry, data_offsets: [begin + 8, end + 8] }];
        }),
      );
      return withHeader(JSON.stringify(moved), Buffer.concat([Buffer.alloc(8), body]));
    },
    /a gap of 8 bytes at offset \d+/,
  ],
  "5: a tensor without values within another": [
    (file) => {
      const { header, body } = split(file);
      const inside = linearOf(header).data_offsets[0] + 2;
      const empty = { dtype: "F32", shape: [0], data_offsets: [inside, inside] };
      return withHeader(JSON.stringify({ ...header, empty }), body);
    },
    /dense_h_to_4h\.weight" and "empty" overlap/,
  ],
  "6: shape and span": [(file) => edit(file, () => ({ shape: [1, 1] })), /dense_h_to_4h.* needs 2 bytes/],
  "6: overflow": [(file) => edit(file, () => ({ shape: [2 ** 40, 2 ** 40] })), /needs 2417851639229258349412352 bytes/],
  "8: NaN": [
    (file) => {
      const { header, text, body } = split(file);
      const changed = Buffer.from(body);
      changed.writeUInt16LE(0x7e00, linearOf(header).data_offsets[0] + 2 * 5);
      return withHeader(text, changed);
    },
    /h\.1\.mlp\.dense_h_to_4h\.weight has NaN at index 5; .*--allow-nonfinite/,
  ],
};

const linearOf = (header: Readonly<Record<string, Entry>>): Entry => present(header[linear], linear);

/** Changes the entry of the linear tensor. */
function edit(file: Buffer, change: (offsets: Entry["data_offsets"]) => Partial<Entry>): Buffer {
  const { header, body } = split(file);
  const entry = linearOf(header);
  return withHeader(JSON.stringify({ ...header, [linear]: { ...entry, ...change(entry.data_offsets) } }), body);
}

test("every broken file is refused by capture", async ({ model, corpus, path }) => {
  await done([...sampling(model, corpus), "--output", path("segments.arrow")]);
  const whole = await readFile(join(model, "model.safetensors"));
  const lanes = [0, 1].map(async (lane) => {
    const broken = path(`broken-${lane}`);
    await cp(model, broken, { recursive: true });
    const mine = Object.entries(faults).filter((_, index) => index % 2 === lane);
    for (const [what, [make, message]] of mine) {
      await writeFile(join(broken, "model.safetensors"), make(whole));
      const output = path(`no-${lane}.arrow`);
      await refused(["capture", "--model", broken, "--source", path("segments.arrow")], 65, message, { output }).catch(
        (cause: Error) => {
          throw new Error(`row ${what}: ${cause.message}`, { cause });
        },
      );
    }
  });
  await Promise.all(lanes);
});

test("8: --allow-nonfinite goes on, leaves that tensor uncompressed and reports it", async ({ model, corpus, path }) => {
  const sick = path("sick");
  await cp(model, sick, { recursive: true });
  const [make] = present(faults["8: NaN"], "fault 8");
  await writeFile(join(sick, "model.safetensors"), make(await readFile(join(model, "model.safetensors"))));
  const common = ["--model", sick, "--allow-nonfinite"];
  await done(["capture", ...common, "--source", path("segments.arrow"), "--output", path("sick-statistics.arrow")]);
  await done(["factor", "--statistics", path("sick-statistics.arrow"), "--output", path("sick-factors.arrow")]);
  await refused(["compress", "--model", sick, "--factors", path("sick-factors.arrow")], 65, /NaN at index 5/, {
    output: path("none.arrow"),
  });
  const { stderr } = await mbs([
    "compress",
    ...common,
    "--factors",
    path("sick-factors.arrow"),
    "--output",
    path("sick-layers.arrow"),
  ]);
  assert.match(stderr, /dense_h_to_4h\.weight/);
  const { stdout } = await done(["inspect", path("sick-layers.arrow"), "--json", "--rows", "0"]);
  assert.not.match(stdout, /h\.1\.mlp\.dense_h_to_4h/);
  assert.match(stdout, /h\.0\.mlp\.dense_h_to_4h/);
  const scored = await done(["evaluate", ...common, "--corpus", corpus, "--length", "32", "--output", path("sick.arrow")]);
  const readAsZero = /tensor [^\n]*dense_h_to_4h\.weight has NaN or Inf, read as 0/;
  assert.match(scored.stderr, readAsZero);
  const { notes } = await readScoresReport(await openArtifact(path("sick.arrow")));
  assert.match(notes.join("\n"), /sick: NaN and Inf of [^\n]*dense_h_to_4h\.weight were read as 0/);
  assert.match((await mbs(["generate", ...common, "--tokens", "2", "abc"])).stderr, readAsZero);
  const states = path("sick-states.arrow");
  const embedded = ["propagate", ...common, "--source", path("segments.arrow"), "--output", states];
  assert.is((await done(embedded)).stderr.includes("NaN"), false, "the embedding has none");
  const next = ["propagate", ...common, "--source", states, "--output", path("states-1.arrow")];
  await done(next);
  const second = ["propagate", ...common, "--source", path("states-1.arrow"), "--output", path("states-2.arrow")];
  assert.match((await mbs(second)).stderr, readAsZero);
  // the model as it is written says so too
  const layers = ["--layers", path("sick-layers.arrow"), "--output", path("sick-out")];
  await done(["assemble", ...common, ...layers]);
  const record = JSON.parse(await readFile(join(path("sick-out"), "mbs.json"), "utf8")) as { nonfinite: string[] };
  assert.is(record.nonfinite.length, 1);
  assert.match(
    await readFile(join(path("sick-out"), "README.md"), "utf8"),
    /\*\*A tensor has NaN or Inf\*\* and stands here as in/,
  );
});

test("7: missing shards are all named, and a shard that contradicts the index", async ({ path }) => {
  const sharded = path("sharded");
  await writeTinyModel(sharded, { shards: 3 });
  const shard = (index: number): string => join(sharded, `model-0000${index}-of-00003.safetensors`);
  await rename(shard(1), path("one"));
  await rename(shard(3), path("three"));
  const capture = ["capture", "--model", sharded, "--source", path("segments.arrow")];
  await refused(capture, 65, /model-00001-of-00003\.safetensors.*model-00003-of-00003\.safetensors/, {
    output: path("no.arrow"),
  });
  await rename(path("three"), shard(1));
  await cp(shard(1), shard(3));
  await refused(capture, 65, /model-00001-of-00003/, { output: path("no.arrow") });
});

test("13: pickles are never opened", async ({ model, path }) => {
  const pickled = path("pickled");
  await cp(model, pickled, { recursive: true });
  await rm(join(pickled, "model.safetensors"));
  // A folder cannot be opened as a file: what tried to would say so.
  await mkdir(join(pickled, "pytorch_model.bin"));
  await refused(
    ["capture", "--model", pickled, "--source", path("segments.arrow")],
    65,
    /pytorch_model\.bin.*convert to safetensors/,
    {
      output: path("no.arrow"),
    },
  );
});

test.run();
