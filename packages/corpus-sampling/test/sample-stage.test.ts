import { collect, contentAddress, parseMetadata, readSegments, type Segment, type SegmentsMetadata } from "@mbs/artifacts";
import { at, BadDataError, FailedPreconditionError, InputOutputError, UsageError } from "@mbs/contracts";
import { sample } from "@mbs/corpus-sampling";
import { openModel } from "@mbs/models";
import { writeTinyModel } from "@mbs/models/testing";
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";

const test = suite("sample");
let folder = "";
let model = "";
let corpus = "";
const warnings: string[] = [];

const texts = (language: string, count: number): string =>
  Array.from({ length: count }, (_, index) => `${language} text ${index}, of a few words`).join("\n\n");

async function run(options: Record<string, unknown>, threads = 1) {
  const context = {
    signal: new AbortController().signal,
    progress: () => {},
    warn: (message: string) => warnings.push(message),
    threads,
  };
  const { segments } = await sample.run({}, { model, corpus, length: 16, mix: "proportional", ...options }, context);
  assert.ok(segments);
  return segments;
}

async function drawn(options: Record<string, unknown>): Promise<{ segments: Segment[]; metadata: SegmentsMetadata }> {
  const stream = await run(options);
  return { segments: await collect(readSegments(stream)), metadata: parseMetadata("segments", stream.schema) };
}

async function addressOf(options: Record<string, unknown>, threads: number): Promise<string> {
  return (await contentAddress(await run({ segments: 20, ...options }, threads))).address;
}

async function failure(options: Record<string, unknown>): Promise<Error> {
  try {
    await drawn(options);
  } catch (error) {
    return error as Error;
  }
  throw new Error("expected a failure");
}

test.before(async () => {
  folder = await mkdtemp(join(tmpdir(), "mbs-sample-"));
  model = join(folder, "model");
  corpus = join(folder, "corpus");
  await writeTinyModel(model, { blocks: 1 });
  await writeFile(
    join(model, "distribution.json"),
    JSON.stringify({ unit: "tokens", source: "test", shares: { en: 70, fr: 25, mr: 5, xx: 10 } }),
  );
  await mkdir(corpus);
  await writeFile(join(corpus, "en.txt"), texts("en", 200));
  await writeFile(join(corpus, "fr.txt"), texts("fr", 100));
  await writeFile(join(corpus, "mr.txt"), texts("मराठी", 3));
});

test.after(async () => rm(folder, { recursive: true, force: true }));

test.before.each(() => {
  warnings.length = 0;
});

test("every language gets the same amount of text where no mix is said", () => {
  assert.is(sample.options["mix"]?.kind === "text" && sample.options["mix"].default, "equal");
});

test("a distribution that the mix does not weigh by is said in a line", async () => {
  const distribution = join(model, "distribution.json");
  await drawn({ segments: 6, mix: "equal", distribution });
  assert.equal(warnings, ["--mix equal does not weigh languages by the distribution; --mix proportional does"]);
});

test("proportional by the model's own distribution, with everything recorded", async () => {
  const { segments, metadata } = await drawn({ segments: 20 });
  assert.equal(metadata.counts, { en: 14, fr: 5, mr: 1 });
  assert.equal(metadata.shortfall, {});
  assert.equal([metadata.length, metadata.seed, metadata.mix], [16, 0, "proportional"]);
  for (const address of [metadata.tokenizer, metadata.corpus, metadata.distribution]) assert.match(address, /^[0-9a-f]{64}$/);
  const opened = await openModel(model);
  assert.is(metadata.tokenizer, opened.tokenizerAddress);
  const tokenizer = await opened.tokenizer();
  await opened.close();
  assert.equal(
    segments.map(({ segment, language }) => [segment, language]),
    Array.from({ length: 20 }, (_, index) => [index, index < 14 ? "en" : index < 19 ? "fr" : "mr"]),
  );
  for (const { language, tokens } of segments) {
    assert.is(tokens.length, 16);
    if (language !== "mr") assert.ok(tokenizer.decode(tokens).startsWith(`${language} text `));
  }
  assert.ok(warnings.some((message) => message.includes("no text for xx")));
});

