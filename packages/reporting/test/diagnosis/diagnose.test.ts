import { encodeDamage, encodeScores, encodeSegments, encodeSimilarities } from "@mbs/artifacts";
import type { Score, SimilarityRecord } from "@mbs/artifacts";
import { UsageError, at } from "@mbs/contracts";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { collectArtifacts } from "../../src/collected.ts";
import type { ReportInput } from "../../src/collected.ts";
import { diagnoseArtifacts } from "../../src/diagnosis/diagnose.ts";
import type { Diagnosis } from "../../src/diagnosis/diagnose.ts";
import { diagnosisText } from "../../src/diagnosis/diagnosis-text.ts";
import { makeDamage, makeScores } from "../made-records.ts";

const shares = { en: 0.6, fr: 0.3, sw: 0.06, te: 0.04 };
const languages = Object.keys(shares);

interface Made {
  readonly name: string;
  readonly solver: string;
  readonly mix: Readonly<Record<string, number>>;
  /** Rise of the loss in nats a token, in the order of the languages. */
  readonly rises: readonly number[];
}

const equal = { en: 0.25, fr: 0.25, sw: 0.25, te: 0.25 };

/** Windows differ a lot; how much a model loses differs between windows by a tenth. */
function scoresOf(models: readonly Made[], spread = 0.1): Score[] {
  return [{ name: "dense", rises: [0, 0, 0, 0] }, ...models].flatMap(({ name, rises }) =>
    languages.flatMap((language, l) =>
      Array.from({ length: 12 }, (_, window) => ({
        model: name,
        address: name,
        language,
        source: "",
        window,
        nll: 100 * (2 + l / 10 + (window % 5) / 10 + at(rises, l) * (1 + spread * ((window % 3) - 1))),
        tokens: 100,
        bytes: 400,
      })),
    ),
  );
}

const scoresInput = (
  models: readonly Made[],
  spread?: number,
  isScored: (score: Score) => boolean = () => true,
): ReportInput => ({
  name: "scores",
  stream: encodeScores(scoresOf(models, spread).filter(isScored), {
    corpus: "",
    length: 101,
    bos: "off",
    shares,
    models: {
      dense: { bytes: 10 },
      ...Object.fromEntries(
        models.map(({ name, solver, mix }) => [
          name,
          { bytes: 10, made: { source: "dense", format: "dense", methods: [{ solver, options: {} }], mix } },
        ]),
      ),
    },
  }),
});

const look = async (inputs: readonly ReportInput[]): Promise<Diagnosis> => diagnoseArtifacts(await collectArtifacts(inputs));

const signatures = ({ findings }: Diagnosis): string[] => findings.map(({ signature }) => signature);

const flat = [0.05, 0.05, 0.05, 0.05];
const alone: Made = { name: "english", solver: "gptq", mix: { en: 1 }, rises: [0.02, 0.06, 0.2, 0.3] };

test("a healthy experiment has no findings, and what the mix gave is reported", async () => {
  const diagnosis = await look([scoresInput([alone, { name: "equal", solver: "gptq", mix: equal, rises: flat }])]);
  assert.equal(diagnosis.findings, []);
  assert.equal(diagnosis.checked, ["mix-worse-than-one-language", "rare-language-falls", "language-loses-much"]);
  const mix = at(diagnosis.mixes, 0);
  assert.equal([mix.alone, mix.mix, mix.losers, mix.winners], ["en", "equal mix", ["en"], ["fr", "sw", "te"]]);
  assert.match(diagnosisText(diagnosis).replaceAll(/\s+/g, " "), /Nothing found that 95% intervals support/);
  assert.match(diagnosisText(diagnosis), /[^\n]\n$/);
  assert.match(diagnosisText({ ...diagnosis, notes: [] }), /[^\n]\n$/);
});

test("a mix that is worse than English alone is found, by the figures it is worse by", async () => {
  const worse = { name: "equal", solver: "gptq", mix: equal, rises: [0.2, 0.2, 0.2, 0.31] };
  const { findings } = await look([scoresInput([alone, worse])]);
  const finding = findings.find(({ signature }) => signature === "mix-worse-than-one-language");
  assert.match(finding?.title ?? "", /the equal mix is worse than en alone, by the unweighted mean, the weighted mean\.$/);
  assert.equal(finding?.models, ["equal", "english"]);
  // geometric means over languages of exp(0.2 … 0.31) against exp(0.02 … 0.3)
  assert.ok(Math.abs((finding?.evidence[0]?.value ?? NaN) - Math.expm1((0.2 * 3 + 0.31 - 0.02 - 0.06 - 0.2 - 0.3) / 4)) < 0.01);
});

