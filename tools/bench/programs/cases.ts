/** A program's settings on one model, measured against the public program that does the same. */
export interface BenchCase {
  readonly name: string;
  readonly title: string;
  /** Name of a shape of make_model.py; absent: the real model. */
  readonly shape?: string;
  readonly segments: number;
  readonly length: number;
  /** Keys of a recipe: factor and compress. */
  readonly recipe: Readonly<Record<string, unknown>>;
  /** Arguments of tools/compare/peers/public_programs.py. */
  readonly peer: readonly string[];
  readonly source: "gptq" | "sparsegpt";
}

const plain = { factor: { order: "natural" } };
const gptq = (bits: number, given = {}): Record<string, unknown> => ({
  compress: { solver: "gptq", bits, "group-size": 64, ...given },
});
const tokens = { segments: 32, length: 512 };
const public4 = ["--bits", "4", "--group-size", "64", "--symmetric"];
const public3 = ["--bits", "3", "--group-size", "64"];

/** Ours at the same settings as the public program, and at its defaults. */
export const cases: readonly BenchCase[] = [
  {
    name: "smollm2-gptq",
    title: "135M llama, GPTQ 4 bits, natural order, no search",
    shape: "smollm2-135m",
    ...tokens,
    recipe: { ...plain, ...gptq(4, { symmetric: true, mse: false }) },
    peer: public4,
    source: "gptq",
  },
  {
    name: "smollm2-gptq-defaults",
    title: "135M llama, GPTQ 4 bits, our defaults",
    shape: "smollm2-135m",
    ...tokens,
    recipe: gptq(4),
    peer: public4,
    source: "gptq",
  },
  {
    name: "smollm2-sparsegpt",
    title: "135M llama, SparseGPT 50%",
    shape: "smollm2-135m",
    ...tokens,
    recipe: { compress: { solver: "sparsegpt", sparsity: 0.5 } },
    peer: ["--sparsity", "0.5"],
    source: "sparsegpt",
  },
  {
    name: "gemma3-gptq",
    title: "Gemma 3 270m, GPTQ 3 bits, natural order, no search",
    ...tokens,
    recipe: { ...plain, ...gptq(3, { mse: false }) },
    peer: public3,
    source: "gptq",
  },
  {
    name: "gemma3-gptq-defaults",
    title: "Gemma 3 270m, GPTQ 3 bits, our defaults",
    ...tokens,
    recipe: gptq(3),
    peer: public3,
    source: "gptq",
  },
  {
    name: "gemma3-sparsegpt",
    title: "Gemma 3 270m, SparseGPT 50%",
    ...tokens,
    recipe: { compress: { solver: "sparsegpt", sparsity: 0.5 } },
    peer: ["--sparsity", "0.5"],
    source: "sparsegpt",
  },
  {
    name: "llama-1024-gptq",
    title: "llama of width 1024, GPTQ 4 bits, natural order, no search",
    shape: "llama-1024",
    segments: 32,
    length: 2048,
    recipe: { ...plain, ...gptq(4, { symmetric: true, mse: false }) },
    peer: public4,
    source: "gptq",
  },
];
