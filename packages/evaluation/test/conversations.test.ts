import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { collect, parseMetadata, readScores, type Score } from "@mbs/artifacts";
import { at, BadDataError, FailedPreconditionError, UsageError, type Conversation } from "@mbs/contracts";
import { testContext } from "@mbs/contracts/testing";
import { evaluate, readScoresReport } from "@mbs/evaluation";
import { makeTokenizer, openChat, openModel } from "@mbs/models";
import { writeTinyModel } from "@mbs/models/testing";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { AnswerCutter } from "../src/conversation-windows.ts";

const test = suite("conversations");

/** What the thread of a template needs of a model. */
const filesOf = (folder: string) => ({
  path: folder,
  files: {
    list: () => Promise.resolve(["chat_template.jinja", "tokenizer_config.json"]),
    read: () => [],
    text: (name: string) => readFile(join(folder, name), "utf8"),
  },
});

const marked = fileURLToPath(new URL("../../models/test/fixtures/chat/marked", import.meta.url));
const template =
  "{{ bos_token }}{% for m in messages %}{{ m.role }}:{{ m.content }}</s>{% endfor %}{% if add_generation_prompt %}assistant:{% endif %}";
/** The question comes again, once it was answered. */
const turning = "{% for m in messages %}{{ m.content }}{{ messages | length }}{% endfor %}";

const message = (role: string, content: string) => ({ role, content });
const conversation = [
  message("user", "one?"),
  message("assistant", "two."),
  message("user", "three?"),
  message("assistant", "four."),
];
const refusedByNone = [message("system", "s"), message("user", "five?"), message("assistant", "six.")];

let folder = "";
const pathOf = (name: string): string => join(folder, name);
const warnings: string[] = [];

async function run(options: Record<string, unknown>) {
  const context = testContext({ warn: (line: string) => warnings.push(line) });
  const given = { model: [pathOf("model")], corpus: pathOf("chats"), length: 64, ...options };
  const { scores } = await evaluate.run({}, given, context);
  assert.ok(scores);
  return scores;
}

const scoresOf = async (options: Record<string, unknown> = {}): Promise<Score[]> => collect(readScores(await run(options)));

async function refused(running: () => Promise<unknown>, kind: new (...given: never[]) => Error, message: RegExp): Promise<void> {
  const error = await running().then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  assert.instance(error, kind);
  assert.match((error as Error).message, message);
}

const linesOf = (rows: readonly unknown[]): string => rows.map((row) => `${JSON.stringify(row)}\n`).join("");

test.before(async () => {
  folder = await mkdtemp(join(tmpdir(), "mbs-chats-"));
  await writeTinyModel(pathOf("model"));
  await writeTinyModel(pathOf("other"), { seed: 1 });
  for (const name of ["model", "other"]) await writeFile(join(pathOf(name), "chat_template.jinja"), template);
  await mkdir(pathOf("chats"));
  await writeFile(join(pathOf("chats"), "en.jsonl"), linesOf([{ messages: conversation }, { messages: refusedByNone }]));
  await mkdir(pathOf("mixed"));
  await writeFile(join(pathOf("mixed"), "en.jsonl"), linesOf([{ messages: conversation }, { text: "plain ".repeat(20) }]));
});

test.after(async () => rm(folder, { recursive: true, force: true }));
test.before.each(() => void (warnings.length = 0));

test("the tokens of answers are those that transformers marks, and the line end that the template puts behind them", async () => {
  const read = async (name: string): Promise<unknown> => JSON.parse(await readFile(join(marked, name), "utf8"));
  const json = (await read("tokenizer.json")) as Parameters<typeof makeTokenizer>[1];
  const tokenizer = makeTokenizer("tokenizer.json", json, {});
  const golden = (await read("golden.json")) as (Conversation & { name: string; ids?: number[]; answers?: number[] })[];
  const chat = await openChat(filesOf(marked));
  const cutter = new AnswerCutter("en", "M", chat, (text) => tokenizer.encode(text), 1000);
  let compared = 0;
  for (const { name, messages, tools, ids = [], answers } of golden) {
    if (answers === undefined) continue;
    const ours = ids.map(() => 0);
    const windows = await cutter.cut({ text: "", source: "", conversation: { messages, ...(tools && { tools }) } });
    for (const { tokens, first } of windows) {
      assert.equal([...tokens], ids.slice(0, tokens.length), name);
      for (let place = first; place < tokens.length - 1; place++) ours[place] = 1;
    }
    assert.equal(ours, answers, name);
    compared += windows.length;
  }
  assert.ok(compared > 10);
  assert.equal(cutter.notes(), []);
  await chat.close();
});

test("a conversation is a window, which no second token begins", async () => {
  const scores = await scoresOf();
  const texts = [conversation, refusedByNone].map((messages) => messages.map((m) => `${m.role}:${m.content}`).join(""));
  // a token a byte, and <s> and the ends of messages beside them; the first is not predicted
  const ends = [conversation.length, refusedByNone.length];
  assert.equal(
    scores.map(({ tokens }) => tokens),
    texts.map((text, index) => Math.min(64, 1 + text.length + at(ends, index)) - 1),
  );
});

