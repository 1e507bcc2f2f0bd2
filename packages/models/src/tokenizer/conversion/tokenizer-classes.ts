import { FailedPreconditionError } from "@mbs/contracts";
import type { JsonObject } from "../../folder/json-file.ts";
import { m2mLanguages } from "./m2m-languages.ts";
import { mbart50Languages, mbartLanguages } from "./mbart-languages.ts";

/** Keys of tokenizer_config.json that name a special token, in the order in which transformers adds those that are missing. */
export const tokenKeys = ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"] as const;
export type TokenKey = (typeof tokenKeys)[number];

/** What a class of transformers does that its files do not say (transformers/convert_slow_tokenizer.py and models/*). */
export interface TokenizerClass {
  /** What it is made of: a model file of SentencePiece, or vocab.json and merges.txt. */
  readonly source: "pieces" | "merges";
  /** Special tokens that it has where no file names them. */
  readonly names: Readonly<Partial<Record<TokenKey, string>>>;
  /** Whether `bos_token` is put before a text where `add_bos_token` does not say. */
  readonly addsBos?: true;
  /** What is put around a text, whatever the files say. */
  readonly around?: { readonly first?: TokenKey; readonly last?: TokenKey };
  /** Whether the first tokens are fairseq's, "<s>", "<pad>", "</s>" and "<unk>", in the place of the file's first three. */
  readonly isFairseq?: true;
  /** Whether vocab.json says the ids of the file's pieces, and of tokens before them. */
  readonly isListed?: true;
  /** Tokens after those of the file. */
  readonly more?: (config: JsonObject) => readonly string[];
  /** How byte-level BPE of this class splits texts, by its name in GGUF files. */
  readonly way?: string;
}

/** T5's sentinels, the last one first. */
function t5Sentinels({ extra_ids: extra }: JsonObject): readonly string[] {
  const count = typeof extra === "number" && extra >= 0 && extra <= 10_000 ? Math.trunc(extra) : 100;
  return Array.from({ length: count }, (_, index) => `<extra_id_${count - 1 - index}>`);
}

const llama: TokenizerClass = {
  source: "pieces",
  names: { bos_token: "<s>", eos_token: "</s>", unk_token: "<unk>" },
  addsBos: true,
  way: "llama-bpe",
};
const fairseq = { ...llama.names, sep_token: "</s>", cls_token: "<s>", pad_token: "<pad>" };

/** Of mBART, by its languages. */
const mbart = (languages: readonly string[]): TokenizerClass => ({
  source: "pieces",
  names: { ...fairseq, mask_token: "<mask>" },
  // the token of a language stands before or behind a text, and is known where the text is
  around: { last: "eos_token" },
  isFairseq: true,
  more: () => [...languages, "<mask>"],
});

const classes: ReadonlyMap<string, TokenizerClass> = new Map<string, TokenizerClass>([
  ["LlamaTokenizer", llama],
  ["CodeLlamaTokenizer", llama],
  [
    "GemmaTokenizer",
    {
      source: "pieces",
      names: { bos_token: "<bos>", eos_token: "<eos>", unk_token: "<unk>", pad_token: "<pad>" },
      addsBos: true,
    },
  ],
  [
    "T5Tokenizer",
    {
      source: "pieces",
      names: { eos_token: "</s>", unk_token: "<unk>", pad_token: "<pad>" },
      around: { last: "eos_token" },
      more: t5Sentinels,
    },
  ],
  [
    "XGLMTokenizer",
    {
      source: "pieces",
      names: fairseq,
      around: { first: "eos_token" },
      isFairseq: true,
      more: () => Array.from({ length: 7 }, (_, index) => `<madeupword${index}>`),
    },
  ],
  [
    "XLMRobertaTokenizer",
    {
      source: "pieces",
      names: { ...fairseq, mask_token: "<mask>" },
      around: { first: "bos_token", last: "eos_token" },
      isFairseq: true,
      more: () => ["<mask>"],
    },
  ],
  [
    "M2M100Tokenizer",
    {
      source: "pieces",
      names: { bos_token: "<s>", eos_token: "</s>", unk_token: "<unk>", sep_token: "</s>", pad_token: "<pad>" },
      // before a text it has the token of a language, which is known where the text is
      around: { last: "eos_token" },
      isListed: true,
      more: ({ language_codes: codes }) => m2mLanguages(codes),
    },
  ],
  ["MBart50Tokenizer", mbart(mbart50Languages)],
  ["MBartTokenizer", mbart(mbartLanguages)],
  [
    "GPT2Tokenizer",
    {
      source: "merges",
      names: { bos_token: "<|endoftext|>", eos_token: "<|endoftext|>", unk_token: "<|endoftext|>" },
      way: "gpt-2",
    },
  ],
  [
    "Qwen2Tokenizer",
    {
      source: "merges",
      names: { eos_token: "<|endoftext|>", unk_token: "<|endoftext|>", pad_token: "<|endoftext|>" },
      way: "qwen2",
    },
  ],
]);

/** Classes that stand for any tokenizer: the model type says which. */
const general: ReadonlySet<unknown> = new Set(["PreTrainedTokenizer", "TokenizersBackend", undefined, null]);

const classOfType: ReadonlyMap<unknown, string> = new Map([
  ...["llama", "mistral", "mixtral", "phi3"].map((type) => [type, "LlamaTokenizer"] as const),
  ...["gemma", "gemma2", "gemma3", "gemma3_text"].map((type) => [type, "GemmaTokenizer"] as const),
  ...["t5", "mt5", "umt5"].map((type) => [type, "T5Tokenizer"] as const),
  ["xglm", "XGLMTokenizer"],
  ["m2m_100", "M2M100Tokenizer"],
  ["mbart", "MBartTokenizer"],
  ["xlm-roberta", "XLMRobertaTokenizer"],
  ["gpt2", "GPT2Tokenizer"],
  ...["qwen2", "qwen2_moe", "qwen3"].map((type) => [type, "Qwen2Tokenizer"] as const),
]);

/** How a user gets a tokenizer.json. */
export const makeOne = (folder: string): string =>
  `write a tokenizer.json with transformers: AutoTokenizer.from_pretrained(${JSON.stringify(folder)}).save_pretrained(${JSON.stringify(folder)})`;

/**
 * The class of a tokenizer: that of tokenizer_config.json, else of config.json, else the usual one of the model type.
 *
 * @param source what its file is
 * @throws {FailedPreconditionError} naming the class where it is not read from such a file
 */
export function findTokenizerClass(
  folder: string,
  file: string,
  source: TokenizerClass["source"],
  tokenizerConfig: JsonObject,
  modelConfig: JsonObject,
): TokenizerClass {
  const named = [tokenizerConfig["tokenizer_class"], modelConfig["tokenizer_class"]]
    .map((name) => (typeof name === "string" ? name.replace(/Fast$/, "") : name))
    .find((name) => !general.has(name));
  const { model_type: type } = modelConfig;
  const name = named ?? classOfType.get(type);
  const found = typeof name === "string" ? classes.get(name) : undefined;
  if (found?.source === source) return found;
  const known = [...classes].filter(([, { source: own }]) => own === source).map(([own]) => own);
  const what =
    name === undefined
      ? `names no class of tokenizers, and the model type ${JSON.stringify(type)} has no usual one`
      : `has a tokenizer of the class ${JSON.stringify(name)}`;
  throw new FailedPreconditionError(`${folder} ${what}; of ${file} are read: ${known.join(", ")}; ${makeOne(folder)}`, {
    folder,
    file,
  });
}
