import { FailedPreconditionError, isObject } from "@mbs/contracts";

/*
 * How byte-level tokenizers split a text into words before they merge. A GGUF file names the way in tokenizer.ggml.pre; the
 * names are llama.cpp's (src/llama-vocab.cpp, llama_vocab::impl::load; conversion/base.py says which model got which). The
 * patterns are those of the models' own tokenizer.json, which llama.cpp quotes where its own differ.
 */

/** A way to split, as tokenizer.json writes it. */
type Split = Readonly<Record<string, unknown>>;

interface PreTokenizer {
  /** Splits in order, each within the words of the one before. */
  readonly splits: readonly Split[];
  /** Whether GPT-2's own pattern, which is part of "ByteLevel", splits last. */
  readonly gpt2?: true;
  /** Whether the splits have "ByteLevel" among them, and none comes last. */
  readonly bytesWithin?: true;
  /** Whether texts are composed first (NFC), which a GGUF file does not say; llama.cpp leaves it out. */
  readonly composed?: true;
  /** Whether a word that is a token is taken whole, whatever the merges say. */
  readonly wholeWords?: true;
  /** Whether the first token is put before a text where the file does not say. */
  readonly addsBos?: true;
}

const split = (pattern: string): Split => ({ type: "Split", pattern: { Regex: pattern }, behavior: "Isolated", invert: false });
const byteLevel = (usesRegex: boolean): Split => ({
  type: "ByteLevel",
  add_prefix_space: false,
  trim_offsets: true,
  use_regex: usesRegex,
});
/** "Digits" of a tokenizer.json, one by one: as a pattern, since the library's knows no digits but 0 to 9. */
const digits = split(String.raw`\p{N}`);

const contractions = "(?i:'s|'t|'re|'ve|'m|'ll|'d)";
const rest = String.raw`| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`;
/** One of OpenAI's patterns (tiktoken, cl100k_base), by how many digits make a word. */
const cl100k = (numbers: string): string => String.raw`${contractions}|[^\r\n\p{L}\p{N}]?\p{L}+|${numbers}${rest}`;

/** tiktoken's o200k_base and its relatives: words by case. */
const byCase = (ending: string, numbers: string): string => {
  const upper = String.raw`[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]`;
  const lower = String.raw`[\p{Ll}\p{Lm}\p{Lo}\p{M}]`;
  const words = String.raw`[^\r\n\p{L}\p{N}]?${upper}*${lower}+${ending}|[^\r\n\p{L}\p{N}]?${upper}+${lower}*${ending}`;
  return String.raw`${words}|${numbers}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+`;
};
const o200k = byCase(`${contractions}?`, String.raw`\p{N}{1,3}`);

/** BLOOM's (bigscience/bloom): anything between spaces and the punctuation of several scripts. */
const bloom = split(" ?[^(\\s|[.,!?…。，、।۔،])]+");

/** Letters of the scripts with two cases (deepseek-ai/deepseek-llm-7b-base). */
const casedLetters =
  "A-Za-zµÀ-ÖØ-öø-ƺƼ-ƿǄ-ʓʕ-ʯͰ-ͳͶͷͻ-ͽͿΆΈ-ΊΌΎ-ΡΣ-ϵϷ-ҁҊ-ԯԱ-ՖႠ-ჅᎠ-Ᏽᏸ-ᏽᲐ-ᲺᲽ-Ჿᴀ-ᴫᵫ-ᵷᵹ-ᶚḀ-ἕἘ-Ἕἠ-ὅὈ-Ὅὐ-ὗὙὛὝὟ-\u1F7Dᾀ-ᾴᾶ-ᾼ\u1FBEῂ-ῄῆ-ῌῐ-\u1FD3ῖ-\u1FDBῠ-Ῥῲ-ῴῶ-ῼℂℇℊ-ℓℕℙ-ℝℤ\u2126ℨ\u212A-ℭℯ-ℴℹℼ-ℿⅅ-ⅉⅎↃↄⰀ-ⱻⱾ-ⳤⳫ-ⳮⳲⳳꙀ-ꙭꚀ-ꚛꜢ-ꝯꝱ-ꞇꞋ-ꞎꭰ-ꮿﬀ-ﬆﬓ-ﬗＡ-Ｚａ-ｚ𐐀-𐑏𐒰-𐓓𐓘-𐓻𐲀-𐲲𐳀-𐳲𑢠-𑣟𞤀-𞥃";
