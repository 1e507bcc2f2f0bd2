import { collect, encodeScores, parseMetadata, readMixes } from "@mbs/artifacts";
import type { Score } from "@mbs/artifacts";
import { BadDataError, UsageError } from "@mbs/contracts";
import { testContext } from "@mbs/contracts/testing";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { mix } from "../src/index.ts";

const rises: Readonly<Record<string, number>> = { en: 0.2, hi: 0.3, km: 0.4 };

/** Windows of a dense model at 3 nats a token, and of compressed ones above it by what a language loses. */
function makeScores(labels: readonly string[], windows = 6): Score[] {
  return labels.flatMap((model, place) =>
    Object.entries(rises).flatMap(([language, rise]) =>
      Array.from({ length: windows }, (_, window): Score => ({
        model,
        address: model,
        language,
        source: "",
        window,
        tokens: 10,
        bytes: 40,
        nll: 10 * (3 + (place === 0 ? 0 : rise) + window / 100),
      })),
    ),
  );
}

interface Given {
  readonly labels?: readonly string[];
  readonly windows?: number;
  readonly mix?: Readonly<Record<string, number>>;
  readonly shares?: Readonly<Record<string, number>>;
  readonly solver?: string;
  /** The first model was compressed too. */
  readonly isCompressed?: boolean;
  readonly scores?: readonly Score[];
}

async function recommend(options: Readonly<Record<string, unknown>>, given: Given = {}) {
  const { labels = ["M", "small"], windows, mix: calibrated, shares, solver, isCompressed } = given;
  const methods = solver === undefined ? [] : [{ solver, options: {} }];
  const made = { source: "M", format: "dense", methods, mix: calibrated };
  const gptq = { source: "other", format: "dense", methods: [{ solver: "gptq", options: {} }], mix: {} };
  const models = { M: { bytes: 8, ...(isCompressed && { made: gptq }) }, small: { bytes: 8, ...(calibrated && { made }) } };
  const windowsOf = given.scores ?? makeScores(labels, windows);
  const scores = encodeScores(windowsOf, { corpus: "c", length: 11, bos: "auto", shares, models });
  const warnings: string[] = [];
  const { mixes } = await mix.run({ scores: [scores] }, options, testContext({ warn: (text) => warnings.push(text) }));
  assert.ok(mixes);
  const metadata = parseMetadata("mixes", mixes.schema);
  const records = await collect(readMixes(mixes));
  const of = (name: string) =>
    Object.fromEntries(records.filter((record) => record.mix === name).map((record) => [record.language, record]));
  return { metadata, names: [...new Set(records.map((record) => record.mix))], of, warnings };
}

async function refusal(options: Readonly<Record<string, unknown>>, given: Given = {}): Promise<string> {
  const error = await recommend(options, given).catch((caught: unknown) => caught);
  if (!(error instanceof UsageError || error instanceof BadDataError))
    throw error instanceof Error ? error : new Error("nothing was refused");
  return error.message;
}

const weightsOf = (rows: Readonly<Record<string, { readonly weight: number }>>): readonly number[] =>
  Object.values(rows).map(({ weight }) => weight);

test("a language that loses more gets more text", async () => {
  const { metadata, names, of, warnings } = await recommend({ mix: "equal" });
  assert.equal(names, ["equal", "recommended"]);
  assert.equal(warnings, []);
  assert.equal([metadata.model, metadata.dense, metadata.recommended, metadata.power], ["small", "M", "recommended", 4]);
  const equal = of("equal");
  for (const [language, rise] of Object.entries(rises)) {
    // shares of three digits
    assert.ok(Math.abs((equal[language]?.loss ?? 0) - rise) < 1e-3, language);
    assert.ok((equal[language]?.low ?? NaN) <= (equal[language]?.loss ?? NaN) && (equal[language]?.high ?? NaN) < 1);
  }
  const [en = 0, hi = 0, km = 0] = weightsOf(of("recommended"));
  assert.ok(Math.abs(en + hi + km - 1) < 2e-3 && en < hi && hi < km, [en, hi, km].join());
  const [, , more = 0] = weightsOf((await recommend({ mix: "equal", power: 8 })).of("recommended"));
  assert.ok(more > km);
});

