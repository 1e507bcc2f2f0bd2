import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import protobuf from "protobufjs/minimal.js";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { at, BadDataError, FailedPreconditionError } from "@mbs/contracts";
import { seededGenerator } from "@mbs/numbers";
import { uniformInt } from "pure-rand/distribution/uniformInt";
import { convertPieces } from "../src/tokenizer/conversion/convert-pieces.ts";
import { readPieceFile } from "../src/tokenizer/sentencepiece/piece-file.ts";
import { makeTokenizer } from "../src/tokenizer/tokenizer.ts";

const test = suite("piece-file");

const fixture = async (name: string): Promise<Uint8Array> =>
  readFile(fileURLToPath(new URL(`fixtures/tokenizer-files/${name}`, import.meta.url)));
const models = {
  llama: await fixture("llama/tokenizer.model"),
  gemma2: await fixture("gemma/tokenizer.model"),
  mt5: await fixture("mt5/spiece.model"),
};

const file = "tokenizer.model";
const noFiles = { folder: "folder", config: {}, map: {}, added: {} };
const texts = ["The folder, 12 of a b\n", "नमस्ते 日本語  x", "<s> is </s>", "naïve 👩‍👧 ☃"];

/** What a model file makes of some texts, or "refused". Every other failure is thrown. */
function outcome(bytes: Uint8Array, type: string): string {
  try {
    const { tokenizer, config } = convertPieces(bytes, file, noFiles, { model_type: type }, {});
    const made = makeTokenizer(file, tokenizer, config);
    return JSON.stringify(texts.map((text) => [...made.encode(text)]));
  } catch (error) {
    if (!(error instanceof BadDataError || error instanceof FailedPreconditionError)) throw error;
    assert.match(error.message, /^tokenizer\.model/);
    assert.not.match(error.message, /\n/);
    return "refused";
  }
}

const message = (write: (writer: protobuf.Writer) => void): Uint8Array => {
  const writer = protobuf.Writer.create();
  write(writer);
  return writer.finish();
};
interface Piece {
  readonly text: string | Uint8Array;
  readonly score?: number;
  readonly type?: number;
}
const pieceOf = ({ text, score = 0, type = 1 }: Piece): Uint8Array =>
  message((writer) =>
    writer
      .uint32(10)
      .bytes(typeof text === "string" ? Buffer.from(text) : text)
      .uint32(21)
      .float(score)
      .uint32(24)
      .int32(type),
  );
/** A model file: its pieces, then what is written after them. */
const modelOf = (pieces: readonly Piece[], more: (writer: protobuf.Writer) => void = () => undefined): Uint8Array =>
  message((writer) => {
    for (const piece of pieces) writer.uint32(10).bytes(pieceOf(piece));
    more(writer);
  });
const flagIn = (message_: number, field: number, value: number) => (writer: protobuf.Writer) =>
  void writer.uint32(8 * message_ + 2).bytes(message((inner) => void inner.uint32(8 * field).int32(value)));
const unknown: Piece = { text: "<unk>", type: 2 };

test("what a file leaves out has the default of SentencePiece", () => {
  assert.equal(readPieceFile(modelOf([unknown, { text: "a", score: -1.5 }]), file), {
    pieces: { tokens: ["<unk>", "a"], scores: [0, -1.5], types: [2, 1] },
    algorithm: "Unigram",
    unknown: 0,
    hasBytes: false,
    charsmap: undefined,
    trims: true,
    isPrefixed: true,
  });
});

const writeUnknownFields = (writer: protobuf.Writer): void => {
  // field 200: a group with a number in it; field 201: bytes
  writer
    .uint32(200 * 8 + 3)
    .uint32(8)
    .int32(5)
    .uint32(200 * 8 + 4);
  writer.uint32(201 * 8 + 2).bytes(new Uint8Array(9));
};

test("unknown fields are passed over, groups too", () => {
  assert.is(readPieceFile(modelOf([unknown], writeUnknownFields), file).pieces.tokens.length, 1);
});

