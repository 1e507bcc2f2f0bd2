import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { BadDataError, FailedPreconditionError } from "@mbs/contracts";
import type { Conversation } from "@mbs/contracts";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { chatAddress, readChatTemplates } from "../src/chat/chat-templates.ts";
import { openChat } from "../src/chat/open-chat.ts";
import { folderFiles, memoryFiles } from "../src/folder/model-files.ts";
import { tokenizerFromGguf } from "../src/gguf/gguf-tokenizer.ts";
import { loadTokenizer } from "../src/tokenizer/tokenizer.ts";

interface Golden extends Conversation {
  readonly name: string;
  readonly whole: { readonly text?: string };
  readonly asked: { readonly text?: string };
  readonly ids?: readonly number[];
}

const folderOf = (name: string): string => fileURLToPath(new URL(`fixtures/chat/${name}`, import.meta.url));
const modelIn = (path: string) => ({ path, files: folderFiles(path) });

/** A model of the given files alone. */
const modelOf = (contents: Readonly<Record<string, unknown>>, path = "M") => ({
  path,
  files: memoryFiles(
    new Map(
      Object.entries(contents).map(([name, content]) => [
        name,
        Buffer.from(typeof content === "string" ? content : JSON.stringify(content)),
      ]),
    ),
  ),
});

const question: Conversation = { messages: [{ role: "user", content: "Hi" }] };
const withTools: Conversation = { ...question, tools: [{ type: "function" }] };

async function textOf(template: string, conversation = question): Promise<string> {
  const chat = await openChat(modelOf({ "chat_template.jinja": template }));
  try {
    const made = await chat.render(conversation);
    return "text" in made ? made.text : `refused: ${made.refused}`;
  } finally {
    await chat.close();
  }
}

for (const name of ["marked", "alternating", "dated"]) {
  const golden = JSON.parse(readFileSync(`${folderOf(name)}/golden.json`, "utf8")) as readonly Golden[];
  test(`${name}: texts and tokens of conversations are those of transformers`, async () => {
    const folder = folderOf(name);
    const json = JSON.parse(await readFile(`${folder}/tokenizer.json`, "utf8")) as Readonly<Record<string, unknown>>;
    const tokenizer = await loadTokenizer(folder, json);
    const chat = await openChat(modelIn(folder));
    try {
      for (const { name: what, messages, tools, whole, asked, ids } of golden) {
        const conversation = { messages, ...(tools && { tools }) };
        for (const [prompt, expected] of [
          [false, whole.text],
          [true, asked.text],
        ] as const) {
          const made = await chat.render(conversation, prompt);
          if (expected === undefined) assert.ok("refused" in made, `${what} is refused`);
          else assert.equal(made, { text: expected }, what);
        }
        if (whole.text !== undefined) assert.equal([...tokenizer.encode(whole.text)], ids, `tokens of ${what}`);
      }
    } finally {
      await chat.close();
    }
  });
}

test("the words of a refusal are the template's", async () => {
  assert.equal(await textOf("{{ raise_exception('no ' ~ messages[0].role) }}"), "refused: no user");
});

test("chat_template.jinja counts before tokenizer_config.json, and chat_template.json comes last", async () => {
  const files = {
    "chat_template.jinja": "of the file",
    "tokenizer_config.json": { chat_template: "of the configuration", bos_token: "<s>" },
    "chat_template.json": { chat_template: "of the processor" },
    "special_tokens_map.json": { bos_token: "<old>", sep_token: { content: "<sep>" } },
  };
  const { byName, tokens } = await readChatTemplates(modelOf(files));
  assert.equal([...byName], [["default", "of the file"]]);
  assert.equal(tokens, { bos_token: "<s>", sep_token: "<sep>" });
  const { "chat_template.jinja": _, ...others } = files;
  assert.equal([...(await readChatTemplates(modelOf(others))).byName.values()], ["of the configuration"]);
  const { "tokenizer_config.json": __, ...last } = others;
  assert.equal([...(await readChatTemplates(modelOf(last))).byName.values()], ["of the processor"]);
});

