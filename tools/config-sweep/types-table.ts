import type { SweepResults } from "../../packages/models/test/config-sweep/sweep.ts";

/** Model types: which models have them, and what is special about them. */
const types: ReadonlyMap<string, readonly [string, string]> = new Map([
  ["bloom", ["BLOOM, BLOOMZ", "linear bias (ALiBi), a norm after the embedding"]],
  ["gemma2", ["Gemma 2", "every other block sees a window; soft caps; norms after attention and MLP"]],
  [
    "gemma3_text",
    ["Gemma 3, text only (1B)", "local and global blocks, each kind with its own rotary base; norms of query and key heads"],
  ],
  ["gpt2", ["GPT-2 and its kin", "learned positions; weights stored as [in, out]"]],
  ["gpt_neox", ["GPT-NeoX, Pythia", "parallel or serial residual; a share of each head turns"]],
  ["granite", ["Granite 3 (dense)", "a Llama with factors on the embedding, attention, what a block adds, and logits"]],
  ["llama", ["Llama 1 to 3, SmolLM, TinyLlama, …", "grouped keys; scaling `linear`, `llama3`, `yarn` and `longrope`"]],
  ["mistral", ["Mistral 7B", "a window in every block, in some by `layer_types`, or none"]],
  ["mixtral", ["Mixtral", "experts: statistics and weights of each by itself, see below"]],
  ["mt5", ["mT5", "encoder-decoder, see below; positions are biases by distance"]],
  ["phi3", ["Phi-3 and 3.5 mini, 4k and 128k", "query, key and value in one matrix, gate and up in another; scaling `longrope`"]],
  ["qwen2", ["Qwen 2, 2.5 (dense)", "biases of query, key and value; scaling `yarn`"]],
  ["qwen2_moe", ["Qwen 1.5 MoE, Qwen 2 MoE", "experts in every block, and one that all tokens share, with a gate of its own"]],
  ["qwen3", ["Qwen 3 (dense)", "norms of query and key heads; scaling `yarn`"]],
  ["t5", ["T5, T5 1.1, Flan-T5", "encoder-decoder, see below; positions are biases by distance"]],
  ["xglm", ["XGLM", "sinusoidal positions, scaled embedding"]],
]);

function typesTable({ bases }: SweepResults): string {
  const all = Object.values(bases);
  const rows = [...types].map(([type, [models, special]]) => {
    const own = all.filter((result) => result.type === type);
    const sum = (count: (result: (typeof own)[number]) => number): number => own.reduce((all, result) => all + count(result), 0);
    const refusedHere = sum((result) => result.refusedHere.length);
    const largest = Math.max(...own.map(({ difference }) => difference)).toExponential(1);
    return `| \`${type}\` | ${models} | ${special} | ${sum(({ cases }) => cases)} | ${sum(({ agree }) => agree)} | ${refusedHere} | ${largest} |`;
  });
  return [
    "| `model_type` | models | what is special | configurations | read alike | refused here alone | largest difference |",
    "|---|---|---|---:|---:|---:|---:|",
    ...rows,
  ].join("\n");
}

const [start, end] = ["<!-- the table of types is made by tools/config-sweep/run.ts -->", "<!-- end of the table of types -->"];

/** A page with a new table of types between its two marks. */
export function withTypesTable(page: string, results: SweepResults): string {
  const [before, after] = [page.indexOf(start), page.indexOf(end)];
  if (before < 0 || after < before) throw new Error(`the page has no ${start} … ${end}`);
  return `${page.slice(0, before + start.length)}\n\n${typesTable(results)}\n\n${page.slice(after)}`;
}