test("a mix that the floor makes nearly equal says so, and how many segments keep it", async () => {
  assert.equal((await drawn({ segments: 3 })).metadata.counts, { en: 1, fr: 1, mr: 1 });
  const lines = warnings.filter((line) => line.startsWith("mix "));
  assert.equal(lines, [
    "mix proportional with 3 segments: 2 languages get 67% of them, where the mix asks for 30%, since each gets at least 1; with 10 segments this moves less than 5%, with --floor 0 nothing",
  ]);
  warnings.length = 0;
  await drawn({ segments: 10 });
  await drawn({ segments: 3, mix: "equal" });
  await drawn({ segments: 3, floor: 0 });
  assert.not(warnings.some((line) => line.startsWith("mix ")));
});

test("languages with little text are named, the least of it first", async () => {
  await drawn({ mix: "en=2,fr=2,mr=1", segments: 5 });
  assert.equal(warnings, [
    "little text: mr 16 tokens; with fewer than 32 a language loses clearly more; raise --segments or --length, or take fewer languages",
  ]);
  warnings.length = 0;
  await drawn({ mix: "en=2,fr=2,mr=2", segments: 6, length: 15 });
  assert.match(warnings.join(), /^little text: mr 30 tokens, fr 30 tokens, en 30 tokens; with fewer than 32 /);
});

test("some languages alone are drawn in their shares; others of the distribution go unsaid", async () => {
  assert.equal((await drawn({ segments: 19, languages: "fr,en" })).metadata.counts, { en: 14, fr: 5 });
  assert.equal(warnings, []);
  assert.equal((await drawn({ segments: 4, languages: ["fr", "en"], mix: "equal" })).metadata.counts, { en: 2, fr: 2 });
  const outside = await failure({ languages: "en", mix: "fr=2" });
  assert.match(outside.message, /^--mix fr: --languages takes no texts of fr, but of en; name some of these$/);
  const slip = await failure({ languages: "en,fra" });
  assert.match(slip.message, /no texts of fra, but of en, fr, mr; did you mean fr \(French\)\? name some of these$/);
  const unknown = await failure({ languages: "en,zz" });
  assert.instance(unknown, UsageError);
  assert.match(
    unknown.message,
    /^--languages en,zz: corpus corpus has no texts of zz \(no known language\), but of en, fr, mr; name some of these$/,
  );
});

test("of a trimmed model the languages that it keeps are drawn, unless the options name some, and one line says so", async () => {
  const trimmed = join(folder, "trimmed");
  await writeTinyModel(trimmed, { blocks: 1 });
  const config = JSON.parse(await readFile(join(trimmed, "config.json"), "utf8")) as object;
  const address = "0".repeat(64);
  const record = { source: address, tokenizer: address, rows: 600, corpus: address, unnamed: [] };
  const keepOnly = async (...keep: string[]) =>
    writeFile(join(trimmed, "config.json"), JSON.stringify({ ...config, mbs_trimming: { ...record, keep } }));
  const countsOf = async (options: Record<string, unknown>) => {
    warnings.length = 0;
    const { metadata } = await drawn({ model: trimmed, segments: 4, mix: "equal", ...options });
    return [metadata.counts, warnings.filter((line) => line.includes("trimmed for")).length];
  };
  await keepOnly("mr", "en", "xx");
  assert.equal(await countsOf({}), [{ en: 2, mr: 2 }, 1]);
  assert.equal(warnings, ["takes en, mr of corpus corpus, which the model was trimmed for; name others by --languages"]);
  assert.equal(await countsOf({ languages: "fr,en" }), [{ en: 2, fr: 2 }, 0]);
  assert.equal(await countsOf({ mix: "en=3,fr=1" }), [{ en: 3, fr: 1 }, 0]);
  await keepOnly("en", "fr", "mr");
  assert.equal(await countsOf({}), [{ en: 2, fr: 1, mr: 1 }, 0]);
  await keepOnly("xx");
  const none = await failure({ model: trimmed });
  assert.instance(none, UsageError);
  assert.match(
    none.message,
    /^corpus corpus has none of xx, which the model was trimmed for, but en, fr, mr; give other texts, or/,
  );
});

test("the same options give the same address, whatever the threads; another seed another one", async () => {
  const address = await addressOf({}, 1);
  assert.is(await addressOf({}, 2), address);
  assert.is.not(await addressOf({ seed: 1 }, 1), address);
});

