import { join } from "node:path";
import { BadDataError, FailedPreconditionError } from "@mbs/contracts";
import type { ChatRenderer, Conversation, OpenChat } from "@mbs/contracts";
import { openCorpus } from "@mbs/corpora";
import type { CorpusDocument } from "@mbs/corpora";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { parquetBytes } from "./datasets/parquet-file.ts";
import { withFolder } from "./temporary-folder.ts";

const role = (name: string, content: string) => ({ role: name, content });
const greeting = [role("user", "Hi"), role("assistant", "Hello")];
const wrong = [role("assistant", "Hello")];

/** "user: Hi|assistant: Hello", with the tools in front; refuses conversations that an answer begins. */
class PlainChat implements ChatRenderer {
  closed = 0;
  async render({ messages, tools }: Conversation) {
    if (messages[0]?.role === "assistant") return { refused: "a question must be first" };
    const lines = messages.map((message) => `${message.role}: ${message.content ?? JSON.stringify(message["tool_calls"])}`);
    return { text: [...(tools ? [JSON.stringify(tools)] : []), ...lines].join("|") };
  }
  async close() {
    this.closed += 1;
  }
}

async function read(
  path: string,
  options: Parameters<typeof openCorpus>[1] = {},
  chat: OpenChat | undefined = async () => new PlainChat(),
): Promise<CorpusDocument[]> {
  const documents: CorpusDocument[] = [];
  const corpus = await openCorpus(path, options);
  for await (const document of corpus.documents("en", chat)) documents.push(document);
  return documents;
}

const linesOf = (...rows: unknown[]): string => rows.map((row) => `${JSON.stringify(row)}\n`).join("");

async function refused(opening: Promise<unknown>, kind: new (...given: never[]) => Error, message: RegExp): Promise<void> {
  try {
    await opening;
  } catch (error) {
    assert.instance(error, kind);
    assert.match((error as Error).message, message);
    return;
  }
  assert.unreachable("nothing was thrown");
}

test("rows with messages are conversations, which the chat template makes texts", async () => {
  const tools = [{ type: "function" }];
  const rows = linesOf(
    { messages: greeting, source: "web" },
    { text: "plain", source: "book" },
    { messages: greeting, tools },
    { messages: greeting, tools: JSON.stringify(tools) },
    { messages: greeting, tools: "" },
  );
  await withFolder({ "en.jsonl": rows }, async (folder) => {
    const [first, plain, ...others] = await read(folder);
    const conversation = { messages: greeting };
    assert.equal(first, { text: "user: Hi|assistant: Hello", conversation, source: "web" });
    assert.equal(plain, { text: "plain", source: "book" });
    assert.equal(
      others.map(({ text }) => text),
      [1, 2].map(() => `${JSON.stringify(tools)}|user: Hi|assistant: Hello`).concat("user: Hi|assistant: Hello"),
    );
  });
});

test("keys of a message that are null are left out, and calls of tools need no text", async () => {
  const calls = [{ function: { name: "f", arguments: { a: null } } }];
  const messages = [
    { ...role("user", "Hi"), name: null },
    { role: "assistant", content: null, tool_calls: calls },
  ];
  await withFolder({ "en.jsonl": linesOf({ messages }) }, async (folder) => {
    const [document] = await read(folder);
    assert.equal(document?.conversation?.messages, [role("user", "Hi"), { role: "assistant", tool_calls: calls }]);
  });
});

test("a field that is named may hold conversations, and no other is looked for", async () => {
  await withFolder({ "en.jsonl": linesOf({ chat: greeting, messages: wrong }) }, async (folder) => {
    assert.is((await read(folder, { field: "chat" })).length, 1);
    await refused(
      read(folder, { field: "text" }),
      BadDataError,
      /en\.jsonl has no field "text"; its first line has: chat, messages/,
    );
  });
});

test("a text counts before messages beside it", async () => {
  await withFolder({ "en.jsonl": linesOf({ messages: greeting, text: "plain" }) }, async (folder) => {
    assert.equal(await read(folder), [{ text: "plain", source: "" }]);
  });
});

const message = (name: string, content: string): string => `{'role': '${name}', 'content': '${content}', 'name': NULL::VARCHAR}`;
const list = `[${message("user", "Hi")}, ${message("assistant", "Hello")}]`;

