import { BadDataError, at } from "@mbs/contracts";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { mixesReport } from "../../src/mixes/mixes-report.ts";
import { mixesTable } from "../../src/mixes/mixes-table.ts";
import { makeMixes, mixesMetadata } from "../made-records.ts";

test("three averages of each mix, and the recommended one", () => {
  const { mixes, recommended } = mixesReport(makeMixes(), mixesMetadata);
  assert.equal(
    mixes.map(({ name, mix }) => [name, mix]),
    [
      ["equal", "en=0.5,mr=0.5"],
      ["worst", "en=0.75,mr=0.25"],
    ],
  );
  const [equal, found] = [at(mixes, 0), at(mixes, 1)];
  // losses 0.04 and 0.01, importances 0.9 and 0.1
  assert.ok(Math.abs(equal.unweighted - 0.025) < 1e-15);
  assert.ok(Math.abs(equal.weighted - 0.037) < 1e-15);
  assert.equal(equal.worst, { language: "en", loss: 0.04 });
  assert.is(recommended, found);
  assert.equal(found.worst, { language: "en", loss: 0.03 });
});

test("the table shows losses with the interval of the recommended mix, averages, what they rest on, and how to use the mix", () => {
  const text = mixesTable(mixesReport(makeMixes(), mixesMetadata));
  assert.match(
    text,
    /language +share +equal, measured +worst +95% of it\n[^]*en +0\.75 +0\.040 +0\.030 +0\.025 to 0\.035\n[^]*mr +0\.25 +0\.010 +0\.020/,
  );
  assert.match(text, /equal, measured +0\.025 +0\.037 +en 0\.040/);
  assert.match(text, /→ +worst +0\.025 +0\.029 +en 0\.030/);
  assert.match(text, /gptq\s+lost\s+above\s+M[^]*power\s+of\s+−0\.15/);
  assert.match(text, /mbs sample --mix en=0\.75,mr=0\.25\n/);
});

test("a recommended mix that is not there is refused", () => {
  assert.throws(
    () => mixesReport(makeMixes(), { ...mixesMetadata, recommended: "mean" }),
    (error: unknown) => error instanceof BadDataError,
  );
});

test("importances that name none of the languages are refused", () => {
  assert.throws(
    () => mixesReport(makeMixes(), { ...mixesMetadata, importance: { te: 1 } }),
    (error: unknown) => error instanceof BadDataError,
  );
});

test("a mix without a language of the others, or with one twice, is refused", () => {
  const rest = makeMixes().slice(1);
  const cases = [
    [rest, 0],
    [[...makeMixes(), ...makeMixes().slice(0, 1)], 2],
  ] as const;
  for (const [records, rows] of cases) {
    assert.throws(
      () => mixesReport(records, mixesMetadata),
      (error: unknown) => error instanceof BadDataError && error.message.startsWith(`mixes: equal has ${rows} rows of en`),
    );
  }
});

test.run();
