import { BadDataError, FailedPreconditionError } from "@mbs/contracts";
import protobuf from "protobufjs/minimal.js";
import { tokenType } from "./pieces.ts";
import type { Pieces } from "./pieces.ts";

/** Largest file that is read, in bytes: those of published models have up to 18 MB. */
export const pieceFileLimit = 32_000_000;

/** What is read of more pieces than this is no model's. */
const mostPieces = 2_000_000;

/** What a model file of SentencePiece says. */
export interface PieceFile {
  readonly pieces: Pieces;
  readonly algorithm: "BPE" | "Unigram";
  /** Id of the piece for what has none. */
  readonly unknown: number;
  /** Whether a character without a piece is written as its bytes. */
  readonly hasBytes: boolean;
  /** The compiled table of characters, as base64; undefined where there is none. */
  readonly charsmap: string | undefined;
  /** Whether spaces around a text are removed, and runs of them become one. */
  readonly trims: boolean;
  /** Whether a space is put before a text. */
  readonly isPrefixed: boolean;
}

/** TrainerSpec.model_type; 3 and 4 take words and characters. */
const algorithms: ReadonlyMap<number, "BPE" | "Unigram"> = new Map([
  [1, "Unigram"],
  [2, "BPE"],
]);

type Take = readonly [wireType: number, take: (reader: protobuf.Reader) => void];

const flag = (take: (value: boolean) => void): Take => [0, (reader) => take(reader.bool())];
const number = (take: (value: number) => void): Take => [0, (reader) => take(reader.int32())];
const float = (take: (value: number) => void): Take => [5, (reader) => take(reader.float())];
const bytes = (take: (value: Uint8Array) => void): Take => [2, (reader) => take(reader.bytes())];

/** Reads a message. Fields that are not named are passed over, as are those of another type than theirs. */
function readMessage(message: Uint8Array, fields: Readonly<Record<number, Take>>): void {
  const reader = protobuf.Reader.create(message);
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    const [wireType, take] = fields[tag >>> 3] ?? [];
    if (take === undefined || wireType !== (tag & 7)) reader.skipType(tag & 7);
    else take(reader);
  }
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const typeNumbers: ReadonlySet<number> = new Set(Object.values(tokenType));

/** Refuses a broken file. */
type Refuse = (fault: string, cause?: unknown) => never;

/** The pieces of a file, in the order of their ids. */
class PieceList {
  readonly #types: number[] = [];
  readonly #tokens = new Map<string, number>();
  readonly #scores: number[] = [];
  readonly #refuse: Refuse;

  constructor(refuse: Refuse) {
    this.#refuse = refuse;
  }

  take(message: Uint8Array): void {
    const id = this.#tokens.size;
    let token = "";
    let score = 0;
    let type: number = tokenType.normal;
    readMessage(message, {
      1: bytes((value) => (token = utf8.decode(value))),
      2: float((value) => (score = value)),
      3: number((value) => (type = value)),
    });
    if (id === mostPieces) this.#refuse(`has more than ${mostPieces} pieces`);
    if (token === "") this.#refuse(`has an empty piece, ${id}`);
    const other = this.#tokens.get(token);
    if (other !== undefined) this.#refuse(`has the piece ${JSON.stringify(token.slice(0, 60))} twice, as ${other} and ${id}`);
    if (!Number.isFinite(score)) this.#refuse(`gives piece ${id} the score ${score}`);
    if (!typeNumbers.has(type)) this.#refuse(`gives piece ${id} the unknown type ${type}`);
    this.#tokens.set(token, id);
    this.#scores.push(score);
    this.#types.push(type);
  }

