import type { Shape } from "./operations.ts";

/** A program's settings on one model, measured against the public program that does the same. */
export interface BenchCase {
  readonly name: string;
  readonly title: string;
  /** Name of a shape of make_model.py; absent: the real model. */
  readonly shape?: string;
  readonly size: Shape;
  /** Whether it is what people run, and so does more than the public program. */
  readonly defaults?: true;
  /** Keys of a recipe: capture, factor and compress. */
  readonly recipe: Readonly<Record<string, unknown>>;
  /** Arguments of tools/compare/peers/public_programs.py. */
  readonly peer: readonly string[];
  readonly source: "gptq" | "sparsegpt";
}

/** What the public programs do: no tokens are normalised, errors of earlier blocks are not made up for. */
const plain = { capture: { "normalise-tokens": false }, factor: { order: "natural", damping: 0.01 } };
const gptq = (bits: number, given = {}): Record<string, unknown> => ({
  compress: { solver: "gptq", bits, "group-size": 64, ...given },
});
const plainGptq = (bits: number, given = {}): Record<string, unknown> => ({
  ...plain,
  ...gptq(bits, { search: "none", sweeps: 0, qep: 0, ...given }),
});
const plainSparsegpt = { ...plain, compress: { solver: "sparsegpt", sparsity: 0.5, qep: 0 } };
const tokens = { segments: 32, length: 512 };
const smollm2 = { blocks: 30, width: 576, queries: 576, keys: 192, inner: 1536, ...tokens };
const gemma3 = { blocks: 18, width: 640, queries: 1024, keys: 256, inner: 2048, ...tokens };
const llama1024 = { blocks: 4, width: 1024, queries: 1024, keys: 1024, inner: 4096, segments: 32, length: 2048 };
const public4 = ["--bits", "4", "--group-size", "64", "--symmetric"];
const public3 = ["--bits", "3", "--group-size", "64"];

/** Ours at the same settings as the public program, and at its defaults. */
export const cases: readonly BenchCase[] = [
  {
    name: "smollm2-gptq",
    title: "135M llama, GPTQ 4 bits, plain",
    shape: "smollm2-135m",
    size: smollm2,
    recipe: plainGptq(4, { symmetric: true }),
    peer: public4,
    source: "gptq",
  },
  {
    name: "smollm2-gptq-defaults",
    title: "135M llama, GPTQ 4 bits, our defaults",
    shape: "smollm2-135m",
    size: smollm2,
    defaults: true,
    recipe: gptq(4),
    peer: public4,
    source: "gptq",
  },
  {
    name: "smollm2-sparsegpt",
    title: "135M llama, SparseGPT 50%",
    shape: "smollm2-135m",
    size: smollm2,
    recipe: plainSparsegpt,
    peer: ["--sparsity", "0.5"],
    source: "sparsegpt",
  },
  {
    name: "gemma3-gptq",
    title: "Gemma 3 270m, GPTQ 3 bits, plain",
    size: gemma3,
    recipe: plainGptq(3),
    peer: public3,
    source: "gptq",
  },
  {
    name: "gemma3-gptq-defaults",
    title: "Gemma 3 270m, GPTQ 3 bits, our defaults",
    size: gemma3,
    defaults: true,
    recipe: gptq(3),
    peer: public3,
    source: "gptq",
  },
  {
    name: "gemma3-sparsegpt",
    title: "Gemma 3 270m, SparseGPT 50%",
    size: gemma3,
    recipe: plainSparsegpt,
    peer: ["--sparsity", "0.5"],
    source: "sparsegpt",
  },
  {
    name: "gemma3-gptq-128",
    title: "Gemma 3 270m, GPTQ 3 bits, plain, 128 segments",
    size: { ...gemma3, segments: 128 },
    recipe: plainGptq(3),
    peer: public3,
    source: "gptq",
  },
  {
    name: "llama-1024-gptq",
    title: "llama of width 1024, GPTQ 4 bits, plain",
    shape: "llama-1024",
    size: llama1024,
    recipe: plainGptq(4, { symmetric: true }),
    peer: public4,
    source: "gptq",
  },
];