test("noise is no finding: the same means with losses that differ between windows more than between mixes", async () => {
  const worse = { name: "equal", solver: "gptq", mix: equal, rises: [0.1, 0.16, 0.16, 0.17] };
  assert.ok(signatures(await look([scoresInput([alone, worse], 0.01)])).includes("mix-worse-than-one-language"));
  assert.equal(signatures(await look([scoresInput([alone, worse], 4)])), []);
});

const falling = (mix: Readonly<Record<string, number>>, name: string, te: number): Made => ({
  name,
  solver: "wanda",
  mix,
  rises: [0.05, 0.05, 0.05, te],
});

test("a rare language that falls: the other mix tells whether text was lacking", async () => {
  const proportional = falling(shares, "proportional", 0.4);
  const helped = await look([scoresInput([proportional, falling(equal, "equal", 0.05)])]);
  assert.equal(signatures(helped), ["rare-language-falls"]);
  assert.match(at(at(helped.findings, 0).texts, 1), /^te rises .*: too few tokens in the mix; .*with the equal mix \(25%\) -/);
  const notHelped = await look([scoresInput([proportional, falling(equal, "equal", 0.4)])]);
  assert.match(at(at(notHelped.findings, 0).texts, 1), /few tokens do not explain it, its distance to the mix is not known/);
});

test("similarities add the distance, segments the tokens and the name of the mix", async () => {
  const angles: SimilarityRecord[] = [
    ["en", "fr", 10],
    ["en", "sw", 20],
    ["en", "te", 60],
    ["fr", "sw", 20],
    ["fr", "te", 60],
    ["sw", "te", 60],
  ].map(([first, second, value]) => ({
    block: "h.0",
    site: "input",
    measure: "degrees",
    first: String(first),
    second: String(second),
    value: Number(value),
  }));
  const mix = { en: 0.25, fr: 0.25, sw: 0.375, te: 0.125 };
  const segments = Object.entries(mix).flatMap(([language, share], l) =>
    Array.from({ length: share * 8 }, (_, segment) => ({
      segment: l * 8 + segment,
      language,
      documents: 1,
      tokens: Int32Array.from({ length: 16 }, () => 1),
    })),
  );
  const metadata = {
    tokenizer: "",
    corpus: "",
    distribution: "",
    length: 16,
    seed: 0,
    mix: "temperature:0.3",
    counts: {},
    shortfall: {},
  };
  const { findings } = await look([
    scoresInput([falling(mix, "one", 0.4), falling(equal, "equal", 0.4)]),
    { name: "similarity", stream: encodeSimilarities(angles, { model: "" }) },
    { name: "segments", stream: encodeSegments(segments, metadata) },
  ]);
  const [first, second] = [at(findings, 0), at(findings, 1)];
  assert.match(first.title, /^wanda, temperature:0\.3 mix: te /);
  // 60° to the three others, 0° to itself: 60 · 7/8
  assert.match(
    at(first.texts, 1),
    /: too far from the mix; 4\.0% of the training, 13% of the calibration \(16 tokens\); 53° from the mix/,
  );
  assert.match(second.title, /^wanda, equal mix: te /);
});

test("scores on the texts of the calibration are noted", async () => {
  const about = { tokenizer: "", distribution: "", length: 16, seed: 0, mix: "equal", counts: {}, shortfall: {} };
  const segment = { segment: 0, language: "en", documents: 1, tokens: Int32Array.of(1, 2) };
  const scored = { length: 101, bos: "off", shares: undefined, models: undefined } as const;
  const notesOf = async (heldOut: string): Promise<string> => {
    const { notes } = await look([
      { name: "scores", stream: encodeScores(makeScores(["dense", "a"]), { ...scored, corpus: heldOut }) },
      { name: "segments", stream: encodeSegments([segment], { ...about, corpus: "c".repeat(64) }) },
    ]);
    return notes.join("\n");
  };
  assert.match(await notesOf("c".repeat(64)), /^scores has scores on the very texts that segments was drawn from: .* held-out/m);
  assert.not.match(await notesOf("d".repeat(64)), /very texts/);
});

test("damage of the scored model add the site that hurts a language beyond the others", async () => {
  const metadata = { model: "dense", solver: "wanda", scored: "proportional", lossRises: undefined };
  const inputs = (scored: string): ReportInput[] => [
    scoresInput([falling(shares, "proportional", 0.4)]),
    { name: "damage", stream: encodeDamage(makeDamage(), { ...metadata, scored }) },
  ];
  const { findings } = await look(inputs("proportional"));
  // te: 0.36 against the mean of 0.01, 0.02, 0.03 and 0.36
  assert.match(at(at(findings, 0).texts, 1), /predicted damage 3\.43× the mean of all languages at h\.0\/attention-qkv\.$/);
  assert.not.match(at(at((await look(inputs("another"))).findings, 0).texts, 1), /predicted damage/);
});

const model = (solver: string, rises: readonly number[], mix = equal): Made => ({ name: solver, solver, mix, rises });

