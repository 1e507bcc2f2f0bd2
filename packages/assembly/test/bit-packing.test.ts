import { at, InternalError } from "@mbs/contracts";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { packBits } from "../src/safetensors/bit-packing.ts";

/** The definition: number i of a line lies at bit i · bits of the words taken as one long number. */
function packSlowly(numbers: readonly number[], bits: number): number[] {
  const whole = numbers.reduce((sum, value, index) => sum | (BigInt(value) << BigInt(index * bits)), 0n);
  return Array.from({ length: Math.ceil((numbers.length * bits) / 32) }, (_, word) =>
    Number(BigInt.asIntN(32, whole >> BigInt(32 * word))),
  );
}

for (const bits of [2, 3, 4, 5, 6, 7, 8]) {
  test(`${bits} bits are packed along rows and along columns`, () => {
    const [rows, columns] = [70, 41];
    const values = Uint8Array.from({ length: rows * columns }, (_, index) => (index * 2654435761) % 2 ** bits);
    const alongColumns = packBits(values, rows, columns, bits, "columns");
    const words = Math.ceil((columns * bits) / 32);
    for (let row = 0; row < rows; row++) {
      const expected = packSlowly([...values.subarray(row * columns, (row + 1) * columns)], bits);
      assert.equal([...alongColumns.subarray(row * words, (row + 1) * words)], expected, `row ${row}`);
    }
    const alongRows = packBits(values, rows, columns, bits, "rows");
    for (let column = 0; column < columns; column++) {
      const line = Array.from({ length: rows }, (_, row) => at(values, row * columns + column));
      const found = Array.from({ length: Math.ceil((rows * bits) / 32) }, (_, word) => alongRows[word * columns + column]);
      assert.equal(found, packSlowly(line, bits), `column ${column}`);
    }
  });
}

test("a number that would run into its neighbour is refused", () => {
  for (const along of ["rows", "columns"] as const) {
    assert.throws(
      () => packBits(Uint8Array.of(1, 200, 1, 1), 2, 2, 4, along),
      (error: unknown) => error instanceof InternalError && /200 is not a code of 4 bits/.test(error.message),
    );
  }
});

test.run();
