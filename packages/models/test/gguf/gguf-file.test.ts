import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join as joinPath } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { BadDataError } from "@mbs/contracts";
import { processorSeconds } from "../../../../tools/test/processor-seconds.ts";
import { openGgufFile } from "../../src/gguf/gguf-file.ts";
import { countingTensor, ggufBytes, join, numbers, u64 } from "./gguf-bytes.ts";
import type { TestFile, TestTensor } from "./gguf-bytes.ts";

const folder = await mkdtemp(joinPath(tmpdir(), "gguf-test-"));
const path = joinPath(folder, "model.gguf");
test.after(() => rm(folder, { recursive: true }));

/** Any half-sized whole file: metadata of all kinds, a plain and a quantised tensor. */
const whole: TestFile = {
  metadata: [
    ["general.architecture", { string: "llama" }],
    ["llama.block_count", { u32: 2 }],
    ["llama.epsilon", { f32: 0.5 }],
    ["flag", { bool: true }],
    ["small", { u64: 7n }],
    ["large", { u64: 2n ** 60n }],
    ["tokens", { strings: ["a", "é", ""] }],
    ["scores", { f32s: [1, -2] }],
    ["__proto__", { i32s: [1, 2, 3] }],
  ],
  tensors: [
    countingTensor("first", [3, 2]),
    { name: "__proto__", type: 8, shape: [2, 32], bytes: new Uint8Array(68).fill(1) },
    countingTensor("last", [1]),
  ],
};

async function refusal(bytes: Uint8Array): Promise<string> {
  await writeFile(path, bytes);
  try {
    (await openGgufFile(path)).close();
  } catch (error) {
    assert.instance(error, BadDataError, String(error));
    const { message } = error as BadDataError;
    assert.not.match(message, /\n/);
    assert.match(message, path);
    return message;
  }
  return "accepted";
}

test("a file is read", async () => {
  await writeFile(path, ggufBytes(whole));
  const file = await openGgufFile(path);
  assert.is(file.version, 3);
  assert.equal(
    [...file.metadata],
    [
      ["general.architecture", "llama"],
      ["llama.block_count", 2],
      ["llama.epsilon", 0.5],
      ["flag", true],
      ["small", 7],
      ["large", 2n ** 60n],
      ["tokens", ["a", "é", ""]],
      ["scores", [1, -2]],
      ["__proto__", [1, 2, 3]],
    ],
  );
  assert.equal(
    file.tensors.map(({ name, type, shape }) => [name, type.name, shape]),
    [
      ["first", "F32", [3, 2]],
      ["__proto__", "Q8_0", [2, 32]],
      ["last", "F32", [1]],
    ],
  );
  const [first, second] = file.tensors;
  assert.ok(first && second);
  const values = new Uint8Array(8);
  file.readInto(first, 4, values);
  assert.equal([...new Float32Array(values.buffer)], [1, 2]);
  assert.throws(() => file.readInto(second, 64, values), RangeError);
  file.close();
});

test("version 2, other alignments and a last tensor without padding are read", async () => {
  assert.is(await refusal(ggufBytes({ ...whole, version: 2 })), "accepted");
  const aligned = ggufBytes({ ...whole, alignment: 64, metadata: [["general.alignment", { u32: 64 }]] });
  assert.is(await refusal(aligned), "accepted");
  assert.is(await refusal(aligned.subarray(0, aligned.length - 60)), "accepted");
});

const key = (...parts: Uint8Array[]): TestFile => ({ metadata: [["k", { raw: join(...parts) }]] });
const tensor = (given: Partial<TestTensor>): TestFile => ({
  tensors: [{ ...countingTensor("t", [2, 2]), ...given }],
});
const word = (value: number): Uint8Array => new Uint8Array(Uint32Array.of(value).buffer);