const deepseekChinese = split("[一-龥ࠀ-一가-퟿]+");

const deepseekV3 = [
  split(String.raw`\p{N}{1,3}`),
  split("[一-龥぀-ゟ゠-ヿ]+"),
  split(
    "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\r\n]*|\\s*[\r\n]+|\\s+(?!\\S)|\\s+",
  ),
];

const gpt2: PreTokenizer = { splits: [], gpt2: true };
const digitsFirst: PreTokenizer = { splits: [digits], gpt2: true };
const threeDigits: PreTokenizer = { splits: [split(cl100k(String.raw`\p{N}{1,3}`))] };
const llama3: PreTokenizer = { ...threeDigits, wholeWords: true, addsBos: true };
const oneDigit: PreTokenizer = { splits: [split(cl100k(String.raw`\p{N}`))] };

const groups: readonly (readonly [names: readonly string[], PreTokenizer])[] = [
  [["gpt-2", "phi-2", "gigachat", "a.x-4.0", "mellum", "exaone4", "jais", "trillion", "granite-docling"], gpt2],
  // GPT-NeoX's tokenizer, which MPT, OLMo and Pythia share
  [["mpt", "olmo"], { ...gpt2, composed: true }],
  [["starcoder", "refact", "smollm", "codeshell", "exaone", "minerva-7b", "mellum2"], digitsFirst],
  [["command-r"], { ...digitsFirst, composed: true }],
  [["llama-bpe", "llama3", "llama-v3", "falcon3", "falcon-h1", "pixtral", "midm-2.0", "lfm2"], llama3],
  [["dbrx", "smaug-bpe", "glm4", "chatglm-bpe"], threeDigits],
  [["qwen2", "deepseek-r1-qwen", "megrez", "stablelm2"], { ...oneDigit, composed: true }],
  [["hunyuan", "kormo", "solar-open", "grok-2"], oneDigit],
  [
    ["qwen35"],
    {
      splits: [
        split(
          String.raw`${contractions}|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`,
        ),
      ],
      composed: true,
    },
  ],
  [["tekken"], { splits: [split(byCase("", String.raw`\p{N}`))], wholeWords: true, addsBos: true }],
  [["gpt-4o", "llama4", "kanana2", "minimax-m2"], { splits: [split(o200k)] }],
  [["tiny_aya", "cohere2moe"], { splits: [split(String.raw`\d{1,3}(?=(?:\d{3})*\b)`), split(o200k)], composed: true }],
  [["bloom", "gpt3-finnish", "poro-chat"], { splits: [bloom] }],
  [["viking"], { splits: [bloom, digits] }],
  [
    ["deepseek-llm"],
    {
      splits: [
        split("[\r\n]"),
        split(`\\s?[${casedLetters}]+`),
        split("\\s?[!-/:-~！-／：-～‘-‟　-。]+"),
        split("\\s+$"),
        deepseekChinese,
        digits,
      ],
    },
  ],
  [["deepseek-coder"], { splits: [split("[\r\n]"), split("\\s?\\p{L}+"), split("\\s?\\p{P}+"), deepseekChinese, digits] }],
  [["deepseek-v3", "hunyuan-dense", "joyai-llm"], { splits: deepseekV3 }],
  [
    ["falcon"],
    {
      splits: [
        { type: "Punctuation", behavior: "Contiguous" },
        byteLevel(true),
        split(String.raw`\p{N}+`),
        split("[0-9][0-9][0-9]"),
      ],
      bytesWithin: true,
    },
  ],
];

/** Patterns above that take quadratic time: for a run of white space before a letter, and for a run of digits. */
const quadratic: ReadonlySet<unknown> = new Set([String.raw`\s+$`, String.raw`\d{1,3}(?=(?:\d{3})*\b)`]);

