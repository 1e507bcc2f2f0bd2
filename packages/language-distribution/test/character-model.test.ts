import { uniformInt } from "pure-rand/distribution/uniformInt";
import { xoroshiro128plus } from "pure-rand/generator/xoroshiro128plus";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { CharacterModel } from "../src/losses/character-model.ts";
import { textEntropies } from "../src/losses/text-entropies.ts";

const close = (found: number, wanted: number, tolerance: number): void =>
  assert.ok(Math.abs(found - wanted) < tolerance, `${found}, not ${wanted}`);

test("Witten and Bell's weights by hand", () => {
  const model = new CharacterModel(1);
  model.learn("aab");
  // Without context: a twice, b once, two kinds; after a: a and b once each.
  const [a, b] = [(2 + 2 / 0x110000) / 5, (1 + 2 / 0x110000) / 5];
  close(model.bits("a"), -Math.log2(a), 1e-12);
  close(model.bits("ab"), -Math.log2(a) - Math.log2((1 + 2 * b) / 4), 1e-12);
  // b has no followers, so that the shorter context counts alone.
  close(model.bits("ba"), -Math.log2(b) - Math.log2(a), 1e-12);
  close(model.bits("😀"), -Math.log2(2 / 0x110000 / 5), 1e-12);
});

test("text without order takes about its entropy, text in order almost nothing", () => {
  const generator = xoroshiro128plus(1);
  const random = Array.from({ length: 60_000 }, () => "abcdefgh"[uniformInt(generator, 0, 7)]).join("");
  const model = new CharacterModel(2);
  model.learn(random.slice(0, 50_000));
  close(model.bits(random.slice(50_000)) / 10_000, 3, 0.02);
  const ordered = new CharacterModel(2);
  ordered.learn("abcdefgh".repeat(100));
  assert.ok(ordered.bits("abcdefgh".repeat(10)) / 80 < 0.2);
});

test("the same text in another script has the same bits a character, by half the bits a byte", async () => {
  const generator = xoroshiro128plus(2);
  const texts = Array.from({ length: 20 }, () =>
    Array.from({ length: 3000 }, () => "abbccccd"[uniformInt(generator, 0, 7)]).join(""),
  );
  const greek = texts.map((text) => text.replaceAll(/[a-d]/g, (letter) => "αβγδ".charAt("abcd".indexOf(letter))));
  const corpus = {
    name: "two scripts",
    license: undefined,
    languages: ["latin", "greek"],
    files: [],
    address: Promise.resolve(""),
    async *documents(language: string) {
      for (const text of language === "latin" ? texts : greek) yield { text, source: "" };
    },
  };
  const entropies = await textEntropies(corpus, 1e6, new AbortController().signal);
  const [latin, other] = [entropies.get("latin") ?? NaN, entropies.get("greek") ?? NaN];
  // The entropy of 1/8, 2/8, 4/8, 1/8 is 1.75; what a thousand contexts have to learn takes some percent more.
  assert.ok(latin > 1.74 && latin < 1.9, String(latin));
  close(2 * other, latin, 0.03);
});

test("one long document does not crowd out others: each half has its part of the bytes", async () => {
  let read = 0;
  const corpus = {
    name: "a book first",
    license: undefined,
    languages: ["en"],
    files: [],
    address: Promise.resolve(""),
    async *documents() {
      for (const text of ["a long book ".repeat(100), ...Array<string>(50).fill("a short page of 26 letters")]) {
        read += 1;
        yield { text, source: "" };
      }
    },
  };
  const entropies = await textEntropies(corpus, 1040, new AbortController().signal);
  assert.ok((entropies.get("en") ?? NaN) > 0);
  assert.is(read, 1 + 20, "half of the 1040 bytes are 20 pages");
});

test.run();