test("the template of a GGUF file is its tokenizer.chat_template", async () => {
  const metadata = new Map<string, unknown>([
    ["tokenizer.ggml.model", "gpt2"],
    ["tokenizer.ggml.pre", "gpt-2"],
    ["tokenizer.ggml.tokens", ["a", "<s>"]],
    ["tokenizer.ggml.token_type", [1, 3]],
    ["tokenizer.ggml.merges", []],
    ["tokenizer.ggml.bos_token_id", 1],
    ["tokenizer.chat_template", "{{ bos_token }}of the file"],
  ]);
  const { config } = tokenizerFromGguf(metadata, "m.gguf");
  const chat = await openChat(modelOf({ "tokenizer_config.json": config }, "m.gguf"));
  assert.equal(await chat.render(question), { text: "<s>of the file" });
  await chat.close();
});

test("of two templates the one called tool_use is for conversations with tools", async () => {
  const named = [
    { name: "default", template: "plain" },
    { name: "tool_use", template: "with tools" },
  ];
  const chat = await openChat(modelOf({ "tokenizer_config.json": { chat_template: named } }));
  assert.equal(await chat.render(question), { text: "plain" });
  assert.equal(await chat.render(withTools), { text: "with tools" });
  await chat.close();
});

const address = (contents: Readonly<Record<string, unknown>>) => chatAddress(modelOf(contents));

test("the address changes with templates and special tokens, and with nothing else", async () => {
  const first = await address({ "tokenizer_config.json": { chat_template: "a", bos_token: "<s>" } });
  assert.is(
    await address({ "chat_template.jinja": "a", "tokenizer_config.json": { bos_token: "<s>", model_max_length: 1 } }),
    first,
  );
  assert.is.not(await address({ "tokenizer_config.json": { chat_template: "b", bos_token: "<s>" } }), first);
  assert.is.not(await address({ "tokenizer_config.json": { chat_template: "a", bos_token: "<b>" } }), first);
  assert.is(await address({ "tokenizer_config.json": { bos_token: "<s>" } }), "");
});

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

test("a model without template is refused with what to do", async () => {
  await refused(openChat(modelOf({})), FailedPreconditionError, /M has no chat template.*chat_template\.jinja.*plain texts/);
  await refused(openChat(modelOf({}, "m.gguf")), FailedPreconditionError, /tokenizer\.chat_template in its metadata/);
});

test("a template that cannot be read is a fault of the model", async () => {
  await refused(textOf("{% for %}"), BadDataError, /M: its chat template cannot be read \(.*from the model's source/);
});

/** Nested loops that would take years. */
const endless =
  "{% for a in range(90000) %}{% for b in range(90000) %}{% for c in range(90000) %}{% endfor %}{% endfor %}{% endfor %}";

test("a template without end is stopped, and nothing hangs", async () => {
  const limits = { milliseconds: 200, megabytes: 512, characters: 1000 };
  const chat = await openChat(modelOf({ "chat_template.jinja": endless }), limits);
  await refused(chat.render(question), BadDataError, /takes more than 0\.2 s for one conversation/);
  await chat.close();
});

test("a template that fills the memory is stopped", async () => {
  const limits = { milliseconds: 60_000, megabytes: 64, characters: 1000 };
  const growing =
    "{% set kept = namespace(all=[]) %}{% for a in range(90000) %}{% set kept.all = kept.all + [range(90000)] %}{% endfor %}";
  const chat = await openChat(modelOf({ "chat_template.jinja": growing }), limits);
  await refused(chat.render(question), BadDataError, /takes more than 64 MB for one conversation/);
  await chat.close();
});

test("a template that makes too long a text is a fault", async () => {
  const limits = { milliseconds: 60_000, megabytes: 512, characters: 1000 };
  const chat = await openChat(modelOf({ "chat_template.jinja": "{% for a in range(1001) %}x{% endfor %}" }), limits);
  await refused(chat.render(question), BadDataError, /makes more than 1000 characters of one conversation/);
  await chat.close();
});

test("range is as in Jinja, with the limit of its sandbox", async () => {
  assert.is(await textOf("{{ range(3) | join }} {{ range(1, 3) | join }} {{ range(5, 0, -2) | join }}"), "012 12 531");
  assert.match(await textOf("{% for a in range(100001) %}{% endfor %}"), /^refused: range\(\) of 100001 numbers/);
});

test.run();
