import { readFile } from "node:fs/promises";
import { inflateSync } from "node:zlib";
import { at, BadDataError, UsageError } from "@mbs/contracts";
import { test } from "uvu";
import * as assert from "uvu/assert";
import {
  blockEncoders,
  blockGrids,
  quantisationTypeNamed,
  encodeValues,
  ggufGrids,
  writableTypes,
  type QuantisationType,
} from "../src/index.ts";

interface Golden {
  readonly columns: number;
  readonly values: string;
  readonly importance: string;
  readonly types: Readonly<Record<string, { readonly plain?: string; readonly weighted: string }>>;
}

const golden = JSON.parse(await readFile(new URL("./fixtures/encoded.json", import.meta.url), "utf8")) as Golden;
const bytesOf = (text: string): Uint8Array => Uint8Array.from(inflateSync(Buffer.from(text, "base64")));
const floatsOf = (text: string): Float32Array => new Float32Array(bytesOf(text).buffer);
const values = floatsOf(golden.values);
const importance = floatsOf(golden.importance);

test("there are golden bytes of every type of blocks that is written to GGUF files", () => {
  assert.equal(Object.keys(golden.types).sort(), [...ggufGrids].sort());
});

const isCoded = (name: string): boolean => blockGrids.get(name)?.codebook !== undefined;

for (const [name, { plain, weighted }] of Object.entries(golden.types)) {
  if (isCoded(name) || plain === undefined) continue;
  const type = quantisationTypeNamed(name);
  const differs = (found: Uint8Array, expected: Uint8Array): string => {
    assert.is(found.length, expected.length);
    const at = found.findIndex((byte, index) => byte !== expected[index]);
    return at < 0 ? "" : `byte ${at % type.bytes} of block ${Math.floor(at / type.bytes)}`;
  };
  test(`${name}: the bytes are ggml's`, () => {
    assert.is(differs(encodeValues(type, values), bytesOf(plain)), "");
  });
  test(`${name}: the bytes are ggml's with an importance`, () => {
    const rows = Array.from({ length: values.length / golden.columns }, (_, row) =>
      encodeValues(type, values.subarray(row * golden.columns, (row + 1) * golden.columns), importance),
    );
    assert.is(differs(Buffer.concat(rows), bytesOf(weighted)), "");
  });
}

/** Σ weight · error² of each row. */
function losses(type: QuantisationType, bytes: Uint8Array, weights: Float32Array): readonly number[] {
  const decoded = new Float32Array(values.length);
  type.decode?.(bytes, decoded);
  const rows = Array.from({ length: values.length / golden.columns }, () => 0);
  for (const [index, value] of values.entries()) {
    const row = Math.floor(index / golden.columns);
    rows[row] = at(rows, row) + at(weights, index % golden.columns) * (at(decoded, index) - value) ** 2;
  }
  return rows;
}

function requireNoMore(found: readonly number[], expected: readonly number[]): void {
  for (const [row, loss] of found.entries())
    assert.ok(loss <= at(expected, row), `row ${row}: ${loss}, ggml ${at(expected, row)}`);
}

for (const [name, { plain, weighted }] of Object.entries(golden.types)) {
  if (!isCoded(name)) continue;
  const type = quantisationTypeNamed(name);
  test(`${name}: rows of every kind err no more than ggml's with an importance`, () => {
    const rows = Array.from({ length: values.length / golden.columns }, (_, row) =>
      encodeValues(type, values.subarray(row * golden.columns, (row + 1) * golden.columns), importance),
    );
    requireNoMore(losses(type, Buffer.concat(rows), importance), losses(type, bytesOf(weighted), importance));
  });
  if (plain === undefined) continue;
  test(`${name}: rows of every kind err no more than ggml's without an importance`, () => {
    const equal = new Float32Array(golden.columns).fill(1);
    requireNoMore(losses(type, encodeValues(type, values), equal), losses(type, bytesOf(plain), equal));
  });
}

test("plain types hold the values rounded to their dtype", () => {
  const row = Float32Array.of(1, -2.5, 0.1);
  assert.equal([...encodeValues(quantisationTypeNamed("F32"), row)], [...new Uint8Array(row.buffer)]);
  assert.equal([...encodeValues(quantisationTypeNamed("F16"), row)], [0x00, 0x3c, 0x00, 0xc1, 0x66, 0x2e]);
  assert.equal([...encodeValues(quantisationTypeNamed("BF16"), row)], [0x80, 0x3f, 0x20, 0xc0, 0xcd, 0x3d]);
});

const refusal = (call: () => unknown): unknown => {
  try {
    call();
  } catch (error) {
    return error;
  }
  return undefined;
};

test("refuses a type that is only read, one that does not exist, and scales beyond half precision", () => {
  const wrong = refusal(() => encodeValues(quantisationTypeNamed("IQ1_S"), new Float32Array(256)));
  assert.instance(wrong, UsageError);
  assert.match(String(wrong), `IQ1_S is not written; supported: ${writableTypes.join(", ")}`);
  assert.match(String(refusal(() => quantisationTypeNamed("Q4_X"))), /"Q4_X" is no GGUF type; there are F32, F16/);
  const large = refusal(() => encodeValues(quantisationTypeNamed("Q4_0"), new Float32Array(32).fill(1e6)));
  assert.instance(large, BadDataError);
  assert.match(String(large), /need a scale of -125000, which half precision does not hold/);
  const plain = refusal(() => encodeValues(quantisationTypeNamed("F16"), Float32Array.of(1, -65_520)));
  assert.instance(plain, BadDataError);
  assert.match(String(plain), /values have -65520, which F16 does not hold; take another type than F16/);
});

test("refuses a value that no block holds, in every type, though all scales may look sound", () => {
  for (const size of [2e9, 1e20, 3e38]) {
    for (const name of blockEncoders.keys()) {
      const values = Float32Array.from({ length: 256 }, (_, index) => (index === 5 ? size : Math.sin(index)));
      assert.match(
        String(refusal(() => encodeValues(quantisationTypeNamed(name), values))),
        "which no block of " + name,
        `${size}`,
      );
    }
  }
  const rounded = refusal(() => encodeValues(quantisationTypeNamed("BF16"), Float32Array.of(1, 3.4028234e38)));
  assert.match(String(rounded), /which BF16 does not hold/);
});

test.run();
