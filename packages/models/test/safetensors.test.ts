import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { BadDataError } from "@mbs/contracts";
import { openSafetensors } from "../src/checkpoint/weight-files.ts";
import { encodeHeader, writeSafetensors } from "../src/checkpoint/safetensors-writer.ts";
import type { TensorInfo } from "../src/checkpoint/checkpoint.ts";

const folder = await mkdtemp(join(tmpdir(), "safetensors-test-"));
const path = join(folder, "model.safetensors");
test.after(() => rm(folder, { recursive: true }));

/** A file with a header of our making before `dataBytes` zero bytes. */
function file(header: string | object, dataBytes: number, claimed?: bigint): Uint8Array {
  const text = new TextEncoder().encode(typeof header === "string" ? header : JSON.stringify(header));
  const bytes = new Uint8Array(8 + text.length + dataBytes);
  new DataView(bytes.buffer).setBigUint64(0, claimed ?? BigInt(text.length), true);
  bytes.set(text, 8);
  return bytes;
}

const f32 = (shape: number[], begin: number, end: number): object => ({ dtype: "F32", shape, data_offsets: [begin, end] });

async function refusal(bytes: Uint8Array): Promise<string> {
  await writeFile(path, bytes);
  try {
    (await openSafetensors(path)).close();
  } catch (error) {
    assert.instance(error, BadDataError, String(error));
    const { message } = error as BadDataError;
    assert.not.match(message, /\n/);
    assert.match(message, path);
    return message;
  }
  return "accepted";
}

const faults: [string, Uint8Array, RegExp][] = [
  ["an empty file", new Uint8Array(0), /cut short: 0 bytes .* at least 8/],
  ["seven bytes", new Uint8Array(7), /cut short: 7 bytes/],
  ["a header over the limit", file("{}", 0, 100_000_001n), /claims 100000001 bytes, at most 100000000/],
  ["a header of 2^64 - 1", file("{}", 0, 2n ** 64n - 1n), /claims 18446744073709551615 bytes/],
  ["a header longer than the file", file("{}", 0, 3n), /cut short: its header needs 11 bytes, the file has 10/],
  ["a header that begins otherwise", file(' {"a":1}', 0), /at offset 8 does not begin with "\{"/],
  ["a header that is no JSON", file('{"a":', 0), /is not JSON/],
  [
    "a header nested without end",
    file(`{"a":${"[".repeat(2_000_000)}${"]".repeat(2_000_000)}}`, 0),
    /nested deeper than 3 levels at offset 15/,
  ],
  [
    "tensors without end",
    file(`{${Array.from({ length: 250_001 }, (_, index) => `"${index}":{}`).join(",")}}`, 0),
    /has more than 250000 tensors or 1000000 fields at offset \d+; split the file into shards/,
  ],
  [
    "metadata without end",
    file(`{"__metadata__":{${Array.from({ length: 1_000_001 }, (_, index) => `"${index}":""`).join(",")}}}`, 0),
    /has more than 250000 tensors or 1000000 fields/,
  ],
  ["a list as header", file("[]", 0), /does not begin with/],
  [
    "a tensor twice",
    file('{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}', 4),
    /has the key "a" twice/,
  ],
  ["overlapping tensors", file({ a: f32([2], 0, 8), b: f32([2], 4, 12) }, 12), /tensors "a" and "b" overlap at offset/],
  ["an empty tensor inside another", file({ a: f32([2], 0, 8), b: f32([0], 4, 4) }, 8), /tensors "a" and "b" overlap/],
  ["an empty tensor at another's start", file({ a: f32([2], 0, 8), b: f32([0], 0, 0) }, 8), /tensors "b" and "a" overlap/],
  ["a gap", file({ a: f32([1], 0, 4), b: f32([1], 8, 12) }, 12), /a gap of 4 bytes at offset \d+ between tensors "a" and "b"/],
  ["a gap at the start", file({ a: f32([1], 4, 8) }, 8), /a gap of 4 bytes/],
  ["trailing bytes", file({ a: f32([1], 0, 4) }, 5), /has 1 trailing bytes after tensor "a": \d+ expected, \d+ found/],
  ["data cut short", file({ a: f32([2], 0, 8) }, 7), /cut short: its tensors need \d+ bytes, the file has \d+/],
  [
    "a shape that does not fill its span",
    file({ a: f32([3], 0, 8) }, 8),
    /tensor "a" of F32 \[3\] needs 12 bytes, its offsets 0 to 8 span 8/,
  ],
  ["a product beyond 2^64", file({ a: f32([2 ** 52, 2 ** 52], 0, 0) }, 0), /needs 81129638414606681695789005144064 bytes/],
  ["a negative side", file({ a: f32([-1], 0, 4) }, 4), /shape that is no list of whole numbers/],
  ["offsets the wrong way round", file({ a: f32([1], 4, 0) }, 4), /span -4/],
  ["offsets that are no numbers", file({ a: { dtype: "F32", shape: [], data_offsets: ["0", "4"] } }, 4), /bad data_offsets/],
  ["an unknown dtype", file({ a: { dtype: "F4", shape: [8], data_offsets: [0, 4] } }, 4), /unknown dtype "F4"/],
  [
    "a dtype named like a method",
    file({ a: { dtype: "constructor", shape: [], data_offsets: [0, 0] } }, 0),
    /unknown dtype "constructor"/,
  ],
  ["no description", file({ a: 1 }, 0), /tensor "a" has no description/],
  ["metadata that is no text", file({ __metadata__: { a: 1 } }, 0), /__metadata__ is no object of strings/],
];
for (const [name, bytes, message] of faults) {
  test(`refuses ${name}`, async () => assert.match(await refusal(bytes), message));
}