test("equal, only, temperature, weights, and a preset", async () => {
  assert.equal((await drawn({ mix: "equal", segments: 6, reuse: true })).metadata.counts, { en: 2, fr: 2, mr: 2 });
  assert.equal((await drawn({ mix: "only:fr", segments: 3 })).metadata.counts, { fr: 3 });
  assert.equal((await drawn({ mix: "temperature:1", segments: 20 })).metadata.counts, { en: 14, fr: 5, mr: 1 });
  const weights = await drawn({ mix: "en=0.101,fr=0.0499,mr=0", segments: 9 });
  assert.equal(weights.metadata.counts, { en: 6, fr: 3 });
  assert.is(weights.metadata.mix, "en=0.101,fr=0.0499,mr=0");
  assert.is(weights.metadata.distribution, "", "no distribution was asked");
  assert.equal((await drawn({ mix: "fr=2,en=1" })).metadata.counts, { fr: 2, en: 1 });
  assert.equal((await drawn({ mix: "fr=2,en=1", segments: 6 })).metadata.counts, { fr: 4, en: 2 });
  const preset = await drawn({ distribution: "mbs-paper", segments: 125 });
  assert.equal(preset.metadata.counts, { en: 87, fr: 37, mr: 1 });
});

test("too little text names the language and the deficit; allowShort records it", async () => {
  const error = await failure({ mix: "mr=9" });
  assert.instance(error, BadDataError);
  assert.match(error.message, /^mr has \d+ tokens where 9 segments of 16 need 144; add text, .*--allow-short/);
  const { segments, metadata } = await drawn({ mix: "mr=9,en=1", allowShort: true });
  const made = segments.filter(({ language }) => language === "mr").length;
  assert.equal(metadata.counts, { mr: made, en: 1 });
  assert.equal(metadata.ofMix, { mr: 9 * 16, en: 16 }, "it counts as much as it was to");
  assert.ok(made > 0 && made < 9);
  assert.is((error as BadDataError).facts["missing"], metadata.shortfall["mr"]);
  assert.equal(Object.keys(metadata.shortfall), ["mr"]);
  assert.equal((await drawn({ mix: "mr=9", reuse: true })).metadata.counts, { mr: 9 });
});

test("where there would be tokens enough, the rest of documents is named, not the tokens", async () => {
  const { message } = await failure({ mix: "en=230", length: 20 });
  assert.match(
    message,
    /^en has text for 200 of 230 segments of 20 tokens, each of which begins with a document of its own; add/,
  );
});

test("segments beyond the model's context cause one warning", async () => {
  await drawn({ mix: "only:en", segments: 1, length: 128 });
  assert.equal(warnings, []);
  await drawn({ mix: "only:en", segments: 1, length: 129 });
  assert.equal(warnings.length, 1);
  assert.match(at(warnings, 0), /^segments of 129 tokens are longer than the 128 that the model was made for; lower --length/);
});

test("a length beyond a table of positions is refused before a text is read", async () => {
  const gpt2 = fileURLToPath(new URL("../../models/test/fixtures/forward/gpt2-f32", import.meta.url));
  const error = await failure({ model: gpt2, corpus: join(folder, "corpus"), mix: "equal", length: 321 });
  assert.instance(error, UsageError);
  assert.match(error.message, /^--length 321 is beyond the 320 positions that .*gpt2-f32 has; take 320 or less$/);
});

test("what would be refused is refused by names alone, before a run", async () => {
  const planned = { solver: "rtn", codes: "none" } as const;
  const check = (options: Record<string, unknown>) =>
    sample.checkPlan?.({ model, corpus, ...options }, planned).then(
      () => undefined,
      (error: unknown) => error,
    );
  for (const [options, message, option] of [
    [{ mix: "only:zh" }, /^--mix zh: corpus corpus has no texts of zh, but of en, fr, mr; name some of these$/, "--mix"],
    [{ mix: "en=1,zh=2" }, /corpus has no texts of zh/, "--mix"],
    [{ mix: "en=2,zh=2" }, /corpus has no texts of zh/, "--mix"],
    [
      { model: join(folder, "other"), mix: "proportional" },
      /^--mix proportional weighs languages by .* has no distribution\.json; .*--mix equal/,
      "--mix",
    ],
    [{ mix: "equal", segments: 2 }, /3 languages with at least 1 segments each need more than 2/, "--segments"],
  ] as const) {
    const error = await check(options);
    assert.instance(error, UsageError, JSON.stringify(options));
    assert.match((error as UsageError).message, message);
    assert.is((error as UsageError).facts["option"], option);
  }
  assert.instance(await check({ mix: "proportional", distribution: join(folder, "nowhere.json") }), InputOutputError);
  for (const mix of ["proportional", "equal", "temperature:0.5", "only:mr", "en=5"]) assert.is(await check({ mix }), undefined);
  assert.equal(warnings, []);
});

