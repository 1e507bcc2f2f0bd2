/**
 * What `mbs shrink` takes where nothing is asked for. Each value rests on a measurement, which is named beside it: a later
 * measurement changes this file and no other.
 */

/** The formats that it writes. */
export const shrinkFormats = ["gguf", "gptq", "compressed-tensors", "onnx", "dense"] as const;
export type ShrinkFormat = (typeof shrinkFormats)[number];

/** Bits of a weight that can be asked for, the most first. */
export const shrinkBits = [4, 3, 2] as const;
export type ShrinkBits = (typeof shrinkBits)[number];

/** The type mix of GGUF for so many bits: those that llama-quantize calls medium. */
export const typeMixOf: Readonly<Record<ShrinkBits, string>> = { 4: "Q4_K_M", 3: "Q3_K_M", 2: "Q2_K" };

/** Columns that share a scale in packed formats. docs/measured/quantisers.md, Gemma 3 270m: groups of 64 at 3 bits. */
export const groupSizeOf: Readonly<Record<ShrinkBits, number>> = { 4: 128, 3: 64, 2: 64 };

/** Bits of embedding and head in ONNX. docs/measured/vocabulary.md: 8 bits cost nothing that shows, 4 bits a third of what blocks at 3 bits cost. */
export const onnxEmbeddingsOf: Readonly<Record<ShrinkBits, number>> = { 4: 8, 3: 4, 2: 4 };

/** Calibration: 512 tokens a segment, four segments a language, at least 32. docs/measured/real-models.md: 32 × 512 of eight languages. */
export const segmentLength = 512;
export const segmentsFor = (languages: number): number => Math.max(32, 4 * languages);

/** Fewest segments that `--within` goes down to. */
export const fewestSegments = 8;

/** Held-out text: windows of 256 tokens, at most eight a language; five are the fewest that give an interval. */
export const windowLength = 256;
export const windowsOf = 8;

/** Languages at most where none are named: those with the largest shares of the model's known mixture. */
export const mostLanguages = 16;

/**
 * How much a language of `--favour` counts against another, with as much text. docs/measured/languages.md, Weights in place of
 * text: twice the weight takes about as much off what it loses as more of its text does, and takes no text from the others.
 */
export const favour = 2;
