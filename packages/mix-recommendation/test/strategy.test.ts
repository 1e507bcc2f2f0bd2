import { UsageError, at } from "@mbs/contracts";
import { parseDistribution } from "@mbs/corpora";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { candidateMixes, parseStrategy, searchAmong } from "../src/strategy.ts";

const languages = ["en", "hi", "te"];
const distribution = (unit = "tokens") =>
  parseDistribution({ unit, source: "test", shares: { en: 0.81, hi: 0.09, fr: 0.1 } }, "given");

async function candidates(strategy: string, known = true, unit = "tokens") {
  const warnings: string[] = [];
  const mixes = await candidateMixes(parseStrategy(strategy), languages, known ? distribution(unit) : undefined, (message) =>
    warnings.push(message),
  );
  return { mixes: Object.fromEntries([...mixes].map(([name, mix]) => [name, Object.fromEntries(mix)])), warnings };
}

test("every strategy compares proportional, equal and a temperature", async () => {
  const { mixes, warnings } = await candidates("minimax");
  assert.equal(mixes, {
    proportional: { en: 0.9, hi: 0.1, te: 0 },
    equal: { en: 0.333, hi: 0.333, te: 0.333 },
    // 9^0.3 = 1.933
    "temperature:0.3": { en: 0.659, hi: 0.341, te: 0 },
  });
  assert.is(warnings.length, 2, warnings.join("\n"));
  assert.match(at(warnings, 0), /no text for fr/);
  assert.match(at(warnings, 1), /no share for te/);
  assert.equal(Object.keys((await candidates("temperature:0.50")).mixes), ["proportional", "equal", "temperature:0.5"]);
});

test("without a training mixture only equal weights are compared, and what needs one is refused", async () => {
  const { mixes, warnings } = await candidates("minimax", false);
  assert.equal(Object.keys(mixes), ["equal"]);
  assert.match(warnings.join("\n"), /--distribution/);
  for (const name of ["proportional", "temperature:0.3"]) {
    assert.instance(await candidates(name, false).catch((error: unknown) => error), UsageError);
  }
});

test("shares of bytes are reported", async () => {
  assert.match((await candidates("equal", true, "bytes")).warnings.join("\n"), /of bytes/);
});

test("strategies have names", () => {
  assert.equal(parseStrategy("minimax").search, { kind: "minimax" });
  assert.is(parseStrategy("target", "en=1").search?.kind, "target");
  assert.is(parseStrategy("equal").search, undefined);
  for (const name of ["", "best", "only:en", "en=1", "weights:en=1", "temperature", "temperature:x", "temperature:1e9"]) {
    assert.throws(
      () => parseStrategy(name),
      (error: unknown) => error instanceof UsageError && error.message.startsWith("--strategy takes minimax, "),
      name,
    );
  }
  assert.throws(() => parseStrategy("temperature:x"), /not "temperature:x": ALPHA must be a number from 0 to 100$/);
});

test("target and importances go together", () => {
  for (const [name, importance] of [["target"], ["minimax", "en=2"], ["equal", "en=2"]] as const) {
    assert.throws(() => parseStrategy(name, importance), /go together/, name);
  }
});

const targetOf = (text: string) => {
  const { search } = parseStrategy("target", text);
  return search && searchAmong(languages, search);
};

test("importance is 1 where it is not given", () => {
  const search = targetOf("hi=3,en=0");
  assert.equal(search?.kind === "target" && Object.fromEntries(search.importance), { en: 0, hi: 3, te: 1 });
  for (const text of ["xx=1", "hi", "hi=-1", "hi=1e308,en=1e308"]) {
    assert.throws(
      () => targetOf(text),
      (error: unknown) => error instanceof UsageError && error.message.startsWith("--importance"),
      text,
    );
  }
});

test.run();