/** A question and an answer between the tiny tokenizer's special tokens. */
const template = "{% for m in messages %}{{ bos_token }}{{ m.role }}:{{ m.content }}</s>{% endfor %}";

const conversations = (count: number): string =>
  Array.from({ length: count }, (_, index) => {
    const messages = [
      { role: "user", content: `question ${index}` },
      { role: "assistant", content: `answer ${index}` },
    ];
    return `${JSON.stringify({ messages })}\n`;
  }).join("");

test("conversations are drawn as the model's template writes them, and mixed with texts by share", async () => {
  const chat = join(folder, "chat");
  await cp(model, chat, { recursive: true });
  await writeFile(join(chat, "chat_template.jinja"), template);
  const mixed = join(folder, "mixed");
  await mkdir(mixed);
  await writeFile(join(mixed, "en.txt"), texts("en", 200));
  await writeFile(join(mixed, "en-x-chat.jsonl"), conversations(200));
  const options = { corpus: mixed, mix: "en=0.75,en-x-chat=0.25", segments: 8, length: 120 };
  const { segments, metadata } = await drawn({ ...options, model: chat });
  assert.equal(metadata.counts, { en: 6, "en-x-chat": 2 });
  const [begin, end] = [1, 2];
  for (const { language, tokens } of segments) {
    const ofConversations = language === "en-x-chat";
    assert.is(tokens.includes(begin), ofConversations);
    if (!ofConversations) continue;
    assert.equal(tokens.slice(0, 6), Int32Array.from([begin, ...Buffer.from("user:").map((byte) => byte + 4)]));
    // no second beginning, and nothing between two conversations
    for (const [position, token] of tokens.entries()) {
      if (token === end && position + 1 < tokens.length) assert.is(tokens[position + 1], begin);
    }
  }
  const error = await failure(options);
  assert.instance(error, FailedPreconditionError);
  assert.match(error.message, /has no chat template/);
});

test("a wrong call is refused", async () => {
  assert.instance(await failure({ mix: "most" }), UsageError);
  assert.instance(await failure({ mix: "zh=2" }), UsageError);
  assert.instance(await failure({ segments: 2 }), UsageError);
  assert.instance(await failure({ temperature: 1 }), UsageError);
});

/** A mixture of experts whose vocabulary are characters, and texts of two languages that have few of them in common. */
const mixture = fileURLToPath(new URL("../../models/test/fixtures/forward/mixtral-f32", import.meta.url));

async function textsOfCharacters(): Promise<string> {
  const characters = join(folder, "characters");
  await mkdir(characters, { recursive: true });
  for (const [language, letters] of [
    ["en", "ABCDEFGH"],
    ["fr", "QRSTUVWX"],
  ] as const) {
    const text = (index: number): string =>
      Array.from(
        { length: 40 },
        (_, place) => letters[(Math.imul(41 * index + place + 1, 2654435761) >>> 20) % letters.length],
      ).join("");
    await writeFile(join(characters, `${language}.txt`), Array.from({ length: 60 }, (_, index) => text(index)).join("\n\n"));
  }
  return characters;
}

test("text is added until each expert has seen enough, and neither the mix nor what it drew changes", async () => {
  const options = { model: mixture, corpus: await textsOfCharacters(), mix: "en=3,fr=1", length: 32 };
  const plain = await drawn(options);
  assert.is(plain.metadata.ofMix, undefined);
  assert.is(plain.metadata.coverage, undefined);
  warnings.length = 0;
  const covered = await drawn({ ...options, coverExperts: 60, coverSegments: 40 });
  assert.equal(covered.segments.slice(0, 4), plain.segments);
  assert.equal(covered.metadata.ofMix, { en: 3 * 32, fr: 32 });
  const { added, ...coverage } = covered.metadata.coverage as { added: Record<string, number>; least: number; tokens: number };
  const more = Object.values(added).reduce((sum, count) => sum + count, 0);
  assert.ok(more > 0);
  assert.is(covered.segments.length, 4 + more);
  assert.equal(covered.metadata.counts, { en: 3 + (added["en"] ?? 0), fr: 1 + (added["fr"] ?? 0) });
  assert.equal(coverage, { wanted: 60, experts: 10, covered: 10, least: coverage.least, tokens: covered.segments.length * 32 });
  assert.ok(coverage.least >= 60);
  assert.is(new Set(covered.segments.map(({ tokens }) => tokens.join(" "))).size, covered.segments.length);
  assert.match(warnings.join(), /^10 of 10 experts see at least 60 tokens, the least \d+, with \d+ segments \(.*\) added/);
  assert.equal((await drawn({ ...options, coverExperts: 60, coverSegments: 40 })).segments, covered.segments);
});