/** The patterns above that take time in proportion to their text, whatever it is. */
export const linearPatterns: ReadonlySet<string> = new Set(
  groups
    .flatMap(([, { splits }]) => splits)
    .flatMap(({ pattern }) => (isObject(pattern) && typeof pattern["Regex"] === "string" ? [pattern["Regex"]] : []))
    .filter((pattern) => !quadratic.has(pattern)),
);

const byName: ReadonlyMap<string, PreTokenizer> = new Map(groups.flatMap(([names, way]) => names.map((name) => [name, way])));

/** Every name that is read, for messages and documents. */
export const preTokenizerNames: readonly string[] = [...byName.keys()].toSorted();

/** What a pre-tokenizer's name in a GGUF file says. */
export interface ByteLevelWay {
  /** `pre_tokenizer` of a tokenizer.json. */
  readonly preTokenizer: Split;
  /** `normalizer` of a tokenizer.json. */
  readonly normalizer: Split | null;
  /** `ignore_merges` of a tokenizer.json's model. */
  readonly ignoreMerges: boolean;
  readonly addsBos: boolean;
}

/**
 * How the tokenizer splits that a GGUF file names.
 *
 * @param name `tokenizer.ggml.pre`; undefined where the file has none, as those before April 2024
 * @throws {FailedPreconditionError} with the names that are read
 */
export function findByteLevelWay(name: string | undefined, file: string): ByteLevelWay {
  const way = name === undefined ? undefined : byName.get(name);
  if (way === undefined) {
    const found =
      name === undefined ? "names no pre-tokenizer (tokenizer.ggml.pre)" : `has the pre-tokenizer ${JSON.stringify(name)}`;
    throw new FailedPreconditionError(
      `${file} ${found}, so texts cannot be split as the model was trained; supported: ${preTokenizerNames.join(", ")}; convert the model again with a newer llama.cpp, or take its folder of safetensors`,
      { file, preTokenizer: name ?? "" },
    );
  }
  const { splits, gpt2: usesRegex = false, bytesWithin = false } = way;
  return {
    preTokenizer: { type: "Sequence", pretokenizers: bytesWithin ? splits : [...splits, byteLevel(usesRegex)] },
    normalizer: way.composed === true ? { type: "NFC" } : null,
    ignoreMerges: way.wholeWords ?? false,
    addsBos: way.addsBos ?? false,
  };
}

const whole = (value: unknown): Record<string, unknown> => (isObject(value) ? value : {});

/** A split in the spelling of this file, where tokenizer.json has another one for the same. */
function plainSplit(split: unknown): unknown {
  const { type, pattern, behavior, invert, individual_digits: single, add_prefix_space: prefix, use_regex: regex } = whole(split);
  if (type === "Digits" && single === true) return digits;
  if (type === "ByteLevel") return { type, prefix: prefix ?? true, regex: regex ?? true };
  if (type === "Split") return { type, pattern, behavior, invert: invert ?? false };
  return split;
}

/** The parts of a pre-tokenizer or normalizer, in the spelling of this file. */
function plainParts(part: unknown, list: "pretokenizers" | "normalizers"): string {
  const own = whole(part);
  const parts = part === null || part === undefined ? [] : own["type"] === "Sequence" ? own[list] : [part];
  return JSON.stringify(Array.isArray(parts) ? parts.map(plainSplit) : parts);
}

/**
 * The name of the way in which a tokenizer.json splits: the first one of several that are alike.
 *
 * @returns undefined where llama.cpp knows none
 */
export function findByteLevelName(preTokenizer: unknown, normalizer: unknown, ignoreMerges: boolean): string | undefined {
  const splits = plainParts(preTokenizer, "pretokenizers");
  const normalizers = plainParts(normalizer, "normalizers");
  const alike = groups.flatMap(([[name = ""]]) => {
    const way = findByteLevelWay(name, name);
    const isSame = plainParts(way.preTokenizer, "pretokenizers") === splits && way.ignoreMerges === ignoreMerges;
    return isSame ? [{ name, isComposed: plainParts(way.normalizer, "normalizers") === normalizers }] : [];
  });
  // llama.cpp composes no texts, so that a way without it serves too where none is like this one
  return (alike.find(({ isComposed }) => isComposed) ?? (normalizers === composing ? alike[0] : undefined))?.name;
}

const composing = JSON.stringify([{ type: "NFC" }]);
