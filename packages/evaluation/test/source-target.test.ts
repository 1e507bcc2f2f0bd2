import { collect, readScores, type Score } from "@mbs/artifacts";
import { BadDataError, FailedPreconditionError, UsageError, at } from "@mbs/contracts";
import { testContext } from "@mbs/contracts/testing";
import { evaluate } from "@mbs/evaluation";
import { openModel, runBlocks } from "@mbs/models";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";

const test = suite("evaluate an encoder-decoder");
/** Of a sum of losses; batches may be added in another order: √(20 · 128) · 2⁻²⁴ = 3e-6 as a rule for 20 products in float32. */
const rounding = 1e-4;

const fixture = (name: string): string => fileURLToPath(new URL(`../../models/test/fixtures/forward/${name}`, import.meta.url));
const model = fixture("mt5-f32");
let folder = "";
let texts = "";
let pairs = "";

function run(options: Record<string, unknown>) {
  const context = testContext();
  return evaluate.run({}, { model: [model], corpus: texts, length: 40, ...options }, context);
}

async function scored(options: Record<string, unknown> = {}): Promise<Score[]> {
  const { scores } = await run(options);
  assert.ok(scores);
  return collect(readScores(scores));
}

async function failure(options: Record<string, unknown>): Promise<Error> {
  try {
    await scored(options);
  } catch (error) {
    return error as Error;
  }
  throw new Error("expected a failure");
}

/** Characters that the tiny tokenizers know. */
const textOf = (length: number, seed: number): string =>
  String.fromCharCode(...Array.from({ length }, (_, at) => 40 + ((at * at * 3 + at * seed) % 40)));

const examples = [
  { source: textOf(12, 1), target: textOf(7, 2) },
  { source: textOf(12, 3), target: textOf(7, 4) },
  { source: textOf(5, 5), target: textOf(9, 6) },
];

test.before(async () => {
  folder = await mkdtemp(join(tmpdir(), "mbs-source-target-"));
  [texts, pairs] = [join(folder, "texts"), join(folder, "pairs")];
  await mkdir(texts);
  await mkdir(pairs);
  for (const [at, language] of ["en", "mr"].entries()) {
    await writeFile(join(texts, `${language}.txt`), textOf(300, at + 1));
    await writeFile(join(pairs, `${language}.jsonl`), examples.map((line) => JSON.stringify(line)).join("\n"));
  }
});

test.after(async () => rm(folder, { recursive: true, force: true }));

test("a target's loss is that of its tokens and its end, given the source", async () => {
  const scores = await scored({ corpus: pairs, sourceTarget: true });
  assert.equal(
    scores.map(({ language, window, tokens, bytes }) => [language, window, tokens, bytes]),
    ["en", "mr"].flatMap((language) => [
      [language, 0, 8, 7],
      [language, 1, 8, 7],
      [language, 2, 10, 9],
    ]),
  );
  const opened = await openModel(model);
  const tokenizer = await opened.tokenizer();
  const forward = await opened.forward({ threads: 1 });
  for (const { window, nll } of scores) {
    const example = at(examples, window);
    const [source, target] = [tokenizer.encode(example.source), tokenizer.encode(example.target)];
    const hidden = Int32Array.from([0, ...target, 1]);
    const states = await runBlocks(
      opened,
      forward,
      new Map([
        ["encoder", Int32Array.from([...source, 1])],
        ["hidden", hidden],
      ]),
    );
    const expected = (await forward.score(states, hidden)).reduce((sum, loss) => sum + loss, 0);
    assert.ok(Math.abs(nll - expected) < rounding * expected, `${nll} ${expected}`);
  }
  await forward.close();
  await opened.close();
});

interface Golden {
  targetLanguage: string;
  pairs: { language: string; source: string; target: string; tokens: number; loss: number }[];
}