test("covering ends where nothing more may be drawn, and where there is no text", async () => {
  const options = { model: mixture, corpus: await textsOfCharacters(), mix: "en=3,fr=1", length: 32, coverExperts: 1e6 };
  const few = await drawn({ ...options, coverSegments: 5 });
  assert.is(few.segments.length, 4 + 5);
  const all = await drawn({ ...options, coverSegments: 1e6 });
  // 60 documents of 40 tokens a language, each of which makes a segment of 32
  assert.is(all.segments.length, 120);
  assert.is((all.metadata.coverage as { covered: number }).covered, 0);
  assert.match((await failure({ coverExperts: 5 })).message, /^--cover-experts: \S+ is no mixture of experts; leave it out$/);
  assert.match((await failure({ coverSegments: 5 })).message, /--cover-segments goes with --cover-experts/);
});

const forwardFixture = (name: string): string =>
  fileURLToPath(new URL(`../../models/test/fixtures/forward/${name}`, import.meta.url));

/** Pairs of characters that the tiny tokenizers know: sources of 3 to 7 of them, targets of 2 to 4. */
async function writePairs(name: string, counts: Readonly<Record<string, number>>): Promise<string> {
  const pairs = join(folder, name);
  await mkdir(pairs);
  for (const [language, count] of Object.entries(counts)) {
    const lines = Array.from({ length: count }, (_, index) => {
      const letter = String.fromCharCode(48 + (index % 40));
      return JSON.stringify({ source: "(+-".concat(letter.repeat(index % 5)), goal: ")".concat(letter.repeat(1 + (index % 3))) });
    });
    await writeFile(join(pairs, `${language}.jsonl`), lines.join("\n"));
  }
  return pairs;
}

test("a source and its target are a segment, with all tokens that the model reads", async () => {
  const nllb = forwardFixture("m2m-100-nllb-sharded-bf16");
  const pairs = await writePairs("pairs", { en: 30, te: 30 });
  const options = { model: nllb, corpus: pairs, sourceTarget: true, targetField: "goal", mix: "equal", segments: 20 };
  const { segments, metadata } = await drawn({ ...options, targetLanguage: "mr" });
  assert.equal(metadata.counts, { en: 10, te: 10 });
  const opened = await openModel(nllb);
  const tokenizer = await opened.tokenizer();
  await opened.close();
  for (const { language, tokens, target = new Int32Array(), documents } of segments) {
    // 60: English, 61: Marathi, 62: Telugu, 2: the end, with which a decoder starts too
    assert.equal([tokens[0], tokens.at(-1), documents], [language === "en" ? 60 : 62, 2, 1]);
    assert.equal([...target.subarray(0, 2), target.at(-1)], [2, 61, 2]);
    const [source, goal] = [tokenizer.decode(tokens.subarray(1, -1)), tokenizer.decode(target.subarray(2, -1))];
    assert.match(source, /^\(\+-(.?)\1*$/);
    assert.match(goal, /^\)(.)\1*$/);
    if (source.length > 3) assert.is(source.at(-1), goal.at(-1));
  }
  const lengths = segments
    .filter(({ language }) => language === "en")
    .map(({ target, tokens }) => [target?.length, tokens.length]);
  assert.equal(
    lengths,
    lengths.toSorted(([a = 0, c = 0], [b = 0, d = 0]) => a - b || c - d),
    "equally long ones are neighbours",
  );
  assert.not.equal((await drawn({ ...options, targetLanguage: "mr", seed: 1 })).segments, segments);
  assert.equal((await drawn({ ...options, targetLanguage: "mr" })).segments, segments);
});

