import {
  collect,
  contentAddress,
  encodeStatistics,
  expertsSite,
  headClassSite,
  headSite,
  readFactors,
  tokenSites,
  embeddingsBlock,
} from "@mbs/artifacts";
import type { FactorRecord, Statistic } from "@mbs/artifacts";
import { at, BadDataError, InterruptedError, UsageError } from "@mbs/contracts";
import type { ArtifactStream, StageContext } from "@mbs/contracts";
import { factor } from "@mbs/hessian-solving";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { diagonalStatistic, failureOf, gramOf, gramStatistic, randomStates, worst } from "./statistics-fixture.ts";

const width = 12;
const states = { en: randomStates(50, width, 1, [7]), fr: randomStates(40, width, 2, [7]) };
const metadata = { model: "m", tokenizer: "t", propagation: "dense", unit: "token", mix: undefined };

const site = (name: string): Statistic[] =>
  Object.entries(states).map(([language, values]) => gramStatistic(name, language, values, width));

const regular = [...site("qkv"), ...site("mlp"), diagonalStatistic("input", "en", states.en, width)];
/** E[x xᵀ] that no text can have: a direction of negative energy. */
const hopeless: Statistic = {
  ...at(site("odd"), 0),
  width: 2,
  values: Float32Array.of(1, 50, 1),
};

interface Outcome {
  readonly stream: ArtifactStream;
  readonly warnings: string[];
}

async function run(
  statistics: readonly Statistic[],
  options: Record<string, unknown> = {},
  more: Partial<StageContext> = {},
  mix?: Record<string, number>,
) {
  const warnings: string[] = [];
  const context: StageContext = {
    signal: new AbortController().signal,
    progress: () => {},
    warn: (message) => warnings.push(message),
    threads: 1,
    ...more,
  };
  const outputs = await factor.run({ statistics: [encodeStatistics(statistics, { ...metadata, mix })] }, options, context);
  const stream = outputs["factors"];
  assert.ok(stream);
  return { stream, warnings } satisfies Outcome;
}

async function factors(statistics: readonly Statistic[], options?: Record<string, unknown>): Promise<FactorRecord[]> {
  return collect(readFactors((await run(statistics, options)).stream));
}

test("without --mix it takes the one that capture was given", async () => {
  const { stream } = await run(regular, {}, {}, { en: 3, fr: 1 });
  assert.is(stream.schema.metadata["weights"], '{"en":0.75,"fr":0.25}');
});

test("shards of the blocks have the factors of the whole, each of every so many blocks", async () => {
  const blocks = ["h.0", "h.1", "h.2"];
  const statistics = blocks.flatMap((block) => regular.map((statistic) => ({ ...statistic, block })));
  const whole = await factors(statistics);
  for (const [shard, expected] of [
    ["1/2", ["h.0", "h.2"]],
    ["2/2", ["h.1"]],
  ] as const) {
    const found = await factors(statistics, { blocks: shard });
    assert.equal([...new Set(found.map(({ block }) => block))], expected);
    assert.equal(
      found,
      whole.filter(({ block }) => expected.some((name) => name === block)),
    );
  }
  assert.instance(await failureOf(() => factors(statistics, { blocks: "4/4" })), UsageError);
});