for (const name of ["nllb", "mbart-50", "mbart-25"]) {
  test(`${name}: losses of pairs are those of transformers, with the tokens of the languages`, async () => {
    const model = fileURLToPath(new URL(`../../models/test/fixtures/${name}`, import.meta.url));
    const golden = JSON.parse(await readFile(join(model, "golden.json"), "utf8")) as Golden;
    const corpus = join(folder, `translations-${name}`);
    await mkdir(corpus);
    for (const language of ["en", "de"]) {
      const own = golden.pairs.filter((pair) => pair.language === language);
      await writeFile(join(corpus, `${language}.jsonl`), own.map((pair) => JSON.stringify(pair)).join("\n"));
    }
    const options = { model: [model], corpus, sourceTarget: true };
    const scores = await scored({ ...options, targetLanguage: golden.targetLanguage });
    const ordered = ["de", "en"].flatMap((language) => golden.pairs.filter((pair) => pair.language === language));
    assert.equal(
      scores.map(({ language, tokens }) => [language, tokens]),
      ordered.map(({ language, tokens }) => [language, tokens]),
    );
    for (const [index, { nll, tokens }] of scores.entries()) {
      const expected = at(ordered, index).loss;
      assert.ok(Math.abs(nll / tokens - expected) < rounding * expected, `${nll / tokens} ${expected}`);
    }
    const perplexities = await scored({ ...options, targetLanguage: "fr" });
    assert.not.equal(
      perplexities.map(({ nll }) => nll),
      scores.map(({ nll }) => nll),
    );
    const without = await failure(options);
    assert.instance(without, UsageError);
    assert.match(without.message, /the language of a target; name it with --target-language/);
    const planned = await evaluate.checkPlan?.(options, { solver: "rtn", codes: "none" }).then(
      () => "nothing",
      (error: unknown) => String(error),
    );
    assert.match(planned ?? "", /name it with --target-language/, "before anything is compressed");
    const asTexts = await failure({ model: [model], corpus, field: "source", length: 3 });
    assert.instance(asTexts, FailedPreconditionError);
    assert.match(asTexts.message, /cannot predict spans cut out of a text; give sources with targets, and --source-target/);
  });
}

test("texts are scored by the spans cut out of their windows, the same ones each time", async () => {
  const scores = await scored();
  // 40 tokens: 6 in 2 spans, 2 sentinels and the end; sentinels and the end have no bytes
  assert.ok(scores.length === 14 && scores.every(({ tokens, bytes }) => tokens === 9 && bytes === 6));
  assert.equal(await scored(), scores);
  const windows = await scored({ windows: 2 });
  assert.equal(
    windows.map(({ nll }) => nll),
    [0, 1, 7, 8].map((row) => at(scores, row).nll),
  );
});

test("what cannot be scored is refused with the remedy", async () => {
  const decoder = fixture("plain-f32");
  for (const [options, kind, message] of [
    [
      { corpus: pairs, sourceTarget: true, length: 9 },
      BadDataError,
      /en: .* text 1 has 13 tokens, above --length 9; raise --length/,
    ],
    [{ length: 200 }, BadDataError, /10 spans to cut out and the tokenizer 8 sentinel tokens; lower --length/],
    [{ corpus: texts, sourceTarget: true }, BadDataError, /en\.txt is plain text and has no targets/],
    [{ corpus: pairs, sourceTarget: true, targetField: "goal" }, BadDataError, /no field "goal"/],
    [{ targetField: "goal" }, UsageError, /--target-field goes with --source-target/],
    [{ targetLanguage: "de" }, UsageError, /--target-language goes with --source-target/],
    [{ corpus: pairs, sourceTarget: true, targetLanguage: "de" }, UsageError, /reads no language of a target; leave out/],
    [{ corpus: pairs, sourceTarget: true, bySource: true }, UsageError, /--by-source/],
    [{ model: [decoder], corpus: pairs, sourceTarget: true }, FailedPreconditionError, /plain-f32 is a decoder/],
    [{ model: [decoder, model] }, FailedPreconditionError, /plain-f32 predicts whole texts and mt5-f32, an encoder-decoder/],
  ] as const) {
    const error = await failure(options);
    assert.instance(error, kind, String(error));
    assert.match(error.message, message);
  }
});

test("windows of a decoder with learned positions score as each does alone", async () => {
  const gpt2 = fixture("gpt2-f32");
  const [all, first] = [await scored({ model: [gpt2] }), await scored({ model: [gpt2], windows: 1 })];
  assert.is(all.length, 14);
  const same = all.find(({ language }) => language === "mr");
  assert.ok(Math.abs((same?.nll ?? 0) - at(first, 1).nll) < rounding * at(first, 1).nll);
  // the last window, run by hand
  const opened = await openModel(gpt2);
  const forward = await opened.forward({ threads: 1 });
  const tokens = (await opened.tokenizer()).encode(textOf(300, 1)).slice(240, 280);
  const losses = await forward.score(await runBlocks(opened, forward, new Map([["hidden", tokens]])), tokens);
  const expected = losses.reduce((sum, loss) => sum + loss, 0);
  assert.ok(Math.abs(at(all, 6).nll - expected) < rounding * expected, `${at(all, 6).nll} ${expected}`);
  await forward.close();
  await opened.close();
});

test.run();
