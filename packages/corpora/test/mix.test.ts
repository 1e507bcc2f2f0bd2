import { at, UsageError } from "@mbs/contracts";
import { parseDistribution, parseMix, segmentsOfMix, sharesOf, type ShareSources } from "@mbs/corpora";
import { test } from "uvu";
import * as assert from "uvu/assert";

test("the forms of a mix", () => {
  assert.equal(parseMix("proportional"), { kind: "proportional" });
  assert.equal(parseMix("equal"), { kind: "equal" });
  assert.equal(parseMix("only:zh-Hans"), { kind: "only", language: "zh-Hans" });
  assert.equal(parseMix("temperature:0.3"), { kind: "temperature", alpha: 0.3 });
  assert.equal(parseMix("en=0.4, hi=0"), {
    kind: "weights",
    weights: new Map([
      ["en", 0.4],
      ["hi", 0],
    ]),
  });
  assert.is(segmentsOfMix(parseMix("en=87,zh=0,fr=1")), 88);
  assert.is(segmentsOfMix(parseMix("en=8.5,fr=1")), undefined);
});

for (const text of [
  "",
  "Equal",
  "only:",
  "only",
  "temperature",
  "temperature:",
  "temperature:x",
  "temperature:-1",
  "temperature:1e9",
  "en=1,en=2",
  "weights:en=1,fr",
  "en",
  "en=-1",
  "en=0",
  "en=1,,fr=1",
]) {
  test(`the mix ${JSON.stringify(text)} is refused`, () =>
    assert.throws(
      () => parseMix(text),
      (error: unknown) => error instanceof UsageError,
    ));
}

test("a misspelt mix is refused with the one that was likely meant", () => {
  for (const [text, meant] of [
    ["equall", "equal"],
    ["porportional", "proportional"],
    ["temprature:0.3", "temperature"],
  ]) {
    assert.throws(() => parseMix(text ?? ""), new RegExp(`unknown mix; did you mean ${meant}\\? it takes proportional`));
  }
});

function sources(unit: string, shares: Record<string, number>, languages: string[]): ShareSources & { warnings: string[] } {
  const warnings: string[] = [];
  return {
    warnings,
    languages,
    origin: "corpus web has",
    distribution: () => Promise.resolve(parseDistribution({ unit, source: "test", shares }, "test")),
    tokensPerByte: (language) => Promise.resolve(language === "hi" ? 0.1 : 0.3),
    warn: (message) => warnings.push(message),
  };
}

test("proportional: shares of tokens as they are, of bytes by the measured ratio", async () => {
  const tokens = await sharesOf({ kind: "proportional" }, sources("tokens", { en: 3, hi: 1 }, ["hi", "en"]));
  assert.equal(
    tokens,
    new Map([
      ["en", 0.75],
      ["hi", 0.25],
    ]),
  );
  // 3 bytes · 0.3 tokens a byte against 1 · 0.1: 9 to 1.
  const bytes = await sharesOf({ kind: "proportional" }, sources("bytes", { en: 3, hi: 1 }, ["hi", "en"]));
  assert.ok(Math.abs((bytes.get("en") ?? 0) / (bytes.get("hi") ?? 1) - 9) < 1e-12);
});

test("languages that one side lacks are warned about, and left out", async () => {
  const given = sources("tokens", { en: 6, hi: 3, fr: 1 }, ["en", "hi", "de"]);
  assert.equal([...(await sharesOf({ kind: "proportional" }, given)).keys()], ["en", "hi"]);
  assert.is(given.warnings.length, 2);
  assert.ok(at(given.warnings, 0).includes("no text for fr (10.00% of test)"), given.warnings[0]);
  assert.ok(at(given.warnings, 1).includes("no share for de"), given.warnings[1]);
});

test("temperature: shares to the power alpha, of the languages that are there", async () => {
  const given = sources("tokens", { en: 16, hi: 1, fr: 83 }, ["en", "hi"]);
  const shares = await sharesOf({ kind: "temperature", alpha: 0.5 }, given);
  assert.ok(Math.abs((shares.get("en") ?? 0) / (shares.get("hi") ?? 1) - 4) < 1e-12);
});

test("weights: as given, without those of zero, of languages that are there", async () => {
  const given = sources("tokens", { en: 1 }, ["en", "hi", "fr"]);
  const weights = new Map([
    ["hi", 2],
    ["en", 0.5],
    ["fr", 0],
  ]);
  assert.equal(
    [...(await sharesOf({ kind: "weights", weights }, given))],
    [
      ["hi", 2],
      ["en", 0.5],
    ],
  );
});

test("equal and only need no distribution", async () => {
  const given = { ...sources("tokens", { en: 1 }, ["en", "hi"]), distribution: () => Promise.reject(new Error("asked for")) };
  assert.equal(
    await sharesOf({ kind: "equal" }, given),
    new Map([
      ["en", 1],
      ["hi", 1],
    ]),
  );
  assert.equal(await sharesOf({ kind: "only", language: "hi" }, given), new Map([["hi", 1]]));
});

test("a name that the corpus does not have is an error listing those that it has", async () => {
  for (const run of [
    () => sharesOf({ kind: "only", language: "zh" }, sources("tokens", { en: 1 }, ["en", "zh-Hans"])),
    () => sharesOf({ kind: "weights", weights: new Map([["zh", 1]]) }, sources("tokens", { en: 1 }, ["en", "zh-Hans"])),
    () => sharesOf({ kind: "proportional" }, sources("tokens", { zh: 1 }, ["en", "zh-Hans"])),
  ]) {
    try {
      await run();
      assert.unreachable();
    } catch (error) {
      assert.instance(error, UsageError);
      assert.ok((error as Error).message.includes("en, zh-Hans"), (error as Error).message);
    }
  }
});

test.run();