for (const [name, select, text] of [
  ["conversations", `SELECT ${list} AS messages, 'web' AS source`, "user: Hi|assistant: Hello"],
  [
    "tools as a text of JSON",
    `SELECT ${list} AS messages, '[{"type":"function"}]' AS tools, 'web' AS source`,
    '[{"type":"function"}]|user: Hi|assistant: Hello',
  ],
] as const) {
  test(`a Parquet file has ${name}`, async () => {
    await withFolder({ "en.parquet": await parquetBytes(select) }, async (folder) => {
      const [document] = await read(folder);
      assert.is(document?.text, text);
      assert.is(document?.source, "web");
      assert.equal(document?.conversation?.messages, greeting);
    });
  });
}

test("a Parquet file's column of other lists is no text", async () => {
  await withFolder({ "en.parquet": await parquetBytes("SELECT [1, 2] AS messages") }, async (folder) => {
    await refused(read(folder), BadDataError, /en\.parquet has no column "text"; it has: messages/);
  });
});

test("what is no conversation is counted as broken", async () => {
  const good = Array.from({ length: 300 }, () => ({ messages: greeting }));
  const bad = [
    { messages: [{ role: "user", content: [{ type: "image" }] }] },
    { messages: [] },
    { messages: greeting, tools: "{" },
  ];
  const warnings: string[] = [];
  await withFolder({ "en.jsonl": linesOf(...good, ...bad) }, async (folder) => {
    assert.is((await read(folder, { warn: (line) => warnings.push(line) })).length, 300);
  });
  assert.is(warnings.length, 1);
  assert.match(
    warnings[0] ?? "",
    /en: 3 of 303 documents are broken \(3 no conversation; first: .*en\.jsonl, row 301\); left out/,
  );
});

test("conversations that the template refuses are left out with one line, however often they are read", async () => {
  const rows = linesOf({ messages: greeting }, { messages: wrong }, { messages: wrong });
  await withFolder({ "en.jsonl": rows }, async (folder) => {
    const warnings: string[] = [];
    const corpus = await openCorpus(folder, { warn: (line) => warnings.push(line) });
    for (const _ of [1, 2]) {
      let documents = 0;
      for await (const { text } of corpus.documents("en", async () => new PlainChat())) documents += text === "" ? 0 : 1;
      assert.is(documents, 1);
    }
    assert.equal(warnings, [
      `en: the model's chat template refuses 2 of 3 conversations (first: ${join(folder, "en.jsonl")}, row 2: a question must be first); left out`,
    ]);
  });
});

test("a corpus of which the template refuses everything is an error", async () => {
  await withFolder({ "en.jsonl": linesOf({ messages: wrong }, { messages: wrong }) }, async (folder) => {
    await refused(read(folder), BadDataError, /refuses 2 of 2 conversations .*; give conversations in roles and an order/);
  });
});

const none: OpenChat = async () => {
  throw new FailedPreconditionError("M has no chat template");
};

test("without a model conversations are refused, and plain texts do not open its template", async () => {
  const files = { "en.jsonl": linesOf({ messages: greeting }) };
  await withFolder(files, async (folder) => {
    const corpus = await openCorpus(folder);
    const first = async (): Promise<unknown> => corpus.documents("en")[Symbol.asyncIterator]().next();
    await refused(first(), BadDataError, /en\.jsonl, row 1 is a conversation.*plain texts/);
  });
  await withFolder(files, (folder) => refused(read(folder, {}, none), FailedPreconditionError, /M has no chat template/));
  await withFolder({ "en.txt": "plain" }, async (folder) => assert.is((await read(folder, {}, none)).length, 1));
});

test("the template is closed when reading ends, and when it is broken off", async () => {
  await withFolder({ "en.jsonl": linesOf({ messages: greeting }, { messages: greeting }) }, async (folder) => {
    const chats: PlainChat[] = [];
    const open: OpenChat = async () => {
      const chat = new PlainChat();
      chats.push(chat);
      return chat;
    };
    await read(folder, {}, open);
    for await (const { text } of (await openCorpus(folder)).documents("en", open)) {
      assert.ok(text);
      break;
    }
    assert.equal(
      chats.map(({ closed }) => closed),
      [1, 1],
    );
  });
});

test("targets go with texts alone", async () => {
  await withFolder({ "en.jsonl": linesOf({ messages: greeting, source: greeting, target: "t" }) }, async (folder) => {
    await refused(read(folder, { targetField: "target" }), BadDataError, /1 no text/);
  });
});

test.run();