test("methods that turn the order round are found, with the same mix only", async () => {
  const up = [0.05, 0.1, 0.15, 0.2];
  const disagree = await look([scoresInput([model("gptq", up), model("wanda", up.toReversed())])]);
  assert.ok(signatures(disagree).includes("methods-disagree"));
  const agree = await look([scoresInput([model("gptq", up), model("wanda", up)])]);
  assert.not.ok(signatures(agree).includes("methods-disagree"));
  const otherMix = await look([scoresInput([model("gptq", up), model("wanda", up.toReversed(), shares)])]);
  assert.not.ok(signatures(otherMix).includes("methods-disagree"));
  assert.not.ok(otherMix.checked.includes("methods-disagree"));
});

const allButTeOfB = ({ model: name, language }: Score): boolean => !(name === "b" && language === "te");

const seed = (name: string, te: number): Made => falling(shares, name, te);

test("seeds of one mix are one group, and every seed has to support a finding", async () => {
  assert.equal(signatures(await look([scoresInput([seed("a", 0.4), seed("b", 0.3)])])), ["rare-language-falls"]);
  assert.equal(signatures(await look([scoresInput([seed("a", 0.4), seed("b", 0.05)])])), []);
});

test("a language that one seed was not scored in is no finding: not every seed supports it", async () => {
  assert.equal(signatures(await look([scoresInput([seed("a", 0.4), seed("b", 0.4)], 0.1, allButTeOfB)])), []);
});

const seedsOf = (name: string, mix: Made["mix"], losses: readonly number[]): Made[] =>
  losses.map((loss, index) => ({ name: `${name} ${index}`, solver: "gptq", mix, rises: [loss, loss, loss, loss] }));

test("where one side has fewer seeds, it is compared with every seed of the other", async () => {
  const worse = async (mixed: readonly number[], english: readonly number[]): Promise<string[]> =>
    signatures(await look([scoresInput([...seedsOf("equal", equal, mixed), ...seedsOf("english", { en: 1 }, english)])]));
  assert.equal(await worse([0.2], [0.1, 0.1, 0.1]), ["mix-worse-than-one-language"]);
  assert.equal(await worse([0.2], [0.1, 0.1, 0.3]), []);
  assert.equal(await worse([0.2, 0.2, 0.2], [0.1]), ["mix-worse-than-one-language"]);
  assert.equal(await worse([0.2, 0.2, 0.05], [0.1]), []);
  const models = [...seedsOf("equal", equal, [0.2]), ...seedsOf("english", { en: 1 }, [0.1, 0.1, 0.3])];
  const { worst, unweighted, losers } = at((await look([scoresInput(models)])).mixes, 0);
  assert.equal([worst.length, unweighted.length, losers], [3, 3, []]);
  assert.equal(
    worst.map(({ mix, alone: other }) => mix.rise > other.rise),
    [true, true, false],
  );
});

test("more text helped only where it did with every seed", async () => {
  const causeWith = async (losses: readonly number[]): Promise<string> => {
    const rare = losses.map((te, index) => falling(shares, `proportional ${index}`, te));
    return at(at((await look([scoresInput([...rare, falling(equal, "equal", 0.2)])])).findings, 0).texts, 1);
  };
  assert.match(await causeWith([0.4, 0.4, 0.4]), /too few tokens in the mix/);
  assert.match(await causeWith([0.4, 0.4, 0.15]), /few tokens do not explain it/);
  const helped = [falling(shares, "proportional", 0.2), ...[0.1, 0.1, 0.3].map((te, i) => falling(equal, `equal ${i}`, te))];
  const { findings } = await look([scoresInput(helped)]);
  assert.match(at(at(findings, 0).texts, 1), /few tokens do not explain it/);
});

test("notes say what could not be looked at; without scores there is nothing to do", async () => {
  const unmade = {
    name: "scores",
    stream: encodeScores(scoresOf([alone]), { corpus: "", length: 101, bos: "off", shares: undefined, models: undefined }),
  };
  const { findings, checked, notes } = await look([unmade]);
  assert.equal([findings, checked], [[], []]);
  for (const note of [/How english was made is not known/, /one language alone/, /No training shares/, /No similarities/])
    assert.match(notes.join("\n"), note);
  const error = await look([]).catch((thrown: unknown) => thrown);
  assert.instance(error, UsageError);
});

test("text fits 80 columns but for commands and notes", async () => {
  const diagnosis = await look([scoresInput([falling(shares, "proportional", 0.4), falling(equal, "equal", 0.4)])]);
  assert.ok(diagnosis.findings.length > 0);
  for (const line of diagnosisText(diagnosis).split("\n")) {
    if (!/^ {4}mbs |^note:/.test(line)) assert.ok(line.length <= 80, `${line.length}: ${line}`);
  }
});

test.run();