test("with --assistant-only the loss is that of the answers, given what precedes them", async () => {
  const scores = await scoresOf({ assistantOnly: true });
  const model = await openModel(pathOf("model"));
  const tokenizer = await model.tokenizer();
  const forward = await model.forward({ threads: 1 });
  const expected: { tokens: number; nll: number }[] = [];
  for (const messages of [conversation.slice(0, 2), conversation, refusedByNone]) {
    const before = messages.slice(0, -1).map((m) => `${m.role}:${m.content}</s>`);
    const [asked, answer] = [`<s>${before.join("")}assistant:`, `${messages.at(-1)?.content}</s>`];
    const tokens = tokenizer.encode(asked + answer);
    let states = await forward.embed(tokens);
    for (const block of model.blocks.keys()) states = await forward.block(block, states);
    const losses = await forward.score(states, tokens);
    const own = losses.slice(tokenizer.encode(asked).length - 1);
    expected.push({ tokens: own.length, nll: own.reduce((sum, loss) => sum + loss, 0) });
  }
  await forward.close();
  await model.close();
  assert.equal(
    scores.map(({ tokens, window }) => [tokens, window]),
    expected.map(({ tokens }, window) => [tokens, window]),
  );
  for (const [index, { nll }] of scores.entries()) {
    // the head multiplies other numbers of rows at once: a few roundings of float32, of losses of about 6 nats
    assert.ok(Math.abs(nll - at(expected, index).nll) < 1e-4, `${nll} against ${at(expected, index).nll}`);
  }
});

test("distances are of the answers too, and the report says what was scored", async () => {
  const options = { model: [pathOf("model"), pathOf("other")], assistantOnly: true };
  const stream = await run(options);
  const { models } = parseMetadata("scores", stream.schema);
  assert.is((models as Record<string, { assistantOnly?: unknown }>)["model"]?.assistantOnly, true);
  const scores = await collect(readScores(await run(options)));
  for (const { model, tokens, distance } of scores) assert.is(distance?.kl.length, model === "other" ? tokens : undefined);
  const { notes } = await readScoresReport(stream);
  assert.ok(notes.some((note) => note.includes("the assistant's tokens alone are scored")));
});

test("distances change no loss of the answers beyond its rounding", async () => {
  const options = { model: [pathOf("model"), pathOf("other")], assistantOnly: true };
  const [on, off] = [await scoresOf(options), await scoresOf({ ...options, distances: "off" })];
  assert.is(on.length, off.length);
  for (const [index, { model, nll, tokens }] of on.entries()) {
    assert.is(model, at(off, index).model);
    // logarithms below 16 in float32 beside sums in double precision: 2^-20 a token
    assert.ok(Math.abs(nll - at(off, index).nll) <= tokens * 2 ** -19, `${nll} and ${at(off, index).nll}`);
  }
});

test("answers behind the end of a window are left out with one line", async () => {
  const scores = await scoresOf({ assistantOnly: true, length: 30 });
  assert.is(scores.length, 1);
  assert.ok(warnings.some((line) => /en: 2 of 3 answers begin behind the 30 tokens of a window/.test(line)));
});

test("models of one tokenizer and two templates are scored on their own texts", async () => {
  await cp(pathOf("other"), pathOf("shouting"), { recursive: true });
  await writeFile(join(pathOf("shouting"), "chat_template.jinja"), template.replace("m.content", "m.content | upper"));
  const scores = await scoresOf({ model: [pathOf("model"), pathOf("shouting")] });
  assert.is(scores.length, 4);
  assert.ok(scores.every(({ distance }) => distance === undefined));
  assert.ok(warnings.some((line) => line.includes("its tokenizer reads the texts as other tokens")));
});

test("what has no answers is refused with what to do", async () => {
  const only = { assistantOnly: true };
  await refused(
    () => scoresOf({ ...only, corpus: pathOf("mixed") }),
    BadDataError,
    /en has plain texts.*leave out --assistant-only/,
  );
  await refused(() => scoresOf({ ...only, sourceTarget: true }), UsageError, /--assistant-only is for conversations/);
  await cp(pathOf("model"), pathOf("turning"), { recursive: true });
  await writeFile(join(pathOf("turning"), "chat_template.jinja"), turning);
  await refused(
    () => scoresOf({ ...only, model: [pathOf("turning")] }),
    FailedPreconditionError,
    /turning: its chat template writes/,
  );
  await rm(join(pathOf("turning"), "chat_template.jinja"));
  await refused(() => scoresOf({ model: [pathOf("turning")] }), FailedPreconditionError, /turning has no chat template/);
});

test("texts and conversations of one language are windows of their own", async () => {
  const scores = await scoresOf({ corpus: pathOf("mixed") });
  // the conversation, then the one window of the text
  assert.is(scores.length, 2);
  assert.is(at(scores, 1).tokens, 63);
});

test.run();