test("the mix that the model's record has is taken and shown, and every --mix that names shares means the same", async () => {
  const shares = { en: 0.5, hi: 0.25, km: 0.25 };
  const recorded = await recommend({}, { mix: shares });
  assert.equal(recorded.metadata.measured, shares);
  assert.equal(recorded.names, ["equal", "measured", "recommended"]);
  for (const text of ["en=2,hi=1,km=1", "proportional"]) {
    const { metadata, of, names } = await recommend({ mix: text, importance: "en=1" }, { shares });
    assert.equal(metadata.measured, shares, text);
    assert.equal(names, ["equal", "proportional", "temperature:0.3", "recommended"]);
    assert.equal(weightsOf(of("recommended")), weightsOf(recorded.of("recommended")));
  }
});

test("languages count alike, or as given, or by the training mixture that the scores know", async () => {
  const shares = { en: 0.8, hi: 0.15, km: 0.05 };
  assert.equal((await recommend({ mix: "equal" }, { shares })).metadata.importance, { en: 1, hi: 1, km: 1 });
  const known = await recommend({ mix: "equal", power: 1, importance: "shares" }, { shares });
  assert.equal(known.metadata.importance, shares);
  assert.ok((known.of("recommended")["en"]?.weight ?? 0) > 0.6);
  const given = await recommend({ mix: "equal", importance: "km=3" }, { shares });
  assert.equal(given.metadata.importance, { en: 1, hi: 1, km: 3 });
});

test("of a method that corrects no weight it is said that mixes change little", async () => {
  const mixOf = { en: 1, hi: 1, km: 1 };
  assert.match(
    (await recommend({}, { mix: mixOf, solver: "wanda" })).warnings.join(),
    /made by wanda, where mixes change far less/,
  );
  assert.equal((await recommend({}, { mix: mixOf, solver: "gptq" })).warnings, []);
});

test("what cannot be told is refused with its remedy", async () => {
  assert.match(await refusal({}), /no mbs\.json with one; say it with --mix$/);
  assert.match(await refusal({ mix: "equal" }, { labels: ["M"] }), /evaluate the dense model and a compressed one together/);
  assert.match(await refusal({ mix: "equal" }, { labels: ["M", "a", "b"] }), /say with --label .*; the scores have a, b$/);
  assert.match(
    await refusal({ mix: "equal", label: "c" }, { labels: ["M", "a", "b"] }),
    /no compressed model c; the scores have a, b$/,
  );
  assert.match(await refusal({ mix: "only:en" }), /calibrated without text of hi/);
  assert.match(
    await refusal({}, { mix: { en: 1, hi: 1, km: 1, te: 1 } }),
    /calibrated with text of te, in which both models were not scored on the same windows/,
  );
  assert.match(await refusal({ mix: "equal" }, { windows: 4 }), /fewer than 5 windows/);
  assert.match(await refusal({ mix: "proportional" }), /needs the training mixture; evaluate with --shares/);
  assert.match(await refusal({ mix: "equal", importance: "te=1" }), /--importance names te; the scores have en, hi, km$/);
  const byShares = { mix: "equal", importance: "shares" };
  assert.match(await refusal(byShares), /--importance shares needs the training mixture, .* evaluate with --shares$/);
  assert.match(
    await refusal(byShares, { shares: { en: 0.8, hi: 0.2 } }),
    /the training mixture has no km; give numbers, such as km=1$/,
  );
  assert.match(
    await refusal({ mix: "equal" }, { isCompressed: true }),
    /M, the first of the scores, is a compressed model; evaluate first/,
  );
  const gained = makeScores(["M", "small"]).map((score) => (score.model === "M" ? { ...score, nll: score.nll + 10 } : score));
  assert.match(await refusal({ mix: "equal" }, { scores: gained }), /lost nothing that stands out from chance/);
  const absurd = makeScores(["M", "small"]).map((score) => (score.model === "M" ? { ...score, nll: 5000 } : score));
  assert.match(await refusal({ mix: "equal" }, { scores: absurd }), /M is no model of en: small loses almost nothing beside it/);
});

test.run();