test("diagonals of languages are carried along where they are asked for, from Grams and from diagonals", async () => {
  for (const statistic of [gramStatistic, diagonalStatistic]) {
    const given = ["fr", "de", "en"].map((language, index) =>
      statistic("mlp", language, randomStates(30, width, 10 + index), width),
    );
    const own = diagonalStatistic("mlp", "en", randomStates(30, width, 12), width).values;
    const plain = at(await factors(given, { mix: "en=3,fr=1" }), 0);
    const asked = at(await factors(given, { mix: "en=3,fr=1", languageDiagonals: true }), 0);
    const { languageDiagonals = [], ...rest } = asked;
    assert.equal(rest, plain);
    assert.equal(
      languageDiagonals.map(({ language }) => language),
      ["en", "fr"],
    );
    assert.ok(worst(at(languageDiagonals, 0).values, own) < 1e-7);
    const mixed = at(languageDiagonals, 0).values.map(
      (value, index) => 0.75 * value + 0.25 * at(at(languageDiagonals, 1).values, index),
    );
    assert.ok(worst(plain.diagonal, mixed) < 1e-7);
  }
  const cross: Statistic = { ...at(site("mlp"), 0), kind: "cross-moment", values: new Float32Array(width * width) };
  const beside = at(await factors([...site("mlp").slice(0, 1), cross], { languageDiagonals: true }), 0);
  assert.ok(beside.languageDiagonals);
  assert.ok(worst(at(beside.languageDiagonals, 0).values, beside.diagonal) < 1e-7, "a cross-moment is no diagonal");
  const { languageDiagonals } = at(await factors(pooled, { languageDiagonals: true }), 0);
  assert.ok(languageDiagonals);
  assert.ok(worst(at(languageDiagonals, 1).values, diagonalStatistic("mlp", "fr", states.fr, width).values) < 1e-7);
});

const pooled: readonly Statistic[] = [
  { ...at(site("mlp"), 0), language: "*" },
  diagonalStatistic("mlp", "en", states.en, width),
  diagonalStatistic("mlp", "fr", states.fr, width),
];

test("a Gram that capture pooled serves its own mix and no other", async () => {
  const { stream } = await run(pooled, { mix: "fr=0.5,en=1.5" }, {}, { en: 3, fr: 1 });
  assert.is(stream.schema.metadata["weights"], '{"en":0.75,"fr":0.25}');
  const other = await failureOf(() => run(pooled, { mix: "en=1" }, {}, { en: 3, fr: 1 }));
  assert.instance(other, BadDataError);
  assert.match(String(other), "give capture this --mix, or --grams languages and a --budget for them");
});

test("each site has its summary, order, Gram, diagonal and factor", async () => {
  const { stream, warnings } = await run(regular, { mix: "en=1,fr=1", order: "activation" });
  assert.equal(stream.schema.metadata, { model: "m", weights: '{"en":0.5,"fr":0.5}', damping: "0.01", order: "activation" });
  const records = await collect(readFactors(stream));
  assert.equal(
    records.map((record) => record.site),
    ["qkv", "mlp"],
  );
  const { summary, gram, upper, order, diagonal } = at(records, 0);
  assert.equal(summary, {
    tokens: 90,
    weights: { en: 0.5, fr: 0.5 },
    orderName: "activation",
    requestedDamping: 0.01,
    damping: 0.01,
    precision: "float32",
    retries: 0,
    dead: [7],
    factorised: true,
  });
  assert.is(gram?.length, 78);
  assert.is(upper?.length, 78);
  assert.is(order[width - 1], 7);
  assert.is(diagonal[7], 0);
  assert.match(
    warnings.join("\n"),
    /h\.0 qkv: zero in every token: 1 of 12 channels, .*make these zero; where other texts use them, calibrate with more text/,
  );
});

test("a site that no token reached gets H = I, no dead columns, and a warning", async () => {
  const { stream, warnings } = await run([gramStatistic("expert-1-up", "en", new Float64Array(40 * width), width)]);
  const record = at(await collect(readFactors(stream)), 0);
  assert.equal(record.summary.dead, []);
  const diagonal = 1 / Math.sqrt(1.01);
  const onDiagonal = new Set(Array.from({ length: width }, (_, row) => row * width - (row * (row - 1)) / 2));
  record.upper?.forEach((value, index) => {
    assert.ok(Math.abs(value - (onDiagonal.has(index) ? diagonal : 0)) < 1e-6);
  });
  assert.is(record.upper?.length, 78);
  assert.match(warnings.join("\n"), /h\.0 expert-1-up: no token reached this site/);
});

/** The one expert that a token goes through. */
const expertOfToken = (token: number, starvedTokens: number): number => (token < starvedTokens ? 2 : token % 2);

