import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { BadDataError } from "@mbs/contracts";
import { readCharacterTable } from "../src/tokenizer/character-table.ts";
import { tinyTokenizer } from "../src/tokenizer/tiny-tokenizer.ts";
import { makeHubTokenizer } from "../src/tokenizer/tokenizer.ts";

interface Fixture {
  readonly table: string;
  readonly lines: readonly { readonly text: string; readonly normal: string }[];
}

const path = fileURLToPath(new URL("fixtures/gguf-tokenizers/character-table.json", import.meta.url));
const { table, lines } = JSON.parse(await readFile(path, "utf8")) as Fixture;

test("texts are normalised as the Python library does", () => {
  const normalise = readCharacterTable(table, "tokenizer.json");
  for (const { text, normal } of lines) assert.is(normalise(text), normal, text);
});

test("a tokenizer uses its own table, in a sequence or alone", () => {
  const precompiled = { type: "Precompiled", precompiled_charsmap: table };
  for (const normalizer of [precompiled, { type: "Sequence", normalizers: [precompiled] }]) {
    const hub = makeHubTokenizer("tokenizer.json", { ...tinyTokenizer(), normalizer }, {});
    for (const { text, normal } of lines) assert.is(hub.normalizer?.normalize(text), normal, text);
  }
});

test("broken tables are refused, and ones with wrong positions do no harm", () => {
  for (const broken of ["", "AAAA", "/////w==", "BAAAAA=="]) {
    try {
      readCharacterTable(broken, "tokenizer.json");
      assert.unreachable(broken);
    } catch (error) {
      assert.instance(error, BadDataError);
      assert.match(String(error), /precompiled_charsmap has \d+ bytes, which its own length of -?\d+ does not fit/);
    }
  }
  const bytes = Buffer.from(table, "base64");
  for (let index = 4; index < bytes.length; index += 7) {
    const changed = Buffer.from(bytes);
    changed.writeUInt8(255 - changed.readUInt8(index), index);
    const normalise = readCharacterTable(changed.toString("base64"), "tokenizer.json");
    for (const { text } of lines) assert.type(normalise(text), "string");
  }
});

test.run();
