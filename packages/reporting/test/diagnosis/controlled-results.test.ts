import { at } from "@mbs/contracts";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { valueAt } from "@mbs/contracts";
import { collectArtifacts, ofKind } from "../../src/collected.ts";
import { diagnoseArtifacts } from "../../src/diagnosis/diagnose.ts";
import { controlledResults } from "../controlled-results.ts";

const artifacts = await collectArtifacts(await controlledResults());
const { records, metadata } = at(ofKind(artifacts, "scores"), 0);
const diagnosis = diagnoseArtifacts(artifacts);

const lossOf = (model: string, language: string): number => {
  const own = records.filter((score) => score.model === model && score.language === language);
  return own.reduce((sum, { nll }) => sum + nll, 0) / own.reduce((sum, { tokens }) => sum + tokens, 0);
};

const languages = [...new Set(records.map(({ language }) => language))];
const rise = (model: string, language: string): number => Math.expm1(lossOf(model, language) - lossOf("dense", language));
const meanRise = (model: string): number =>
  Math.expm1(
    languages.reduce((sum, language) => sum + lossOf(model, language) - lossOf("dense", language), 0) / languages.length,
  );

test("all signatures can be looked for", () => {
  assert.equal(diagnosis.checked, [
    "mix-worse-than-one-language",
    "rare-language-falls",
    "methods-disagree",
    "language-loses-much",
  ]);
});

test("both mixes of both pruning methods give 15 languages more than English alone, and nobody is worse by an average", () => {
  assert.equal(
    diagnosis.mixes.map(({ method, mix }) => `${method}, ${mix}`),
    ["sparsegpt", "wanda"].flatMap((solver) =>
      ["equal mix", "mix of 16 languages (31% en)"].map((mix) => `${solver} sparsity 0.5, ${mix}`),
    ),
  );
  for (const { alone, winners, losers, unweighted, weighted } of diagnosis.mixes) {
    assert.is(alone, "en");
    assert.ok(winners.length >= 12 && !winners.includes("en"), winners.join(" "));
    assert.equal(
      losers.filter((language) => language !== "en"),
      [],
    );
    for (const { interval } of [...unweighted, ...weighted]) assert.ok(interval[1] < 0);
  }
  assert.not.ok(diagnosis.findings.some(({ signature }) => signature === "mix-worse-than-one-language"));
});

test("languages that are found to fall are rare and above the mean by a plain sum over the windows", () => {
  const found = diagnosis.findings.filter(({ signature }) => signature === "rare-language-falls");
  assert.ok(found.length > 0);
  const shares = new Map(Object.entries(metadata.shares ?? {}));
  const total = languages.reduce((sum, language) => sum + valueAt(shares, language), 0);
  for (const { models, languages: falling, evidence } of found) {
    const model = at(models, 0);
    const mean = at(evidence, 0);
    assert.ok(Math.abs(mean.value - meanRise(model)) < 1e-12);
    for (const language of falling) {
      assert.ok(valueAt(shares, language) / total < 1 / languages.length, language);
      const own = evidence.find(({ what }) => what === `${language}, above dense`);
      assert.ok(own?.interval && mean.interval && own.interval[0] > mean.interval[1], language);
      assert.ok(Math.abs(own.value - rise(model, language)) < 1e-12, language);
    }
  }
});

test("what remedies read is the reader's own, in capitals", () => {
  const commands = diagnosis.findings.map(({ remedy }) => remedy.command);
  assert.ok(commands.some((command) => command.includes("< ")));
  for (const command of commands) assert.not.match(command, /(?<!> )\b[a-z-]+\.arrow/);
});

test.run();
