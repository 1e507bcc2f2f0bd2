import { at } from "@mbs/contracts";
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { MixGroup } from "../../../src/diagnosis/mix-groups.ts";
import { methodsDisagree } from "../../../src/diagnosis/rules/methods-disagree.ts";
import { applyRule } from "../../../src/diagnosis/rules/rule.ts";
import { makeGroup } from "../made-group.ts";

const names = ["en", "fr", "hi", "ja", "sw", "te"];
const rise = (value: number, width: number) => ({ rise: value, interval: [value - width, value + width] as const });

/** Rises in the order of the names; their mean is the unweighted one. */
const method = (name: string, rises: readonly number[], width = 0.001, seeds = 1): MixGroup => {
  const mean = rises.reduce((sum, value) => sum + value, 0) / rises.length;
  const repeated = (value: number) => Array.from({ length: seeds }, () => rise(value, width));
  const languages = new Map(names.map((language, index) => [language, repeated(at(rises, index))]));
  return makeGroup({ method: name, models: [`${name}-model`], rises: { unweighted: repeated(mean), languages } });
};

const compare = (first: MixGroup, second: MixGroup) => applyRule(methodsDisagree, [first, second]);

const rising = [0.01, 0.02, 0.03, 0.04, 0.05, 0.06];

test("methods that rank languages alike agree, whatever their strength", () => {
  assert.is(
    compare(
      method("gptq", rising),
      method(
        "wanda",
        rising.map((value) => value * 4),
      ),
    ),
    undefined,
  );
});

test("fires where the ranks are turned round, with both sides of the mean by intervals", () => {
  const finding = compare(method("gptq", rising), method("wanda", rising.toReversed(), 0.001, 3));
  assert.is(finding?.title, "gptq and wanda disagree on who suffers with the equal mix.");
  assert.equal(finding?.languages, names);
  assert.equal(finding?.models, ["gptq-model", "wanda-model"]);
  const correlation = at(finding?.evidence ?? [], 0);
  assert.ok(Math.abs(correlation.value + 1) < 1e-12);
  assert.match(finding?.remedy.command ?? "", /^mbs predict .*--compressed wanda-model </);
});

test("does not fire where intervals are too wide to put a language on opposite sides", () => {
  assert.is(compare(method("gptq", rising, 0.02), method("wanda", rising.toReversed(), 0.02)), undefined);
});

test("does not fire where the ranks agree, though one language lies on opposite sides", () => {
  const other = [0.01, 0.02, 0.036, 0.034, 0.05, 0.06];
  assert.is(compare(method("gptq", rising), method("wanda", other)), undefined);
});

test("no correlation where one method hurts all alike, and then no claim", () => {
  const flat = names.map(() => 0.03);
  assert.is(compare(method("gptq", flat), method("wanda", rising)), undefined);
});

test.run();
