import { test } from "uvu";
import * as assert from "uvu/assert";
import { languageLosesMuch } from "../../../src/diagnosis/rules/language-loses-much.ts";
import { applyRule } from "../../../src/diagnosis/rules/rule.ts";
import type { MeasuredRise } from "../../../src/diagnosis/rises.ts";
import { makeGroup } from "../made-group.ts";

const rise = (value: number, width = 0.01): MeasuredRise => ({ rise: value, interval: [value - width, value + width] });

const find = (languages: Readonly<Record<string, readonly MeasuredRise[]>>, mix: Readonly<Record<string, number>>) =>
  applyRule(
    languageLosesMuch,
    makeGroup({ mix, rises: { unweighted: [rise(0.4)], languages: new Map(Object.entries(languages)) } }),
  );

test("fires where the whole interval is beyond +50%, and says what the calibration had of the language", () => {
  const finding = find({ en: [rise(0.02)], de: [rise(0.92)], fr: [rise(0.51, 0.005)] }, { en: 0.5, fr: 0.5 });
  assert.equal(finding?.languages, ["de", "fr"]);
  assert.is(finding?.title, "gptq, equal mix: de, fr lose most of their quality.");
  assert.equal(finding?.texts.slice(1), [
    "de rises +92.0% (+91.0 … +93.0%): no text of it in the calibration.",
    "fr rises +51.0% (+50.5 … +51.5%): 50% of the calibration.",
  ]);
  assert.match(finding?.remedy.text ?? "", /^Calibrate with text of these languages too/);
});

test("with text of all languages, or without any, the remedy is more bits", () => {
  for (const mix of [new Map([["de", 1]]), new Map<string, number>()].map((one) => Object.fromEntries(one))) {
    const finding = find({ de: [rise(0.92)] }, mix);
    assert.match(finding?.remedy.text ?? "", /^Take more bits/);
  }
  assert.match(find({ de: [rise(0.92)] }, {})?.texts[1] ?? "", /made without calibration texts\.$/);
});

test("does not fire below, nor where one seed is below", () => {
  assert.is(find({ de: [rise(0.505)] }, { de: 1 }), undefined);
  assert.is(find({ de: [rise(0.92), rise(0.4)] }, { de: 1 }), undefined);
  assert.is(find({ de: [rise(0.92), rise(0.8)] }, { de: 1 })?.languages[0], "de");
});

test.run();
