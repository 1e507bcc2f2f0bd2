import { BadDataError, InterruptedError, UsageError, at } from "@mbs/contracts";
import { parseDistribution } from "@mbs/corpora";
import { readMergeList } from "@mbs/models";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { distributionFile } from "../src/distribution-file.ts";
import { estimateDistribution } from "../src/estimate-distribution.ts";
import type { DistributionEstimate } from "../src/estimate-distribution.ts";
import { readMixtures, syntheticCorpus } from "./synthetic-languages.ts";

/** How far a share may be off; set before the first run. */
const tolerance = 0.01;

const quiet = { signal: new AbortController().signal, progress: () => undefined };
const options = { merges: 500, bytes: 200_000, resamples: 0, seed: 0 };
const mixtures = await readMixtures();

const sharesOf = ({ languages }: DistributionEstimate) => new Map(languages.map(({ language, share }) => [language, share]));

for (const { kind, shares, tokenizer } of mixtures.cases) {
  const name = Object.values(shares).join(" : ");
  test(`${kind} merges tell the mixture ${name} from other texts of its languages`, async () => {
    const estimate = await estimateDistribution(readMergeList(tokenizer, "x"), syntheticCorpus(mixtures), options, quiet);
    const found = sharesOf(estimate);
    for (const [language, share] of Object.entries(shares)) {
      const own = found.get(language) ?? NaN;
      assert.ok(Math.abs(own - share) < tolerance, `${language}: ${own}, not ${share}`);
    }
    const sum = [...found.values()].reduce((total, share) => total + share, 0);
    assert.ok(Math.abs(sum - 1) < 1e-9);
  });
}

test("a list with every way to make each piece, as converted from SentencePiece, is the list that was learnt", () => {
  const { tokenizer } = at(mixtures.cases, 3);
  const model = tokenizer["model"] as { vocab: Record<string, number>; merges: [string, string][] };
  const converted = model.merges.flatMap((merge) => {
    const characters = Array.from(merge.join(""));
    return characters
      .slice(1)
      .map((_, index) => [characters.slice(0, index + 1).join(""), characters.slice(index + 1).join("")])
      .filter((parts) => parts.every((part) => Object.hasOwn(model.vocab, part)));
  });
  assert.is(converted.length, 664);
  const list = readMergeList({ ...tokenizer, model: { ...model, merges: converted } }, "x");
  assert.equal(list.merges, readMergeList(tokenizer, "x").merges);
});

test("the same estimate from documents in another order of languages", async () => {
  const list = readMergeList(at(mixtures.cases, 0).tokenizer, "x");
  const languages = Object.keys(mixtures.words);
  const estimate = async (order: readonly string[]) =>
    sharesOf(await estimateDistribution(list, { ...syntheticCorpus(mixtures), languages: order }, options, quiet));
  const [first, second] = [await estimate(languages), await estimate(languages.toReversed())];
  for (const [language, share] of first) assert.ok(Math.abs(share - (second.get(language) ?? NaN)) < 1e-6, language);
});

test("intervals hold the estimate, are repeatable, and narrow with more text", async () => {
  const list = readMergeList(at(mixtures.cases, 0).tokenizer, "x");
  const width = async (documents: number, seed: number) => {
    const corpus = syntheticCorpus(mixtures, { documents, bytes: 3000 });
    const { languages } = await estimateDistribution(list, corpus, { ...options, resamples: 12, seed }, quiet);
    for (const { interval, share } of languages) {
      assert.ok(interval && interval[0] <= interval[1] && interval[0] < share + 0.05 && interval[1] > share - 0.05);
    }
    return languages.reduce((sum, { interval }) => sum + (interval ? interval[1] - interval[0] : NaN), 0);
  };
  const [few, again, many] = [await width(6, 1), await width(6, 1), await width(60, 1)];
  assert.is(few, again);
  assert.ok(many < few, `${many} against ${few}`);
});

test("a mixture with a language that is in no text is still told for the others", async () => {
  const { tokenizer, shares } = at(mixtures.cases, 0);
  const corpus = syntheticCorpus(mixtures, { languages: ["sharp", "flat", "other"] });
  const found = sharesOf(await estimateDistribution(readMergeList(tokenizer, "x"), corpus, options, quiet));
  const { rare = NaN, other = NaN } = shares;
  // "other" stands in for "rare", which has its letters.
  assert.ok((found.get("sharp") ?? NaN) > (found.get("flat") ?? NaN));
  assert.ok((found.get("other") ?? NaN) > other / (1 - rare));
});

test("the file is a distribution that readers take, without the languages of no share", async () => {
  const { tokenizer } = at(mixtures.cases, 2);
  const estimate = await estimateDistribution(
    readMergeList(tokenizer, "x"),
    syntheticCorpus(mixtures),
    { ...options, resamples: 2 },
    quiet,
  );
  const file = JSON.parse(JSON.stringify(distributionFile(estimate, "mine", "made up"))) as Record<string, unknown>;
  const { name, unit, shares } = parseDistribution(file, "file");
  assert.equal([name, unit], ["mine", "bytes"]);
  for (const { language, share } of estimate.languages) {
    if (share > 0) assert.ok(Math.abs((shares.get(language) ?? NaN) - share) < 1e-5, language);
    else assert.is(shares.has(language), false, language);
  }
  assert.equal(Object.keys((file["estimate"] as { intervals: object }).intervals), Object.keys(mixtures.words));
});

async function refused(make: () => Promise<unknown>, kind: new (message: string) => Error, message: RegExp): Promise<void> {
  try {
    await make();
  } catch (error) {
    assert.instance(error, kind);
    assert.match(String(error), message);
    return;
  }
  assert.unreachable();
}

test("one language, no text, no merge in the texts and a stop are reported", async () => {
  const list = readMergeList(at(mixtures.cases, 0).tokenizer, "x");
  const of = (corpus: ReturnType<typeof syntheticCorpus>, context = quiet) =>
    estimateDistribution(list, corpus, options, context);
  await refused(() => of(syntheticCorpus(mixtures, { languages: ["sharp"] })), UsageError, /one language/);
  await refused(() => of(syntheticCorpus(mixtures, { documents: 0 })), BadDataError, /no text in sharp/);
  const strange = { ...mixtures, words: { one: ["0"], two: ["1"] } };
  await refused(() => of(syntheticCorpus(strange)), BadDataError, /no merge/);
  await refused(() => of(syntheticCorpus(mixtures), { ...quiet, signal: AbortSignal.abort() }), InterruptedError, /stopped/);
});

test.run();