const faults: [string, Uint8Array, RegExp][] = [
  ["an empty file", new Uint8Array(0), /cut short: a GGUF file's first part at offset 0 needs 24 bytes, the file has 0/],
  ["another magic", ggufBytes({ magic: "GGML" }), /does not begin with "GGUF"/],
  ["version 1", ggufBytes({ version: 1 }), /has version 1 at offset 4, supported: 2, 3/],
  ["version 4", ggufBytes({ version: 4 }), /has version 4 at offset 4/],
  ["a file for big-endian machines", ggufBytes({ version: 0x03000000 }), /for big-endian machines/],
  [
    "tensors without end",
    ggufBytes({ tensorCount: 2n ** 64n - 1n }),
    /the number of tensors at offset 8 claims 18446744073709551615/,
  ],
  ["keys without end", ggufBytes({ keyCount: 2n ** 40n }), /the number of metadata keys at offset 16 claims 1099511627776/],
  ["more tensors than bytes", ggufBytes({ tensorCount: 5n }), /cut short: the dimensions of tensor "" at offset 32/],
  ["more keys than bytes", ggufBytes({ keyCount: 5n }), /cut short|claims/],
  ["a text without end", ggufBytes(key(word(8), u64(2n ** 63n))), /the length of k at offset 37 claims 9223372036854775808/],
  ["a text beyond the file", ggufBytes(key(word(8), u64(1_000_000))), /cut short: k at offset 45 needs 1000045 bytes/],
  [
    "a list without end",
    ggufBytes(key(word(9), word(4), u64(2n ** 62n))),
    /the length of k at offset 41 claims 4611686018427387904/,
  ],
  ["a list beyond the file", ggufBytes(key(word(9), word(8), u64(7_000_000))), /cut short: k at offset 49 needs 56000049 bytes/],
  ["a list of lists", ggufBytes(key(word(9), word(9), word(4), u64(1))), /has lists in a list at offset 37/],
  ["an unknown type", ggufBytes(key(word(13))), /"k" has the unknown type 13 at offset 33/],
  ["a text that is no UTF-8", ggufBytes(key(word(8), u64(1), Uint8Array.of(0xff))), /k at offset 45 is not UTF-8/],
  [
    "a key twice",
    ggufBytes({
      metadata: [
        ["k", { u32: 1 }],
        ["k", { u32: 2 }],
      ],
    }),
    /key "k" is there twice, the second time at offset 41/,
  ],
  [
    "an alignment of 0",
    ggufBytes({ metadata: [["general.alignment", { u32: 0 }]] }),
    /general.alignment is 0, not a power of two/,
  ],
  ["an alignment of 48", ggufBytes({ metadata: [["general.alignment", { u32: 48 }]] }), /is 48, not a power of two/],
  [
    "an alignment that is a text",
    ggufBytes({ metadata: [["general.alignment", { string: "32" }]] }),
    /is 32, not a power of two/,
  ],
  ["a tensor twice", ggufBytes({ tensors: [countingTensor("t", [2]), countingTensor("t", [2])] }), /tensor "t" is there twice/],
  ["no dimensions", ggufBytes(tensor({ shape: [] })), /tensor "t" has 0 dimensions, not 1 to 4/],
  ["five dimensions", ggufBytes(tensor({ shape: [1, 1, 1, 2, 2] })), /tensor "t" has 5 dimensions/],
  ["a dimension of 0", ggufBytes(tensor({ shape: [2, 0] })), /tensor "t" has no values: its dimensions are \[0, 2\]/],
  [
    "dimensions whose product overflows",
    ggufBytes(tensor({ shape: [2n ** 40n, 2n ** 40n] })),
    /has 1208925819614629174706176 values/,
  ],
  [
    "dimensions beyond the file",
    ggufBytes(tensor({ shape: [2 ** 20, 2 ** 20] })),
    /cut short: tensor t of F32 \[1048576, 1048576\] ends at/,
  ],
  ["an unknown type of a tensor", ggufBytes(tensor({ type: 4 })), /tensor "t" has the unknown type 4/],
  [
    "rows of half a block",
    ggufBytes(tensor({ type: 12, shape: [2, 128] })),
    /"t" of Q4_K has rows of 128 values, not whole blocks of 256/,
  ],
  [
    "a tensor that overlaps",
    ggufBytes({ tensors: [countingTensor("s", [9]), { ...countingTensor("t", [2]), offset: 32n }] }),
    /"t" at offset \d+ overlaps the tensor before it/,
  ],
  ["a gap", ggufBytes({ tensors: [{ ...countingTensor("t", [2]), offset: 32n }] }), /"t" at offset \d+ leaves a gap/],
  [
    "a tensor out of line",
    ggufBytes({ tensors: [{ ...countingTensor("t", [2]), offset: 4n }] }),
    /"t" at offset \d+ is not aligned to 32 bytes/,
  ],
  [
    "an offset without end",
    ggufBytes({ tensors: [{ ...countingTensor("t", [2]), offset: 2n ** 64n - 32n }] }),
    /"t" at offset \d+ leaves a gap/,
  ],
  ["bytes after the end", join(ggufBytes(whole), new Uint8Array(1)), /has \d+ bytes after its last tensor/],
];

for (const [name, bytes, expected] of faults) {
  test(`${name} is refused`, async () => {
    assert.match(await refusal(bytes), expected);
  });
}

test("a missing file and a folder are refused", async () => {
  for (const path of [joinPath(folder, "no.gguf"), folder]) {
    try {
      await openGgufFile(path);
      assert.unreachable();
    } catch (error) {
      assert.instance(error, BadDataError);
    }
  }
});

test("a file that is cut at any byte is refused, but for the padding of its last tensor", async () => {
  const bytes = ggufBytes(whole);
  const end = bytes.length - 28;
  for (let length = 0; length < end; length += 1) {
    assert.not.match(await refusal(bytes.subarray(0, length)), /^accepted$/, `cut to ${length} bytes`);
  }
});

test("flipped bytes are read or refused, never anything else, in bounded time", async () => {
  const bytes = ggufBytes(whole);
  const random = numbers(15);
  const header = bytes.length - 224;
  const seconds = await processorSeconds(async () => {
    for (let round = 0; round < 2000; round += 1) {
      const broken = bytes.slice();
      for (let flips = 1 + random(3); flips > 0; flips -= 1) {
        const offset = random(header);
        broken[offset] = (broken[offset] ?? 0) ^ (1 + random(255));
      }
      await refusal(broken);
    }
  });
  assert.ok(seconds < 20, `${seconds} s`);
});

test.run();
