import { readFile } from "node:fs/promises";
import { inflateSync } from "node:zlib";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { decodeBrain, decodeHalf } from "@mbs/numbers";
import { quantisationTypes, readableTypes } from "../src/blocks/quantisation-types.ts";
import type { QuantisationType } from "../src/blocks/quantisation-types.ts";

const fixture = new URL("./fixtures/blocks.json", import.meta.url);
const golden = JSON.parse(await readFile(fixture, "utf8")) as Record<string, { blocks: string; values: string }>;

/** Of its own buffer, so that it begins at offset 0. */
const bytesOf = (base64: string): Uint8Array => Uint8Array.from(Buffer.from(base64, "base64"));

function decode({ plain, decode }: QuantisationType, bytes: Uint8Array, count: number): Float32Array {
  if (plain === "f32") return new Float32Array(bytes.buffer);
  if (plain !== undefined) return (plain === "f16" ? decodeHalf : decodeBrain)(new Uint16Array(bytes.buffer));
  const values = new Float32Array(count);
  decode?.(bytes, values);
  return values;
}

test("there are golden blocks of every type that is read", () => {
  assert.equal(Object.keys(golden).sort(), [...readableTypes].sort());
});

for (const type of quantisationTypes.values()) {
  const { blocks, values } = golden[type.name] ?? {};
  if (blocks === undefined || values === undefined) continue;
  test(`${type.name} has the values of the gguf package, bit by bit`, () => {
    const bytes = bytesOf(blocks);
    const expected = new Float32Array(Uint8Array.from(inflateSync(bytesOf(values))).buffer);
    assert.is(expected.length, (bytes.length / type.bytes) * type.values);
    const found = decode(type, bytes, expected.length);
    // Object.is: zeros of both signs differ, what is no number is the same whatever its bits
    const wrong = found.findIndex((value, index) => !Object.is(value, expected[index]));
    assert.is(wrong, -1, `value ${wrong} is ${found[wrong]}, not ${expected[wrong]}`);
  });
}

test.run();
