import { BadDataError, isObject, matchWithinTime, quoted } from "@mbs/contracts";
import type { Tokenizer as HubTokenizer } from "@huggingface/tokenizers";
import { linearPatterns } from "../gguf/tokenizer/pre-tokenizers.ts";

/**
 * Patterns of published models. Each takes time in proportion to its text, so that it needs no limit, which would take up to a
 * fifth of the time of tokenising. T5 and XLM-R have the last one, in their normalizers.
 */
export const unlimitedPatterns: ReadonlySet<string> = new Set([...linearPatterns, " {2,}"]);

/** Where the library uses a pattern, by the kind of the part that has it. */
const methods = ["normalize", "pre_tokenize_text", "decode_chain"] as const;

/** The lists of the library's sequences, with their names in a tokenizer.json. */
const lists = [
  ["normalizers", "normalizers"],
  ["tokenizers", "pretokenizers"],
  ["decoders", "decoders"],
] as const;

type Use = (given: string | string[], ...more: unknown[]) => unknown;

/** @param tooLong makes the error for a text */
const limited =
  (use: Use, tooLong: (text: string, milliseconds: number, cause: unknown) => Error): Use =>
  (given, ...more) => {
    const text = typeof given === "string" ? given : given.join("");
    return matchWithinTime(
      text.length,
      () => use(given, ...more),
      (milliseconds, cause) => tooLong(text, milliseconds, cause),
    );
  };

/** @param place of the part in the file: "pre_tokenizer" */
function limitPart(part: unknown, place: string, file: string): void {
  // parts are functions with properties
  if (typeof part !== "function") return;
  const own = part as unknown as Readonly<Record<string, unknown>>;
  for (const [list, name] of lists) {
    const inner = own[list];
    if (Array.isArray(inner)) for (const [index, each] of inner.entries()) limitPart(each, `${place}.${name}[${index}]`, file);
  }
  const { config } = own;
  const pattern = isObject(config) && isObject(config["pattern"]) ? config["pattern"]["Regex"] : undefined;
  if (typeof pattern !== "string" || unlimitedPatterns.has(pattern)) return;
  const tooLong = (text: string, milliseconds: number, cause: unknown): Error =>
    new BadDataError(
      `${file}: ${place}.pattern, ${quoted(pattern)}, takes more than ${milliseconds} ms for the text ${quoted(text)}; take the file from the model's source again, or simplify the pattern`,
      { file, pattern },
      { cause },
    );
  for (const method of methods) {
    const use = own[method];
    if (typeof use === "function") Object.assign(part, { [method]: limited(use.bind(part) as Use, tooLong) });
  }
}

/**
 * Gives all patterns of a tokenizer but the known ones a limit in time, after which they throw a BadDataError.
 *
 * @param file for messages
 */
export function limitPatterns({ normalizer, pre_tokenizer: preTokenizer, decoder }: HubTokenizer, file: string): void {
  limitPart(normalizer, "normalizer", file);
  limitPart(preTokenizer, "pre_tokenizer", file);
  limitPart(decoder, "decoder", file);
}
