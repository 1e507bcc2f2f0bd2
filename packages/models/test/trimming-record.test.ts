import { BadDataError } from "@mbs/contracts";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { readTrimming, trimmingKey } from "../src/config/trimming-record.ts";

const address = "0123456789abcdef".repeat(4);
const record = { source: address, tokenizer: address, corpus: address, rows: 100, keep: ["en"], unnamed: [3, 98, 99] };

const read = (value: unknown, kept = 40): unknown => readTrimming({ [trimmingKey]: value }, "config.json", kept);

test("a record that a model can have is read, and none is none", () => {
  assert.equal(read(record), record);
  assert.equal(read(record, 100), record);
  assert.equal(read({ ...record, unnamed: [], dtype: "bf16" }), { ...record, unnamed: [], dtype: "bf16" });
  assert.is(readTrimming({}, "config.json", 40), undefined);
});

const impossible: readonly (readonly [string, object, RegExp])[] = [
  ["fewer rows than are left", { rows: 39 }, /says that the model had 39 rows, and it still has 40; trim/],
  ["more rows than there are ids", { rows: 9e15 }, /is no record/],
  ["no rows", { rows: 0 }, /is no record/],
  ["a row beyond the end", { unnamed: [3, 100] }, /keeps row 100 of a model that had 100 rows; trim/],
  ["a row twice", { unnamed: [3, 3] }, /is no record/],
  ["rows that fall", { unnamed: [5, 3] }, /is no record/],
  ["a negative row", { unnamed: [-1, 3] }, /is no record/],
  ["a row that is no number", { unnamed: ["3"] }, /is no record/],
  ["a path as source", { source: "../../etc" }, /source, tokenizer or corpus that is no address/],
  ["a short address of the tokenizer", { tokenizer: address.slice(1) }, /that is no address/],
  ["a corpus in capitals", { corpus: address.toUpperCase() }, /that is no address/],
  ["an unknown dtype", { dtype: "f8" }, /is no record/],
];

for (const [name, change, message] of impossible) {
  test(`${name} is refused with the remedy`, () => {
    assert.throws(
      () => read({ ...record, ...change }),
      (error: unknown) =>
        error instanceof BadDataError &&
        message.test(error.message) &&
        /^config\.json: mbs_trimming .*; trim the model again, or remove the key$/.test(error.message),
    );
  });
}

test.run();
