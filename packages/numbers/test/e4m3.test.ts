import { readFile } from "node:fs/promises";
import { decodeE4m3, encodeE4m3 } from "@mbs/numbers";
import { test } from "uvu";
import * as assert from "uvu/assert";

const golden = JSON.parse(await readFile(new URL("./fixtures/e4m3.json", import.meta.url), "utf8")) as Record<string, string>;
const bytesOf = (name: string): Uint8Array => Uint8Array.from(Buffer.from(golden[name] ?? "", "base64"));
const floatsOf = (name: string): Float32Array => new Float32Array(bytesOf(name).buffer);

test("every byte stands for what torch reads in it", () => {
  const found = decodeE4m3(Uint8Array.from({ length: 256 }, (_, byte) => byte));
  const expected = floatsOf("every");
  const wrong = found.findIndex((value, byte) => !Object.is(value, expected[byte]));
  assert.is(wrong, -1, `byte ${wrong} is ${found[wrong]}, not ${expected[wrong]}`);
});

test("numbers become the bytes that torch gives them, ties to even, small ones too", () => {
  const [values, expected] = [floatsOf("values"), bytesOf("bytes")];
  const found = encodeE4m3(values);
  assert.is(found.length, 2507);
  const wrong = found.findIndex((byte, index) => byte !== expected[index]);
  assert.is(wrong, -1, `${values[wrong]} is ${found[wrong]}, not ${expected[wrong]}`);
});

test("what is too large becomes the largest number", () => {
  assert.equal([...decodeE4m3(encodeE4m3(Float32Array.of(449, 1e9, -1e9)))], [448, 448, -448]);
});

test.run();