test("refuses a header that is not UTF-8", async () => {
  const bytes = file('{"a":1}', 0);
  bytes[10] = 0xff;
  assert.match(await refusal(bytes), /is not UTF-8/);
});

const tensors: TensorInfo[] = [
  { name: "__proto__", storedDtype: "F32", dtype: "f32", shape: [2, 2], bytes: 16, file: "" },
  { name: "constructor", storedDtype: "F16", dtype: "f16", shape: [3], bytes: 6, file: "" },
  { name: "7", storedDtype: "I64", dtype: undefined, shape: [], bytes: 8, file: "" },
];

test("what is written is read back, whatever the names", async () => {
  await writeFile(
    path,
    writeSafetensors(tensors, { format: "pt" }, ({ bytes }) => [new Uint8Array(bytes - 1).fill(bytes), Uint8Array.of(1)]),
  );
  const opened = await openSafetensors(path);
  assert.equal(opened.metadata, { format: "pt" });
  assert.equal(
    opened.tensors.map(({ name, shape, storedDtype }) => [name, shape, storedDtype]),
    tensors.map(({ name, shape, storedDtype }) => [name, shape, storedDtype]),
  );
  for (const entry of opened.tensors) {
    const bytes = new Uint8Array(entry.end - entry.begin);
    opened.readInto(entry, 0, bytes);
    assert.equal([...bytes], [...new Uint8Array(bytes.length - 1).fill(bytes.length), 1]);
  }
  opened.close();
});

test("a file cut at any byte is refused", async () => {
  await writeFile(
    path,
    writeSafetensors(tensors, {}, ({ bytes }) => [new Uint8Array(bytes)]),
  );
  const whole = new Uint8Array(await readFile(path));
  for (let length = 0; length < whole.length; length++)
    assert.match(await refusal(whole.slice(0, length)), "cut short", `at ${length}`);
});

test("the writer refuses pieces that do not add up", async () => {
  try {
    for await (const _ of writeSafetensors(tensors, {}, () => [new Uint8Array(1)]));
    assert.unreachable();
  } catch (error) {
    assert.instance(error, RangeError);
  }
});

test("the header is padded to eight bytes", () => assert.is(encodeHeader(tensors, {}).length % 8, 0));

test.run();