test("what SentencePiece refuses, and what is not read, is refused with what is wrong", () => {
  const cases: [Uint8Array, RegExp, typeof BadDataError | typeof FailedPreconditionError][] = [
    [modelOf([]), /has no pieces/, BadDataError],
    [modelOf([{ text: "a" }]), /has no piece for what is unknown/, BadDataError],
    [modelOf([unknown, { text: "?", type: 2 }]), /has two pieces for what is unknown, 0 and 1/, BadDataError],
    [modelOf([unknown, { text: "a" }, { text: "a" }]), /has the piece "a" twice, as 1 and 2/, BadDataError],
    [modelOf([unknown, { text: "" }]), /has an empty piece, 1/, BadDataError],
    [modelOf([unknown, { text: "a", score: Number.NaN }]), /gives piece 1 the score NaN/, BadDataError],
    [modelOf([unknown, { text: "a", type: 7 }]), /gives piece 1 the unknown type 7/, BadDataError],
    [modelOf([unknown, { text: Uint8Array.of(0xff) }]), /is cut short, or no model file/, BadDataError],
    [
      modelOf([unknown], flagIn(2, 3, 3)),
      /into words or characters \(model_type 3\), which is not read/,
      FailedPreconditionError,
    ],
    [modelOf([unknown], flagIn(2, 24, 1)), /treat_whitespace_as_suffix/, FailedPreconditionError],
    [modelOf([unknown], flagIn(3, 5, 0)), /escape_whitespaces is false/, FailedPreconditionError],
    [
      modelOf(
        [unknown],
        (writer) => void writer.uint32(42).bytes(message((inner) => void inner.uint32(18).bytes(new Uint8Array(8)))),
      ),
      /denormalizer_spec/,
      FailedPreconditionError,
    ],
  ];
  for (const [bytes, expected, Category] of cases) {
    assert.throws(
      () => readPieceFile(bytes, file),
      (error: unknown) => error instanceof Category && expected.test(error.message),
      String(expected),
    );
  }
});

test("a file that is cut anywhere is refused, or is a smaller tokenizer", () => {
  const bytes = models.llama;
  const whole = readPieceFile(bytes, file);
  let refusals = 0;
  for (let length = 0; length < bytes.length; length++) {
    try {
      // cut between two fields it is a file with fewer of them
      const { tokens } = readPieceFile(bytes.subarray(0, length), file).pieces;
      assert.equal(tokens, whole.pieces.tokens.slice(0, tokens.length));
    } catch (error) {
      assert.ok(error instanceof BadDataError, String(error));
      refusals++;
    }
  }
  assert.ok(refusals > bytes.length * 0.9, `${refusals} of ${bytes.length} cuts were refused`);
});

test("bytes changed at random give a tokenizer or a refusal; nothing else", () => {
  let refusals = 0;
  for (const [type, bytes] of Object.entries(models)) {
    const random = seededGenerator(17, type);
    const below = (end: number): number => uniformInt(random, 0, end - 1);
    const expected = outcome(bytes, type);
    assert.is.not(expected, "refused");
    for (let round = 0; round < 80; round++) {
      const changed = Uint8Array.from(bytes);
      const kind = below(3);
      for (let count = 1 + below(3); count > 0; count--) changed[below(changed.length)] = below(256);
      const start = below(changed.length);
      const cut = kind === 0 ? changed : kind === 1 ? changed.subarray(0, start) : changed.subarray(start);
      if (outcome(cut, type) === "refused") refusals++;
    }
  }
  assert.ok(refusals > 100 && refusals < 240, `${refusals} of 240 changes were refused`);
});

test("hostile files are refused in bounded time", () => {
  const huge = message((writer) => void writer.uint32(10).uint32(0xffff_fff0));
  const groups = new Uint8Array(100_000).fill(0x0b);
  const numbers = Uint8Array.of(10, ...new Uint8Array(20).fill(0xff));
  const long = modelOf([unknown, { text: "ab".repeat(5000) }], flagIn(2, 3, 2));
  // all texts of two letters up to a length: each can be made of two others at every place
  const strings = [""];
  for (let index = 0; strings.length < 150_000; index++) strings.push(`${at(strings, index)}a`, `${at(strings, index)}b`);
  const many = modelOf([unknown, ...strings.slice(1).map((text, id) => ({ text, score: -id }))], flagIn(2, 3, 2));
  for (const [name, bytes, most] of [
    ["length", huge, 1000],
    ["groups", groups, 1000],
    ["number", numbers, 1000],
    ["long piece", long, 1000],
    // alone, it takes 2 s: 2 million merges are found before it is refused
    ["many merges", many, 30_000],
  ] as const) {
    const began = performance.now();
    assert.is(outcome(bytes, "llama"), "refused", name);
    const took = performance.now() - began;
    assert.ok(took < most, `${name}: ${Math.round(took)} ms`);
  }
});

test.run();
