import { bpeBody } from "../sentencepiece/bpe-body.ts";
import { mergesOfScores, scoredPieces } from "../sentencepiece/merges-of-scores.ts";
import { readPieceFile } from "../sentencepiece/piece-file.ts";
import { tokenType } from "../sentencepiece/pieces.ts";
import type { Pieces, PieceRules } from "../sentencepiece/pieces.ts";
import { unigramBody } from "../sentencepiece/unigram-body.ts";
import { addedToken } from "../whole-tokenizer.ts";
import { BadDataError } from "@mbs/contracts";
import type { JsonObject } from "../../folder/json-file.ts";
import { convertedTokenizer } from "./converted-tokenizer.ts";
import type { ConvertedTokenizer } from "./converted-tokenizer.ts";
import { findSpecialTokens } from "./special-tokens.ts";
import type { TokenFiles } from "./special-tokens.ts";
import { findTokenizerClass } from "./tokenizer-classes.ts";
import type { TokenizerClass } from "./tokenizer-classes.ts";

const { control, unknown, unused, normal } = tokenType;

/** fairseq's first tokens, which are no pieces of the file: those are "<unk>", "<s>" and "</s>". */
const fairseqPieces: readonly (readonly [token: string, type: number])[] = [
  ["<s>", control],
  ["<pad>", control],
  ["</s>", control],
  ["<unk>", unknown],
];

const zeros = (list: readonly unknown[]): number[] => list.map(() => 0);

/**
 * The pieces by the ids that vocab.json gives them.
 *
 * @throws {BadDataError} where it has no id of a piece, or its ids are not 0, 1, 2, …
 */
function listedPieces({ tokens, scores, types }: Pieces, file: string, vocab: JsonObject): Pieces {
  const refuse = (fault: string): never => {
    throw new BadDataError(`vocab.json beside ${file} ${fault}; take both from the model's source again`, { file });
  };
  const names: string[] = [];
  const entries = Object.entries(vocab);
  for (const [token, id] of entries) {
    if (typeof id !== "number" || !Number.isInteger(id) || id < 0 || id >= entries.length || names[id] !== undefined) {
      return refuse(
        `gives ${JSON.stringify(token)} the id ${JSON.stringify(id)}, where ids are 0, 1, 2, … and none is there twice`,
      );
    }
    names[id] = token;
  }
  const places = new Map(Array.from(tokens, (token, place) => [token, place]));
  const missing = tokens.find((token, place) => types[place] === normal && !Object.hasOwn(vocab, token));
  if (missing !== undefined) return refuse(`has no id of the piece ${JSON.stringify(missing)}`);
  const first = new Map(fairseqPieces);
  return {
    tokens: names,
    scores: names.map((token) => scores[places.get(token) ?? -1] ?? 0),
    // what the file does not have is made of no text
    types: names.map((token) => first.get(token) ?? types[places.get(token) ?? -1] ?? unused),
  };
}

/** The pieces by the ids of the class: fairseq's first, then those of the file, then the class's own. */
function piecesOfClass({ tokens, scores, types }: Pieces, { isFairseq, more }: TokenizerClass, config: JsonObject): Pieces {
  const first = isFairseq === true ? fairseqPieces : [];
  const skipped = isFairseq === true ? 3 : 0;
  const last = more?.(config) ?? [];
  return {
    tokens: [...first.map(([token]) => token), ...tokens.slice(skipped), ...last],
    scores: [...zeros(first), ...Array.from(scores).slice(skipped), ...zeros(last)],
    types: [...first.map(([, type]) => type), ...Array.from(types).slice(skipped), ...last.map(() => control)],
  };
}

const foundFirst: ReadonlySet<number | undefined> = new Set([control, unknown, tokenType.userDefined]);

/**
 * Converts a tokenizer of SentencePiece.
 *
 * It gives the tokens of SentencePiece. What transformers does of its own is done so here: texts that spell a special token
 * have that token, and the part after a special or user-defined token gets a space like the beginning of a text, but with
 * `legacy: false` in tokenizer_config.json.
 *
 * @param bytes of the model file
 * @param vocab vocab.json, which some classes have beside it; empty where it is absent
 * @throws {BadDataError} where a file is broken, or contradicts another one
 * @throws {FailedPreconditionError} where it is of a class or a kind that is not read
 */
export function convertPieces(
  bytes: Uint8Array,
  file: string,
  files: TokenFiles,
  modelConfig: JsonObject,
  vocab: JsonObject,
): ConvertedTokenizer {
  const read = readPieceFile(bytes, file);
  const kind = findTokenizerClass(files.folder, file, "pieces", files.config, modelConfig);
  const listed = kind.isListed === true ? listedPieces(read.pieces, file, vocab) : read.pieces;
  const own = piecesOfClass(listed, kind, files.config);
  const { scores, types } = own;
  const special = findSpecialTokens(
    files,
    kind,
    new Map(own.tokens.entries()),
    own.tokens.flatMap((token, id) =>
      foundFirst.has(types[id]) ? [addedToken(id, token, types[id] !== tokenType.userDefined)] : [],
    ),
  );
  const tokens = [...special.texts.values()];
  // found in a text before spaces are marked: as part of a marked text it would need a space before it
  const added = special.added.map((token) => ({ ...token, normalized: false }));
  const unknownId = Array.prototype.indexOf.call(types, unknown);
  const rules: PieceRules = {
    charsmap: read.charsmap,
    trims: read.trims,
    prefix: !read.isPrefixed ? "never" : files.config["legacy"] === false ? "first" : "always",
  };
  const refuse = (fault: string, id?: number): never => {
    const what = id === undefined ? "the pieces" : `piece ${id}`;
    throw new BadDataError(`${file}: ${what} ${fault}; take the file from the model's source again`, { file });
  };
  const body =
    read.algorithm === "BPE"
      ? bpeBody(
          {
            ids: Object.fromEntries(tokens.map((token, id) => [token, id])),
            merges: mergesOfScores(scoredPieces({ tokens, scores, types }, refuse), refuse),
            unknown: tokens[unknownId] ?? null,
            hasBytes: read.hasBytes,
          },
          rules,
        )
      : unigramBody(
          { vocab: tokens.map((token, id) => [token, scores[id] ?? 0]), unknown: unknownId, hasBytes: read.hasBytes },
          // only Llama's classes know another one
          { ...rules, prefix: read.isPrefixed ? "always" : "never" },
        );
  return convertedTokenizer(body, files, kind, { ...special, added });
}
