import { codedValuesFault, codedWeightFault, roundTo, type WeightDtype } from "@mbs/numbers";
import { at, type QuantisedWeight } from "@mbs/contracts";
import { test } from "uvu";
import * as assert from "uvu/assert";

const [rows, columns, groups, levels] = [5, 24, 3, 8];

/** Numbers from 0 to 1 in a fixed order. */
const fractions = (length: number, seed: number): number[] =>
  Array.from({ length }, (_, index) => (Math.sin(seed + index * 12.9898) * 43_758.5453) % 1).map(Math.abs);

const coded: QuantisedWeight = {
  bits: 3,
  groupSize: columns / groups,
  symmetric: false,
  codes: Uint8Array.from(fractions(rows * columns, 1), (value) => Math.floor(value * levels)),
  scales: Float32Array.from(fractions(rows * groups, 2), (value) => value + 1e-3),
  zeros: Uint8Array.from(fractions(rows * groups, 3), (value) => Math.floor(value * levels)),
  // not in the order of the columns
  groupOf: Int32Array.from({ length: columns }, (_, column) => (column * 7) % groups),
};

const says = (change: Partial<Record<keyof QuantisedWeight, unknown>>): string => {
  const fault = codedWeightFault({ ...coded, ...(change as Partial<QuantisedWeight>) }, rows, columns);
  return fault === undefined ? "nothing" : `${fault.part} ${fault.says}`;
};

test("a weight without fault has none, and of one with a fault part and place are named", () => {
  assert.is(says({}), "nothing");
  assert.is(
    says({
      groupSize: columns,
      groupOf: new Int32Array(columns),
      scales: coded.scales.slice(0, rows),
      zeros: coded.zeros.slice(0, rows),
    }),
    "nothing",
  );
  const grouped = (column: number, group: number): Int32Array =>
    coded.groupOf.map((own, index) => (index === column ? group : own));
  const scale = (value: number): Float32Array => coded.scales.map((own, index) => (index === 4 ? value : own));
  for (const [change, expected] of [
    [{ bits: 0 }, "codes are of 0 bits, not of 1 to 8"],
    [{ bits: 2.5 }, "codes are of 2.5 bits, not of 1 to 8"],
    [{ bits: "3" }, "codes are of 3 bits, not of 1 to 8"],
    [{ groupSize: 0 }, "groups are of 0 columns, not of 1 to 24"],
    [{ groupSize: 25 }, "groups are of 25 columns, not of 1 to 24"],
    [{ codes: coded.codes.slice(1) }, "codes are 119, not the 120 of 5 rows and 24 columns"],
    [{ groupSize: 12 }, "scales are 15, not the 10 of 5 rows and 2 groups"],
    [{ zeros: coded.zeros.slice(1) }, "zeros are 14, not the 15 of 5 rows and 3 groups"],
    [{ groupOf: coded.groupOf.slice(1) }, "groups are of 23 columns, not of 24"],
    [
      { codes: coded.codes.map((code, index) => (index === 26 ? 8 : code)) },
      "codes hold 8 at row 1, column 2, which 3 bits do not",
    ],
    [
      { zeros: coded.zeros.map((zero, index) => (index === 5 ? 9 : zero)) },
      "zeros hold 9 at row 1, column 2, which 3 bits do not",
    ],
    [{ groupOf: grouped(3, 3) }, "groups put column 3 in group 3 of 3"],
    [{ groupOf: grouped(3, -1) }, "groups put column 3 in group -1 of 3"],
    [{ groupOf: grouped(0, 1) }, "groups put column 22 beyond the size of group 1, 8"],
    [{ scales: scale(0) }, "scales hold 0 at row 1, column 1, not finite and above 0"],
    [{ scales: scale(-2) }, "scales hold -2 at row 1, column 1, not finite and above 0"],
    [{ scales: scale(NaN) }, "scales hold NaN at row 1, column 1, not finite and above 0"],
  ] as const)
    assert.is(says(change), expected);
});

/** What codes stand for, worked out one by one. */
const valuesOf = ({ codes, scales, zeros, groupOf }: QuantisedWeight): Float32Array =>
  Float32Array.from(codes, (code, index) => {
    const cell = Math.floor(index / columns) * groups + at(groupOf, index % columns);
    return Math.fround((code - at(zeros, cell)) * at(scales, cell));
  });

// of 3 bits a table of each group's values is rounded, of 4 bits each value
for (const [dtype, bits] of [
  ["f32", 3],
  ["f16", 3],
  ["f16", 4],
  ["bf16", 3],
  ["bf16", 4],
] as const satisfies readonly (readonly [WeightDtype, number])[]) {
  test(`each value of ${dtype} and ${bits} bits is what its code says`, () => {
    const weight = { ...coded, bits };
    const values = roundTo(dtype, valuesOf(weight));
    const check = (some: Float32Array, firstRow = 0, kept?: Uint8Array) =>
      codedValuesFault({ values: some, columns, firstRow, dtype, coded: weight, kept });
    assert.is(check(values), undefined);
    assert.is(check(values.subarray(2 * columns, 4 * columns), 2), undefined);
    for (const index of values.keys()) {
      const changed = values.slice();
      changed[index] = at(values, index) + 1;
      const [row, column] = [Math.floor(index / columns), index % columns];
      const place = `hold ${at(changed, index)} at row ${row}, column ${column}, `;
      assert.equal(check(changed), { part: "values", says: `${place}its codes say ${at(values, index)}` });
      assert.equal(check(changed.subarray(row * columns), row)?.says.startsWith(place), true);
      // a removed weight is 0, whatever its code is
      const kept = new Uint8Array(values.length).fill(1);
      kept[index] = 0;
      assert.equal(
        check(changed, 0, kept),
        at(changed, index) === 0 ? undefined : { part: "values", says: `${place}which its mask removes` },
      );
      changed[index] = 0;
      assert.is(check(changed, 0, kept), undefined);
    }
  });
}

const checkMasked = (values: readonly number[]) =>
  codedValuesFault({
    values: Float32Array.from(values),
    columns: 2,
    firstRow: 1,
    dtype: "f32",
    coded: undefined,
    kept: Uint8Array.of(1, 0),
  });

test("without codes only what a mask removes is looked at", () => {
  assert.is(checkMasked([3, 0]), undefined);
  assert.equal(checkMasked([3, 4]), { part: "values", says: "hold 4 at row 1, column 1, which its mask removes" });
});

test.run();
