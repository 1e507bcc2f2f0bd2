import { test } from "uvu";
import * as assert from "uvu/assert";
import { causeOf, rareLanguageFalls } from "../../../src/diagnosis/rules/rare-language-falls.ts";
import type { LanguageUnderMix, LanguagesUnderMix } from "../../../src/diagnosis/rules/rare-language-falls.ts";
import { applyRule } from "../../../src/diagnosis/rules/rule.ts";
import { makeGroup } from "../made-group.ts";

const rise = (value: number, width = 0.01) => ({ rise: value, interval: [value - width, value + width] as const });

/** en and fr are large, sw and te rare; all rise by 5%. */
const languages: readonly LanguageUnderMix[] = [
  { language: "en", trainingShare: 0.6, mixShare: 0.6, rises: [rise(0.05)] },
  { language: "fr", trainingShare: 0.3, mixShare: 0.3, rises: [rise(0.05)] },
  { language: "sw", trainingShare: 0.06, mixShare: 0.06, rises: [rise(0.05)] },
  { language: "te", trainingShare: 0.04, mixShare: 0.04, rises: [rise(0.05)] },
];

/** With a mean of each seed. */
const underMix = (unweighted: LanguagesUnderMix["group"]["rises"]["unweighted"]) =>
  makeGroup({ method: "wanda sparsity 0.5", mixName: "proportional mix", models: ["w"], rises: { unweighted } });

const withChanges = (changes: Readonly<Record<string, Partial<LanguageUnderMix>>>): LanguagesUnderMix => ({
  group: underMix([rise(0.05)]),
  languages: languages.map((language) => ({ ...language, ...changes[language.language] })),
});

const causeIn = (input: LanguagesUnderMix, name: string) => {
  const found = input.languages.find(({ language }) => language === name);
  return found && causeOf(found, input.languages);
};

test("fires for a rare language whose interval lies above that of the mean", () => {
  const finding = applyRule(rareLanguageFalls, withChanges({ te: { rises: [rise(0.2)], tokens: 1024 } }));
  assert.equal(finding?.languages, ["te"]);
  assert.match(finding?.title ?? "", /te is under-represented and still loses more than the average/);
  assert.match(
    finding?.texts[1] ?? "",
    /^te rises \+20\.0% \(\+19\.0 … \+21\.0%\): few tokens in the mix, its distance to the mix is not known; 4\.0% of the training, 4\.0% of the calibration \(1024 tokens\)\.$/,
  );
  assert.match(finding?.remedy.command ?? "", /^mbs mix --label "/);
});

test("shares are of the whole training; what an equal share is compared with is named where it differs", () => {
  const half = withChanges({ te: { rises: [rise(0.2)] } });
  const scaled = { ...half, languages: half.languages.map((one) => ({ ...one, trainingShare: one.trainingShare / 2 })) };
  assert.match(
    applyRule(rareLanguageFalls, scaled)?.texts[1] ?? "",
    /; 2\.0% of the training \(4\.0% of that in the scored languages\), 4/,
  );
});

test("says nothing of the distance where no similarities are known, and no rise where the mean falls", () => {
  const enough = withChanges({ te: { rises: [rise(0.2)], mixShare: 0.5 } });
  const finding = applyRule(rareLanguageFalls, { ...enough, group: underMix([rise(-0.029)]) });
  assert.is(finding?.texts[0], "The unweighted mean changes by -2.9% (-3.9 … -1.9%).");
  assert.match(finding?.texts.at(-1) ?? "", /^te .*: few tokens do not explain it, its distance to the mix is not known; /);
  const near = withChanges({ en: { angle: 70 }, te: { rises: [rise(0.2)], mixShare: 0.5, angle: 11 } });
  assert.match(applyRule(rareLanguageFalls, near)?.texts[1] ?? "", /neither few tokens nor a large distance explains it/);
});

test("does not fire where intervals meet, for a large language, or for one that the mix leaves out", () => {
  assert.is(applyRule(rareLanguageFalls, withChanges({})), undefined);
  assert.is(
    applyRule(rareLanguageFalls, withChanges({ te: { rises: [rise(0.07)] } })),
    undefined,
    "0.06 is the mean's upper end",
  );
  assert.ok(applyRule(rareLanguageFalls, withChanges({ te: { rises: [rise(0.0701)] } })));
  assert.is(
    applyRule(rareLanguageFalls, withChanges({ fr: { rises: [rise(0.2)] } })),
    undefined,
    "30% is more than an equal share",
  );
  assert.is(applyRule(rareLanguageFalls, withChanges({ te: { rises: [rise(0.2)], mixShare: 0 } })), undefined);
});

test("does not fire where a language loses more than the mean gains, but gains itself", () => {
  const gaining = withChanges({ sw: { rises: [rise(-0.1)] }, te: { rises: [rise(-0.02)] } });
  assert.is(applyRule(rareLanguageFalls, { ...gaining, group: underMix([rise(-0.1)]) }), undefined);
});

const seeds = (second: number): LanguagesUnderMix => ({
  ...withChanges({ te: { rises: [rise(0.2), rise(second)] } }),
  group: underMix([rise(0.05), rise(0.05)]),
});

test("every seed has to support it", () => {
  assert.is(applyRule(rareLanguageFalls, seeds(0.06)), undefined);
  assert.ok(applyRule(rareLanguageFalls, seeds(0.3)));
});

const more = (difference: number, angle: number) =>
  withChanges({
    en: { angle: 10 },
    fr: { angle: 12 },
    sw: { angle: 20 },
    te: { rises: [rise(0.2)], angle, withMoreText: { mix: "equal mix", mixShare: 0.25, rises: [rise(difference)] } },
  });

test("another mix with more text decides: it lost less, so text was lacking", () => {
  assert.is(causeIn(more(-0.05, 60), "te"), "tokens");
  assert.is(causeIn(more(-0.01, 60), "te"), "distance", "the interval touches zero: more text did not help");
  assert.is(causeIn(more(0.02, 60), "te"), "distance");
  assert.is(causeIn(more(0.02, 11), "te"), "unknown");
  const finding = applyRule(rareLanguageFalls, more(0.02, 60));
  assert.match(finding?.texts[1] ?? "", /too far from the mix; .*60° from the mix; with the equal mix \(25%\) \+2\.0%/);
  assert.match(finding?.remedy.command ?? "", /^mbs predict /);
});

test("without another mix, tokens and distance are compared with those of the other languages", () => {
  const angles = { en: { angle: 10 }, fr: { angle: 12 }, sw: { angle: 20 } };
  assert.is(causeIn(withChanges({ ...angles, te: { angle: 60 } }), "te"), "both");
  assert.is(causeIn(withChanges({ ...angles, te: { angle: 11 } }), "te"), "tokens");
  const enough = { te: { mixShare: 0.5, angle: 60 }, sw: { mixShare: 0.06, angle: 20 }, en: { mixShare: 0.4, angle: 10 } };
  assert.is(causeIn(withChanges({ ...angles, ...enough }), "te"), "distance");
  assert.is(causeIn(withChanges({ te: { mixShare: 0.5 } }), "te"), "unknown");
});

test("in an equal mix nobody has few tokens", () => {
  const equal = withChanges(Object.fromEntries(languages.map(({ language }) => [language, { mixShare: 0.25 }])));
  assert.is(causeIn(equal, "te"), "unknown");
});

test.run();