/** Statistics of a block of three experts, of which the last sees the first few of the tokens, the others half of the rest each. */
function statisticsOfExperts(starvedTokens: number): Statistic[] {
  return Object.entries(states).flatMap(([language, all]) => {
    const tokens = all.length / width;
    const seenBy = (expert: number): Float64Array =>
      all.map((value, index) => (expertOfToken(Math.floor(index / width), starvedTokens) === expert ? value : 0));
    const counts = [0, 1, 2].map(
      (expert) => Array.from({ length: tokens }, (_, t) => t).filter((t) => expertOfToken(t, starvedTokens) === expert).length,
    );
    return [
      {
        ...diagonalStatistic(expertsSite, language, all, width),
        width: 3,
        values: Float32Array.from(counts, (count) => count / tokens),
      },
      ...[0, 1, 2].flatMap((expert) => [
        gramStatistic(`expert-${expert}-up`, language, seenBy(expert), width),
        gramStatistic(`expert-${expert}-down`, language, seenBy(expert), width),
      ]),
    ];
  });
}

/** By site, its languages together, as capture gives them. */
const bySite = (statistics: readonly Statistic[]): Statistic[] =>
  [...new Set(statistics.map(({ site: name }) => name))].flatMap((name) => statistics.filter((one) => one.site === name));

function find(records: readonly FactorRecord[], name: string): FactorRecord {
  const found = records.find(({ site: own }) => own === name);
  assert.ok(found, name);
  return found;
}

test("a starved expert keeps what it saw, takes what its block sees, or is rounded to nearest", async () => {
  const statistics = bySite(statisticsOfExperts(3));
  const own = await factors(statistics);
  assert.not(own.some(({ site: name }) => name === expertsSite));
  assert.equal([find(own, "expert-2-up").summary.reached, find(own, "expert-0-up").summary.reached], [6, 41]);
  assert.ok(own.every(({ summary }) => summary.starved === undefined));

  const { stream, warnings } = await run(statistics, { onStarved: "block" });
  const block = await collect(readFactors(stream));
  const standIn = find(block, "expert-2-up");
  assert.equal([standIn.summary.starved, standIn.summary.reached], ["block", 6]);
  // each token goes through one expert, so those of all are the block's: both languages by their tokens, and 6 of 90 tokens
  const whole = gramOf(Float64Array.from([...states.en, ...states.fr]), width).map((value) => (value * 6) / 90);
  assert.ok(worst(standIn.gram ?? [], whole) < 1e-7);
  for (const name of ["expert-0-up", "expert-1-up", "expert-2-down"]) {
    assert.is(find(block, name).summary.starved, undefined);
    assert.equal(find(block, name).gram, find(own, name).gram);
  }
  assert.match(warnings.join("\n"), /h\.0: 1 expert is starved, reached by 6 tokens; .* all tokens of the block/);

  const rtn = await factors(statistics, { onStarved: "rtn" });
  for (const name of ["expert-2-up", "expert-2-down"]) {
    const { summary, upper } = find(rtn, name);
    assert.equal([summary.starved, summary.factorised, upper], ["rtn", false, undefined]);
  }
  const [fewer] = [await factors(statistics, { onStarved: "rtn", starved: 6 })];
  assert.ok(fewer.every(({ summary }) => summary.starved === undefined));
});

test("an expert that no token reached takes what its block sees, as if one token had", async () => {
  const records = await factors(bySite(statisticsOfExperts(0)), { onStarved: "block" });
  const standIn = records.find(({ site: name }) => name === "expert-2-up");
  const whole = gramOf(Float64Array.from([...states.en, ...states.fr]), width).map((value) => value / 90);
  assert.ok(worst(standIn?.gram ?? [], whole) < 1e-7);
  assert.ok(standIn?.upper);
});

test("without counts of experts nothing says which are starved", async () => {
  const uncounted = bySite(statisticsOfExperts(3)).filter(({ site: name }) => name !== expertsSite);
  const error = await failureOf(() => factors(uncounted, { onStarved: "block" }));
  assert.instance(error, BadDataError);
  assert.match(String(error), /h\.0 do not say how many tokens went through each expert; capture all sites of the block again/);
  assert.ok((await factors(uncounted)).every(({ summary }) => summary.reached === undefined));
});

