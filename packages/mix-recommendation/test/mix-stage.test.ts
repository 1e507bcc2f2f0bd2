import { collect, encodeScores, parseMetadata, readMixes } from "@mbs/artifacts";
import type { Score } from "@mbs/artifacts";
import { UsageError } from "@mbs/contracts";
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
}

async function recommend(options: Readonly<Record<string, unknown>>, given: Given = {}) {
  const { labels = ["M", "small"], windows, mix: calibrated, shares } = given;
  const made = { source: "M", format: "dense", methods: [], mix: calibrated };
  const models = { M: { bytes: 8 }, small: { bytes: 8, ...(calibrated && { made }) } };
  const scores = encodeScores(makeScores(labels, windows), { corpus: "c", length: 11, bos: "auto", shares, models });
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
  if (!(error instanceof UsageError)) throw error instanceof Error ? error : new Error("nothing was refused");
  return error.message;
}

test("the worst language gets more text, until all are predicted to lose the same or the mean rises too far", async () => {
  const { metadata, names, of } = await recommend({ mix: "equal", within: 1 });
  assert.equal(names, ["equal", "worst"]);
  assert.equal([metadata.model, metadata.dense, metadata.recommended, metadata.within], ["small", "M", "worst", 1]);
  const equal = of("equal");
  for (const [language, rise] of Object.entries(rises)) {
    // shares of three digits
    assert.ok(Math.abs((equal[language]?.loss ?? 0) - rise) < 1e-3, language);
    assert.ok((equal[language]?.low ?? NaN) <= (equal[language]?.loss ?? NaN) && (equal[language]?.high ?? NaN) < 1);
  }
  const worst = Object.values(of("worst"));
  assert.ok(Math.abs(worst.reduce((sum, { weight }) => sum + weight, 0) - 1) < 2e-3);
  const [en, hi, km] = worst.map(({ weight }) => weight);
  assert.ok((en ?? 0) < (hi ?? 0) && (hi ?? 0) < (km ?? 0));
  // English stops at a sixth of its third, where it still loses less than the others
  assert.is(en, 0.0556);
  assert.ok(Math.abs((worst[1]?.loss ?? 0) - (worst[2]?.loss ?? 1)) < 1e-3);
});

test("the mix that the model's record has is taken, and every --mix that names shares means the same", async () => {
  const shares = { en: 0.5, hi: 0.25, km: 0.25 };
  const recorded = await recommend({ importance: "en=1" }, { mix: shares });
  assert.equal(recorded.metadata.measured, shares);
  for (const text of ["weights:en=2,hi=1,km=1", "en=2,hi=1,km=1", "proportional"]) {
    const { metadata, of } = await recommend({ mix: text, importance: "en=1" }, { shares });
    assert.equal(metadata.measured, shares, text);
    assert.equal(
      Object.values(of("worst")).map(({ weight }) => weight),
      Object.values(recorded.of("worst")).map(({ weight }) => weight),
    );
  }
});

test("importance is the training mixture that the scores know, or as given, or the same for all", async () => {
  const shares = { en: 0.8, hi: 0.15, km: 0.05 };
  assert.equal((await recommend({ mix: "equal" })).metadata.importance, { en: 1, hi: 1, km: 1 });
  const known = await recommend({ mix: "equal", goal: "mean" }, { shares });
  assert.equal(known.metadata.importance, shares);
  assert.equal(known.names, ["equal", "proportional", "temperature:0.3", "mean"]);
  assert.ok((known.of("mean")["en"]?.weight ?? 0) > 0.6);
  const given = await recommend({ mix: "equal", goal: "mean", importance: "km=3" }, { shares });
  assert.equal(given.metadata.importance, { en: 1, hi: 1, km: 3 });
});

test("within a limit of the mean the mix lies between", async () => {
  const shares = { en: 0.8, hi: 0.15, km: 0.05 };
  const meanOf = (rows: Readonly<Record<string, { readonly loss: number }>>): number =>
    Object.entries(shares).reduce((sum, [language, share]) => sum + share * (rows[language]?.loss ?? NaN), 0);
  const { of } = await recommend({ mix: "temperature:0.5" }, { shares });
  const found = of("worst");
  assert.ok(Math.abs(meanOf(found) / meanOf(of("proportional")) - 1.05) < 2e-3);
  const worst = (name: string): number => Math.max(...Object.values(of(name)).map(({ loss }) => loss));
  assert.ok(worst("worst") < worst("proportional"));
});

test("what cannot be told is refused with its remedy", async () => {
  assert.match(await refusal({}), /no mbs\.json; say it with --mix$/);
  assert.match(await refusal({ mix: "equal" }, { labels: ["M"] }), /evaluate the dense model and a compressed one together/);
  assert.match(await refusal({ mix: "equal" }, { labels: ["M", "a", "b"] }), /say with --label .*; the scores have a, b$/);
  assert.match(
    await refusal({ mix: "equal", label: "c" }, { labels: ["M", "a", "b"] }),
    /no compressed model c; the scores have a, b$/,
  );
  assert.match(await refusal({ mix: "only:en" }), /calibrated without text of hi/);
  assert.match(await refusal({ mix: "equal" }, { windows: 4 }), /fewer than 5 windows/);
  assert.match(await refusal({ mix: "proportional" }), /needs the training mixture; evaluate with --shares/);
  assert.match(await refusal({ mix: "equal", importance: "te=1" }), /--importance names te; the scores have en, hi, km$/);
  const shares = { en: 0.98, hi: 0.01, km: 0.01 };
  assert.match(await refusal({ mix: "weights:en=1,hi=9,km=9", within: 0 }, { shares }), /no mix keeps the mean so low/);
});

test.run();
