import { BadDataError, at } from "@mbs/contracts";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { mixesReport } from "../../src/mixes/mixes-report.ts";
import { mixPairsTable, mixesTable } from "../../src/mixes/mixes-table.ts";
import { makeMixes, mixesMetadata } from "../made-records.ts";

test("three averages of each mix, and the recommended one", () => {
  const { mixes, recommended } = mixesReport(makeMixes(), mixesMetadata);
  assert.equal(
    mixes.map(({ name, round, mix }) => [name, round, mix]),
    [
      ["equal", 0, "en=0.5,mr=0.5"],
      ["minimax 1", 1, "en=0.75,mr=0.25"],
    ],
  );
  const [equal, searched] = [at(mixes, 0), at(mixes, 1)];
  // damages 0.04 and 0.01, shares 0.9 and 0.1
  assert.ok(Math.abs(equal.unweighted - 0.025) < 1e-15);
  assert.ok(Math.abs((equal.weighted ?? NaN) - 0.037) < 1e-15);
  assert.equal(equal.worst, { language: "en", damage: 0.04 });
  assert.is(equal.important, undefined);
  assert.is(recommended, searched);
  assert.equal(searched.worst, { language: "en", damage: 0.03 });
});

test("importances give a fourth number; without shares there is no weighted one", () => {
  const metadata = { ...mixesMetadata, importance: { en: 1, mr: 3 }, shares: undefined };
  const equal = at(mixesReport(makeMixes(), metadata).mixes, 0);
  assert.is(equal.weighted, undefined);
  // nor where the mixture is of other languages
  const other = at(mixesReport(makeMixes(), { ...mixesMetadata, shares: { fr: 1 } }).mixes, 0);
  assert.is(other.weighted, undefined);
  // (0.04 + 3 · 0.01) / 4
  assert.ok(Math.abs((equal.important ?? NaN) - 0.0175) < 1e-15);
});

test("the table shows damages, averages, what they mean, and how to use the weights", () => {
  const text = mixesTable(mixesReport(makeMixes(), mixesMetadata), ["It took a while."]);
  assert.match(text, /language +weight +equal +minimax 1\n[^]*en +0\.75 +4\.00% +3\.00%\n[^]*mr +0\.25 +1\.00% +2\.00%/);
  assert.match(text, /equal +2\.50% +3\.70% +en 4\.00%/);
  assert.match(text, /→ +minimax 1 +2\.50% +2\.90% +en 3\.00%/);
  assert.match(text, /no\s+rise\s+of\s+perplexity[^]*used\s+up\s+its\s+rounds[^]*It\s+took\s+a\s+while\./);
  assert.match(text, /mbs factor --mix en=0\.75,mr=0\.25\n/);
});

test("mixes against each other by language, in percentage points, each pair once", () => {
  const third = makeMixes()
    .filter(({ mix }) => mix === "equal")
    .map((record) => ({ ...record, mix: "proportional", damage: 2 * record.damage }));
  const { columns, rows } = mixPairsTable(mixesReport([...makeMixes(), ...third], mixesMetadata));
  assert.equal(
    columns.map(({ title }) => title),
    ["language", "proportional against equal", "minimax 1 against equal", "minimax 1 against proportional"],
  );
  assert.equal(rows, [
    ["unweighted mean", "+2.50", "+0.00", "−2.50"],
    ["en", "+4.00", "−1.00", "−5.00"],
    ["mr", "+1.00", "+1.00", "+0.00"],
  ]);
});

test("a recommended mix that is not there is refused", () => {
  assert.throws(
    () => mixesReport(makeMixes(), { ...mixesMetadata, recommended: "minimax 2" }),
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