test("a language that lacks a pair counts by the lengths of its pairs, as one that lacks none", async () => {
  const nllb = forwardFixture("m2m-100-nllb-sharded-bf16");
  const pairs = await writePairs("twelve-pairs", { en: 30, te: 12 });
  const options = { model: nllb, corpus: pairs, sourceTarget: true, targetField: "goal", targetLanguage: "mr" };
  const tokens = { en: 0, te: 0 };
  const { segments, metadata } = await drawn({ ...options, mix: "en=9,te=16", allowShort: true });
  for (const { language, tokens: own } of segments) tokens[language as "en" | "te"] += own.length;
  assert.equal(metadata.counts, { en: 9, te: 12 });
  assert.equal(metadata.ofMix, { en: tokens.en, te: Math.round((tokens.te * 16) / 12) });
});

test("each language of a corpus may have targets in a language of its own", async () => {
  // two directions from English, which "x-" keeps apart
  const pairs = await writePairs("directions", { "en-x-mr": 8, "en-x-te": 8, te: 8 });
  const options = { corpus: pairs, model: forwardFixture("m2m-100-f32"), sourceTarget: true, targetField: "goal", mix: "equal" };
  const { segments } = await drawn({ ...options, segments: 12, targetLanguage: "en-x-mr=mr,en-x-te=te,te=en" });
  const tokens = new Map(segments.map(({ language, tokens, target }) => [language, [tokens[0], target?.[1]]]));
  assert.equal(
    tokens,
    new Map([
      ["en-x-mr", [60, 61]],
      ["en-x-te", [60, 62]],
      ["te", [62, 60]],
    ]),
  );
  for (const [targetLanguage, message] of [
    ["te=en", /names no language for the targets of en-x-mr; add en-x-mr=LANG/],
    ["te=en,te=mr", /"te=mr" must be LANG=LANG, each language of the corpus once/],
    ["te", undefined],
    ["te=", /"te=" must be LANG=LANG/],
  ] as const) {
    if (message === undefined) await drawn({ ...options, segments: 3, targetLanguage });
    else assert.match((await failure({ ...options, targetLanguage })).message, message);
  }
});

test("pairs that do not fit are left out and counted, and too few of them are refused", async () => {
  const mt5 = forwardFixture("mt5-f32");
  const pairs = await writePairs("few-pairs", { en: 10 });
  const options = { model: mt5, corpus: pairs, sourceTarget: true, targetField: "goal", mix: "equal" };
  warnings.length = 0;
  // sources have 3 to 7 tokens and an end: 2 in 5 have at most 4 and an end
  const { segments } = await drawn({ ...options, length: 5, segments: 4 });
  assert.ok(segments.every(({ tokens }) => tokens.length <= 5));
  assert.match(warnings.join("\n"), /en: \d pairs have a side of more than 5 tokens and are left out; raise --length/);
  const short = await failure({ ...options, segments: 11 });
  assert.instance(short, BadDataError);
  assert.match(short.message, /en has text for 10 of 11 segments/);
  const reused = await drawn({ ...options, segments: 25, reuse: true });
  assert.is(reused.segments.length, 25);
  const allTooLong = await failure({ ...options, length: 2, segments: 3, reuse: true });
  assert.match(allTooLong.message, /en has text for 0 of 3 segments/);
});

test("targets are refused where they cannot be read", async () => {
  const pairs = await writePairs("refused-pairs", { en: 5 });
  for (const [options, kind, message] of [
    [{ corpus: pairs, sourceTarget: true }, FailedPreconditionError, /is a decoder, which reads texts and no targets; leave out/],
    [{ targetField: "goal" }, UsageError, /--target-field goes with --source-target/],
    [
      { model: forwardFixture("m2m-100-f32"), corpus: pairs, sourceTarget: true, targetField: "goal", mix: "equal" },
      UsageError,
      /name it with --target-language/,
    ],
    [
      { model: forwardFixture("mt5-f32"), corpus: pairs, sourceTarget: true, mix: "equal" },
      BadDataError,
      /no field "target"; its first line has: source, goal; give one this name, or say which by --target-field/,
    ],
  ] as const) {
    const error = await failure(options);
    assert.instance(error, kind, String(error));
    assert.match(error.message, message);
  }
});

test.run();