test("--upper off leaves the upper factor out and keeps the rest", async () => {
  const record = at(await factors(regular, { upper: "off" }), 0);
  assert.is(record.upper, undefined);
  assert.not(record.summary.factorised);
  assert.is(record.gram?.length, 78);
});

test("sites with diagonals alone get no factor", async () => {
  const record = at(await factors([diagonalStatistic("mlp", "en", states.en, width)]), 0);
  assert.not(record.summary.factorised);
  assert.is(record.gram, undefined);
  assert.is(record.diagonal.length, width);
});

test("a site that stays singular stops the run, or is counted and left out", async () => {
  const error = await failureOf(() => factors([hopeless]));
  assert.instance(error, BadDataError);
  assert.equal((error as BadDataError).facts["site"], "odd");
  assert.equal((error as BadDataError).facts["retries"], 4);
  const { stream, warnings } = await run([hopeless], { onSingular: "rtn", raises: 1 });
  const record = at(await collect(readFactors(stream)), 0);
  assert.equal([record.summary.factorised, record.summary.retries, record.summary.damping], [false, 2, 0.1]);
  assert.is(warnings.length, 1);
});

test("a retry is reported", async () => {
  const weak = { ...hopeless, values: Float32Array.of(1, 1.05, 1) };
  const { stream, warnings } = await run([weak]);
  const { summary } = at(await collect(readFactors(stream)), 0);
  assert.equal([summary.retries, summary.precision, summary.damping], [2, "float64", 0.1]);
  assert.match(warnings.join("\n"), /h\.0 odd: factorised after 2 retries/);
});

test("the same input gives the same address", async () => {
  const { address } = await contentAddress((await run(regular)).stream);
  assert.is((await contentAddress((await run(regular)).stream)).address, address);
  assert.is.not((await contentAddress((await run(regular, { damping: 0.02 })).stream)).address, address);
});

const refused: [
  what: string,
  statistics: Statistic[],
  options: Record<string, unknown>,
  kind: typeof BadDataError | typeof UsageError,
][] = [
  ["no site", [diagonalStatistic("input", "en", states.en, width)], {}, BadDataError],
  ["a mix of unknown languages", regular, { mix: "xx=1" }, UsageError],
  ["a negative damping", regular, { damping: -1 }, UsageError],
  ["an unknown order", regular, { order: "random" }, UsageError],
  ["an unknown option", regular, { dampening: 1 }, UsageError],
];
for (const [what, statistics, options, kind] of refused) {
  test(`${what} is refused before anything goes out`, async () => {
    assert.instance(await failureOf(() => run(statistics, options)), kind);
  });
}

test("an aborted run ends its output", async () => {
  const stop = new AbortController();
  const { stream } = await run(regular, {}, { signal: stop.signal });
  stop.abort();
  assert.instance(await failureOf(() => collect(readFactors(stream))), InterruptedError);
});

/** A statistic of tokens. */
const ofTokens = (name: string, language: string, values: readonly number[]): Statistic => ({
  block: embeddingsBlock,
  site: name,
  language,
  kind: "diagonal",
  tokens: 50,
  width: values.length,
  values: Float32Array.from(values),
});

const heads = (["en", "fr"] as const).map((language) => ({
  ...gramStatistic(headSite, language, states[language], width),
  block: embeddingsBlock,
}));

test("a head that is the embedding too has the embedding's price in its Gram, in one unit of loss", async () => {
  const tokens = [
    ...["en", "fr"].map((language) => ofTokens(tokenSites.reads, language, [0.5, 0.5, 0])),
    ofTokens(tokenSites.price, "en", [0.3]),
    ofTokens(tokenSites.price, "fr", [0.1]),
    ...["en", "fr"].map((language) => ofTokens(tokenSites.spread, language, [0.1, 0.2, 0.1])),
  ];
  const options = { mix: "en=0.5,fr=0.5", order: "activation" };
  const tied = await factors([...tokens, ...heads], options);
  assert.equal(
    tied.map(({ site: name, summary }) => [name, summary.factorised, summary.orderName]),
    [
      [tokenSites.reads, false, "natural"],
      [tokenSites.price, false, "natural"],
      [tokenSites.spread, false, "natural"],
      [headSite, true, "activation"],
    ],
  );
  const untied = await factors([...tokens.filter(({ site: name }) => name !== tokenSites.price), ...heads], options);
  const [with_, without] = [at(tied, 3), at(untied, 2)];
  // (0.3 + 0.1) / 2 over the sum of spreads, 0.4
  const expected = without.diagonal.map((square) => square + 0.5);
  assert.ok(worst(with_.diagonal, expected) < 1e-6);
  assert.ok(with_.gram && without.gram);
  const difference = with_.gram.map((value, index) => value - at(without.gram ?? [], index));
  assert.is(difference.filter((value) => Math.abs(value - 0.5) < 1e-6).length, width);
  assert.is(difference.filter((value) => value === 0).length, (width * (width - 1)) / 2);
});

