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
  assert.ok(Math.abs(en.damage - 0.02) < 1e-12);
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
  assert.match(report.notes.join(" "), /No losses are predicted: --measured/);
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

const damagesOf = (factor: number): Record<string, number> =>
  Object.fromEntries(damageReport(makeDamage(), metadata).languages.map(({ language, damage }) => [language, factor * damage]));

/** A model that did a part of the damage, and the losses of it with intervals of 0.01 either way. */
function measuredModel(part: number, losses: Record<string, number>) {
  const intervals = Object.fromEntries(
    Object.entries(losses).map(([language, loss]) => [language, [loss - 0.01, loss + 0.01]] as const),
  );
  return { model: "before", solver: "gptq", damages: damagesOf(part), losses, intervals };
}

test("a loss goes as the damage of the language to the power of 1.6, from what another model lost", () => {
  const measured = measuredModel(0.5, { en: 0.1, fr: 0.2, mr: 0.3, te: 0.005 });
  const scale = 2 ** 1.6;
  const lossRises = { en: 0.1 * scale, fr: 0.2 * scale * 3, mr: 0.9 };
  const report = damageReport(makeDamage(), { ...metadata, scored: "small", lossRises, measured });
  const of = new Map(report.languages.map((own) => [own.language, own]));
  const factor = Math.exp(1.96 * Math.hypot(0.15, 0.5 * Math.LN2));
  for (const [language, before] of [
    ["en", 0.1],
    ["fr", 0.2],
    ["mr", 0.3],
  ] as const) {
    const { loss = NaN, interval: [low, high] = [NaN, NaN] } = of.get(language)?.predicted ?? {};
    assert.ok(Math.abs(loss - before * scale) < 1e-12);
    assert.ok(Math.abs(high - loss - Math.hypot(0.01 * scale, loss * factor - loss)) < 1e-12);
    assert.ok(Math.abs(loss - low - Math.hypot(0.01 * scale, loss - loss / factor)) < 1e-12);
  }
  // the largest predicted loss first, and what is not predicted last
  assert.equal(
    report.languages.map(({ language }) => language),
    ["mr", "fr", "en", "te"],
  );
  const { quality } = report;
  assert.equal([quality?.languages, quality?.within], [3, 2]);
  const errors = [0, 0.4 * scale, 0.9 - 0.3 * scale].map(Math.abs);
  assert.ok(Math.abs((quality?.error ?? NaN) - errors.reduce((sum, error) => sum + error, 0) / 3) < 1e-12);
  const texts = qualityTexts(report).join(" ");
  assert.match(texts, /2 of 3 languages lie within their interval/);
  assert.match(texts, /nats a token in the mean of 3 languages, 0\.909 in the worst, mr\./);
  assert.match(report.notes.join(" "), /predicted from what before lost/);
  // te's interval reaches below zero
  assert.match(report.notes.join(" "), /No loss is predicted of te: before lost nothing there/);
});

test("nothing is predicted where the measured model says nothing, and the reason is named", () => {
  const notesWith = (measured: ReturnType<typeof measuredModel>) =>
    damageReport(makeDamage(), { ...metadata, measured }).notes.join(" ");
  assert.match(notesWith(measuredModel(0.5, { en: 0.1, fr: 0.2, te: 0.3 })), /of mr: before was not scored there/);
  const lost = { en: 0.1, fr: 0.2, mr: 0.3, te: 0.4 };
  assert.match(notesWith(measuredModel(0.1, lost)), /of [a-z, ]+: the damage is more than 6 times larger or smaller/);
  assert.match(
    notesWith({ ...measuredModel(0.5, lost), solver: "rtn" }),
    /before was made by rtn, these layers by gptq: .* do not rely/,
  );
  // the order in which layers were given says nothing
  assert.not.match(
    damageReport(makeDamage(), {
      ...metadata,
      solver: "rtn, gptq",
      measured: { ...measuredModel(0.5, lost), solver: "gptq, rtn" },
    }).notes.join(" "),
    /do not rely/,
  );
  // of the measured model itself predictions prove nothing
  const own = { ...metadata, scored: "before", lossRises: lost, measured: measuredModel(1, lost) };
  assert.is(damageReport(makeDamage(), own).quality, undefined);
});

test("scores alone show what was lost, and whether languages of more damage lost more", () => {
  const report = damageReport(makeDamage(), { ...metadata, scored: "small", lossRises: damagesOf(5) });
  assert.ok(Math.abs((report.spearman?.value ?? NaN) - 1) < 1e-9);
  assert.ok(Math.abs((report.spearman?.p ?? NaN) - 2 / 24) < 0.009);
  assert.is(report.quality, undefined);
  assert.ok(report.languages.every(({ loss, damage }) => Math.abs((loss ?? NaN) - 5 * damage) < 1e-12));
  assert.is(damageReport(makeDamage(), { ...metadata, scored: "small", lossRises: { en: 1, te: 2 } }).spearman, undefined);
});

test("diagonals are said to be diagonals", () => {
  const records = makeDamage().map((record) => ({ ...record, moment: "diagonal" as const }));
  assert.match(damageReport(records, metadata).notes.join(" "), /24 of 24 numbers are from diagonals alone/);
});

test("tables fit 80 columns, with scores, with a measured model and without", () => {
  const measured = measuredModel(0.5, { en: 0.1, fr: 0.2, te: 0.3 });
  for (const lossRises of [undefined, { en: 0.01, mr: 0.5, te: 2, fr: -0.001 }]) {
    for (const before of [undefined, measured]) {
      const about = { ...metadata, scored: lossRises ? "small" : "", lossRises, measured: before };
      const text = damageTable(damageReport(makeDamage(), about));
      for (const line of text.split("\n")) assert.ok(line.length <= 80, `${line.length}: ${line}`);
      assert.is(/ loss\n/.test(text), lossRises !== undefined);
      assert.is(text.includes("predicted loss"), before !== undefined);
      if (lossRises) assert.match(text, /te .* 2\.000\n/);
      assert.not.match(text, /NaN|undefined/);
    }
  }
});

test.run();
