import { at } from "@mbs/contracts";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { damageReport } from "../../src/damage/damage-report.ts";
import { blocksTable } from "../../src/damage/damage-sections.ts";
import { damageTable, qualityTexts } from "../../src/damage/damage-table.ts";
import { makeDamage } from "../made-records.ts";

const metadata = { model: "m", solver: "gptq", scored: "", lossRises: undefined };

test("sums damage by language, and finds the sites that hurt", () => {
  const report = damageReport(makeDamage(), metadata);
  assert.equal(
    report.languages.map(({ language }) => language),
    ["te", "mr", "fr", "en"],
  );
  assert.is(report.tensors, 6);
  const te = at(report.languages, 0);
  const en = at(report.languages, 3);
  // of the tensors q, v and up in two blocks: (1 + 1 + 2)·(1 + 2) parts, te four of them more in its own site
  assert.ok(Math.abs(en.sum - 0.12) < 1e-12 && Math.abs(en.damage - 0.02) < 1e-12);
  const worst = at(at(report.languages, 1).sites, 0);
  assert.equal([worst.block, worst.site], ["h.1", "mlp-up"]);
  const beyond = at(
    te.sites.toSorted((a, b) => b.againstOthers - a.againstOthers),
    0,
  );
  assert.equal([beyond.block, beyond.site], ["h.0", "attention-qkv"]);
  // q and v together: (0.01 · 4 · 9 + 0.01 · 4 · 9) / 20 against the mean of four languages
  assert.ok(Math.abs(beyond.damage - 0.36) < 1e-12);
  assert.ok(Math.abs(beyond.againstOthers - 0.36 / ((0.01 + 0.02 + 0.03 + 0.36) / 4)) < 1e-9);
  assert.is(report.quality, undefined);
  assert.match(report.notes.join(" "), /No scores were given/);
});

test("blocks hold the mean over their tensors", () => {
  const { rows, columns } = blocksTable(damageReport(makeDamage(), metadata));
  assert.equal(
    columns.map(({ title }) => title),
    ["block", "te", "mr", "fr", "en"],
  );
  assert.equal(
    rows.map(([block, , , , en]) => [block, en]),
    [
      ["h.0", "1.3%"],
      ["h.1", "2.7%"],
    ],
  );
});

test("scores calibrate: rises in proportion to the damage are predicted exactly", () => {
  const { languages: predicted } = damageReport(makeDamage(), metadata);
  const lossRises = Object.fromEntries(predicted.map(({ language, sum }) => [language, 0.5 * sum]));
  const report = damageReport(makeDamage(), { ...metadata, scored: "small", lossRises });
  for (const { sum, rise, predicted: found } of report.languages) {
    assert.ok(Math.abs((rise ?? 0) - Math.expm1(0.5 * sum)) < 1e-12);
    assert.ok(Math.abs((found ?? 0) - Math.expm1(0.5 * sum)) < 1e-9);
  }
  const { quality } = report;
  assert.ok(Math.abs((quality?.factor ?? NaN) - 0.5) < 1e-12);
  assert.ok(Math.abs((quality?.pearson.value ?? NaN) - 1) < 1e-9);
  assert.ok(Math.abs((quality?.spearman.p ?? NaN) - 2 / 24) < 0.009);
  assert.ok((quality?.error ?? NaN) < 1e-9 && (quality?.errorOfMean ?? NaN) > 0.01);
  assert.is(quality?.languages, 4);
});

test("two languages in the scores are too few to calibrate", () => {
  const report = damageReport(makeDamage(), { ...metadata, scored: "small", lossRises: { en: 0.1, mr: 0.2 } });
  assert.is(report.quality, undefined);
  assert.match(report.notes.join(" "), /fewer than three languages/);
});

test("one language with damage above zero is too few to calibrate", () => {
  const records = makeDamage().map((record) => (record.language === "te" ? record : { ...record, error: 0, damage: 0 }));
  const report = damageReport(records, { ...metadata, scored: "small", lossRises: { en: 0.1, fr: 0.1, mr: 0.2, te: 0.4 } });
  assert.is(report.quality, undefined);
  assert.ok(report.languages.every(({ predicted }) => predicted === undefined));
  assert.match(report.notes.join(" "), /or fewer than two of these have damage above zero/);
});

test("diagonals are said to be diagonals", () => {
  const records = makeDamage().map((record) => ({ ...record, moment: "diagonal" as const }));
  assert.match(damageReport(records, metadata).notes.join(" "), /24 of 24 numbers are from diagonals alone/);
});

test("tables fit 80 columns, with scores and without", () => {
  for (const lossRises of [undefined, { en: 0.01, mr: 0.5, te: 2, fr: -0.001 }]) {
    const text = damageTable(damageReport(makeDamage(), { ...metadata, scored: lossRises ? "small" : "", lossRises }));
    for (const line of text.split("\n")) assert.ok(line.length <= 80, `${line.length}: ${line}`);
    assert.is(text.includes("actual rise"), lossRises !== undefined);
    if (lossRises) assert.match(text, /te .*\+639%/);
    assert.not.match(text, /NaN|undefined/);
  }
});

test("a prediction that is worse than the mean of the other languages is called that", () => {
  const told = (lossRises: Record<string, number>): string =>
    qualityTexts(damageReport(makeDamage(), { ...metadata, scored: "small", lossRises })).join(" ");
  const sums = new Map(damageReport(makeDamage(), metadata).languages.map(({ language, sum }) => [language, sum]));
  const along = Object.fromEntries([...sums].map(([language, sum]) => [language, 0.5 * sum]));
  const against = Object.fromEntries([...sums].map(([language, sum]) => [language, 1 / sum]));
  assert.not.match(told(along), /prediction was wrong/);
  assert.match(told(against), /prediction was wrong/);
});

test.run();