const diagonalOf = (language: "en" | "fr"): Statistic => ({
  ...diagonalStatistic(headSite, language, states[language], width),
  block: embeddingsBlock,
});

/** Where a packed upper half has its diagonal. */
const onDiagonal = new Set(Array.from({ length: width }, (_, row) => row * width - (row * (row - 1)) / 2));

test("rows get the Grams of the languages that they cost and the price of their own reads, and half the H of all", async () => {
  // the first token is en's, the second both's, the next two fr's; nobody predicts the last
  const tokens = [
    ofTokens(tokenSites.reads, "en", [0.75, 0.25, 0, 0, 0]),
    ofTokens(tokenSites.reads, "fr", [0.1, 0, 0.4, 0, 0.5]),
    ofTokens(tokenSites.price, "en", [0.5]),
    ofTokens(tokenSites.price, "fr", [0.25]),
    ofTokens(tokenSites.spread, "en", [0.2, 0.125, 0.1, 0, 0]),
    ofTokens(tokenSites.spread, "fr", [0.05, 0.125, 0.3, 0.1, 0]),
  ];
  const options = { mix: "en=0.75,fr=0.25", order: "activation", rowClasses: 16 };
  const found = await factors([...tokens, ...heads], options);
  assert.equal(
    found.slice(3).map(({ site: name }) => name),
    [tokenSites.classes, headSite, headClassSite(1), headClassSite(2)],
  );
  const [classes, whole, english, french] = found.slice(3) as [FactorRecord, FactorRecord, FactorRecord, FactorRecord];
  assert.equal([...classes.diagonal], [1, 0, 2, 2, 0]);
  for (const [record, inEnglish, inFrench, reads] of [
    [english, 0.75 * 0.2, 0.25 * 0.05, 0.75 * 0.5 * 0.75 + 0.25 * 0.25 * 0.1],
    [french, 0.75 * 0.1, 0.25 * 0.4, 0.25 * 0.25 * 0.4],
  ] as const) {
    const cost = inEnglish + inFrench;
    assert.ok(Math.abs((record.summary.weights["en"] ?? NaN) - (inEnglish / cost + 0.75) / 2) < 1e-6);
    const [first, second] = heads.map(({ values }) => values);
    const expected = Float32Array.from(first ?? [], (value, index) => {
      const mean = (inEnglish * value + inFrench * at(second ?? [], index)) / cost;
      return ((onDiagonal.has(index) ? mean + reads / cost : mean) + at(whole.gram ?? [], index)) / 2;
    });
    assert.ok(worst(record.gram ?? [], expected) < 1e-6);
    assert.equal(record.order, whole.order, "a tensor has one order of columns");
    assert.ok(record.summary.factorised);
  }
  const pooledHead = [{ ...at(heads, 0), language: "*" }, diagonalOf("en"), diagonalOf("fr")];
  for (const [one, given] of [
    [{ ...options, rowClasses: 1 }, heads],
    [{ ...options, upper: "off" }, heads],
    [{ ...options, mix: "en=1" }, heads],
    [{ rowClasses: 16 }, pooledHead],
  ] as const) {
    const sites = (await factors([...tokens, ...given], one)).map(({ site: name }) => name);
    assert.equal(sites.slice(3), [headSite], JSON.stringify(one));
  }
});

test.run();
