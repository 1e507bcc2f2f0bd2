// Compares the texts of our chat templates with those of transformers (render.py): how to is said there.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import type { Conversation } from "@mbs/contracts";
import { openChat } from "@mbs/models";

interface Line {
  readonly template: string;
  readonly name: string;
  readonly prompt: boolean;
  readonly text?: string;
  readonly error?: string;
}

const [folder = "."] = process.argv.slice(2);
const conversations = new Map(
  (JSON.parse(readFileSync(new URL("conversations.json", import.meta.url), "utf8")) as (Conversation & { name: string })[]).map(
    ({ name, ...conversation }) => [name, conversation],
  ),
);

/** A model folder of a template alone. */
const modelOf = (template: string): Parameters<typeof openChat>[0] => {
  const contents: Readonly<Record<string, string>> = {
    "chat_template.jinja": readFileSync(join(folder, template), "utf8"),
    "tokenizer_config.json": JSON.stringify({ bos_token: "<s>", eos_token: "</s>" }),
  };
  const find = (name: string): string => contents[name] ?? "";
  return {
    path: template,
    files: {
      list: () => Promise.resolve(Object.keys(contents)),
      read: (name) => [Buffer.from(find(name))],
      text: (name) => Promise.resolve(find(name)),
    },
  };
};

/** Where two texts part. */
function difference(theirs: string, ours: string): string {
  let at = 0;
  while (at < theirs.length && theirs[at] === ours[at]) at += 1;
  const around = (whole: string): string => JSON.stringify(whole.slice(Math.max(0, at - 20), at + 40));
  return `${around(theirs)} against ${around(ours)}`;
}

const lines = (await text(process.stdin))
  .trim()
  .split("\n")
  .map((line) => JSON.parse(line) as Line);
const counts = { same: 0, refusedByBoth: 0, ours: 0, theirs: 0, other: 0 };
const differing = new Map<string, string>();
for (const template of new Set(lines.map((line) => line.template))) {
  const chat = await openChat(modelOf(template));
  for (const line of lines.filter((one) => one.template === template)) {
    const conversation = conversations.get(line.name);
    if (conversation === undefined) throw new Error(`no conversation is called ${line.name}`);
    const made = await chat.render(conversation, line.prompt).catch((error: unknown) => ({ refused: String(error) }));
    const note = (what: string): void => void differing.set(template, `${line.name}: ${what}`);
    if ("refused" in made) {
      counts[line.text === undefined ? "refusedByBoth" : "ours"] += 1;
      if (line.text !== undefined) note(`refused by us alone, ${made.refused}`);
    } else if (line.text === undefined) {
      counts.theirs += 1;
      note(`refused by transformers alone, ${line.error}`);
    } else if (line.text === made.text) {
      counts.same += 1;
    } else {
      counts.other += 1;
      note(difference(line.text, made.text));
    }
  }
  await chat.close();
}
console.log(JSON.stringify(counts));
for (const [template, what] of differing) console.log(`${template}: ${what}`);