  /** The id of the piece for what is unknown. */
  unknown(): number {
    if (this.#types.length === 0) this.#refuse("has no pieces: it is no model file of SentencePiece");
    const unknown = this.#types.indexOf(tokenType.unknown);
    if (unknown < 0) this.#refuse("has no piece for what is unknown");
    const second = this.#types.indexOf(tokenType.unknown, unknown + 1);
    if (second >= 0) this.#refuse(`has two pieces for what is unknown, ${unknown} and ${second}`);
    return unknown;
  }

  table(): PieceFile["pieces"] {
    return { tokens: [...this.#tokens.keys()], scores: this.#scores, types: this.#types };
  }
}

/** What a file says beside its pieces, as the fields of its messages; those that are absent have these values. */
const absentSettings = {
  algorithm: 1,
  marksEnds: false,
  hasBytes: false,
  charsmap: new Uint8Array(0),
  isPrefixed: true,
  trims: true,
  escapes: true,
  decoding: new Uint8Array(0),
};

/** Reads the settings of a file. @param takePiece is given the message of each piece */
function readSettings(content: Uint8Array, takePiece: (message: Uint8Array) => void): typeof absentSettings {
  const settings = { ...absentSettings };
  readMessage(content, {
    1: bytes(takePiece),
    2: bytes((message) =>
      readMessage(message, {
        3: number((value) => (settings.algorithm = value)),
        24: flag((value) => (settings.marksEnds = value)),
        35: flag((value) => (settings.hasBytes = value)),
      }),
    ),
    3: bytes((message) =>
      readMessage(message, {
        2: bytes((value) => (settings.charsmap = Uint8Array.from(value))),
        3: flag((value) => (settings.isPrefixed = value)),
        4: flag((value) => (settings.trims = value)),
        5: flag((value) => (settings.escapes = value)),
      }),
    ),
    5: bytes((message) => readMessage(message, { 2: bytes((value) => (settings.decoding = Uint8Array.from(value))) })),
  });
  return settings;
}

/** @throws {FailedPreconditionError} where texts are taken apart in a way that is not read */
function requireAlgorithm(settings: typeof absentSettings, file: string): PieceFile["algorithm"] {
  const algorithm = algorithms.get(settings.algorithm);
  const other =
    (algorithm === undefined && `takes texts apart into words or characters (model_type ${settings.algorithm})`) ||
    (settings.marksEnds && "puts spaces behind words (treat_whitespace_as_suffix)") ||
    (!settings.escapes && "does not mark spaces (escape_whitespaces is false)") ||
    (settings.decoding.length > 0 && "changes texts after decoding (denormalizer_spec)");
  if (algorithm === undefined || other !== false) {
    throw new FailedPreconditionError(`${file} ${String(other)}, which is not read; BPE and Unigram are`, { file });
  }
  return algorithm;
}

/**
 * Reads the model file of a tokenizer of SentencePiece: `tokenizer.model`, `spiece.model`.
 *
 * @see https://github.com/google/sentencepiece/blob/master/src/sentencepiece_model.proto
 * @throws {BadDataError} where it is broken, or what SentencePiece's own reader refuses
 * @throws {FailedPreconditionError} where it takes texts apart in a way that is not read
 */
export function readPieceFile(content: Uint8Array, file: string): PieceFile {
  const refuse: Refuse = (fault, cause) => {
    throw new BadDataError(`${file} ${fault}; take the file from the model's source again`, { file }, { cause });
  };
  const pieces = new PieceList(refuse);
  let settings = absentSettings;
  try {
    settings = readSettings(content, (message) => pieces.take(message));
  } catch (error) {
    if (error instanceof BadDataError) throw error;
    // protobufjs and TextDecoder throw errors of several classes
    refuse("is cut short, or no model file of SentencePiece", error);
  }
  const unknown = pieces.unknown();
  const { charsmap, hasBytes, trims, isPrefixed } = settings;
  return {
    pieces: pieces.table(),
    algorithm: requireAlgorithm(settings, file),
    unknown,
    hasBytes,
    charsmap: charsmap.length === 0 ? undefined : Buffer.from(charsmap).toString("base64"),
    trims,
    isPrefixed,
  };
}
