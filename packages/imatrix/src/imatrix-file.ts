import { at, BadDataError, languageWeights } from "@mbs/contracts";
import type { LanguageMix } from "@mbs/contracts";
import { writeGguf } from "@mbs/gguf";
import type { GgufField, GgufWrittenTensor } from "@mbs/gguf";
import { columnsInOrder } from "@mbs/numbers";
import type { ImatrixEntry } from "./imatrix-entries.ts";
import { describeMix } from "./imatrix-mix.ts";
import type { NamedMix } from "./imatrix-mix.ts";
import type { SiteKey, ScratchDiagonals } from "./scratch-diagonals.ts";

/** Statistics do not know how long their segments were; this is llama.cpp's usual length. */
const chunkSize = 512;

const float32 = 0; // ggml's number of the type

/** Sums of one site in a mix. */
interface MixedSums {
  /** Σx² of each channel, over as many tokens as the mixed languages have. */
  readonly squares: Float32Array;
  /** Those tokens; 0 where none of them reached the site, an expert's. */
  readonly tokens: number;
}

/** T·Σ wₗ·E[x²]ₗ, T the tokens of the languages that weigh more than 0. */
function mixSums(diagonals: ScratchDiagonals, key: SiteKey, width: number, mix: LanguageMix | undefined): MixedSums {
  const seen = diagonals.tokens(key);
  if (seen.size === 0) {
    const [block, site] = key;
    throw new BadDataError(`no statistics of ${block} ${site}; give those of every block, with all sites`, { block, site });
  }
  const used = Object.entries(languageWeights(seen, mix)).filter(([, weight]) => weight > 0);
  const tokens = used.reduce((sum, [language]) => sum + (seen.get(language) ?? 0), 0);
  const sums = new Float64Array(width);
  for (const [language, weight] of used) {
    for (const [channel, square] of diagonals.read(key, language).entries()) {
      sums[channel] = at(sums, channel) + tokens * weight * square;
    }
  }
  const squares = Float32Array.from(sums);
  // llama.cpp takes a count of 0 as a weight of 1 for every channel; sums of 0 would leave it nothing to weigh by
  return { squares, tokens: squares.some((square) => square > 0) ? tokens : 0 };
}

/**
 * An importance matrix as llama-imatrix writes it, in pieces: of each weight the sums of squares of its input channels, and how
 * many tokens they are of.
 *
 * @throws {BadDataError} on a site without statistics
 * @see https://github.com/ggml-org/llama.cpp/blob/master/tools/imatrix/imatrix.cpp
 */
export async function* imatrixFile(
  entries: readonly ImatrixEntry[],
  diagonals: ScratchDiagonals,
  mix: NamedMix,
): AsyncGenerator<Uint8Array> {
  const [first] = entries;
  const seen = first?.sites[0] === undefined ? new Map<string, number>() : diagonals.tokens(first.sites[0]);
  const weights = languageWeights(seen, mix.weights);
  const tokens = [...seen].reduce((sum, [language, count]) => ((weights[language] ?? 0) > 0 ? sum + count : sum), 0);
  const metadata = new Map<string, GgufField>([
    ["general.type", { type: "string", value: "imatrix" }],
    ["imatrix.datasets", { type: "array", of: "string", value: describeMix(mix, seen) }],
    ["imatrix.chunk_count", { type: "u32", value: Math.ceil(tokens / chunkSize) }],
    ["imatrix.chunk_size", { type: "u32", value: chunkSize }],
  ]);
  // both tensors of an entry follow each other and need the same sums
  let mixed: { readonly entry: ImatrixEntry; readonly sums: readonly MixedSums[] } | undefined;
  const sumsOf = (entry: ImatrixEntry): readonly MixedSums[] => {
    if (mixed?.entry !== entry) {
      const { sites, width, columns } = entry;
      const sums = sites.map((key) => mixSums(diagonals, key, width, mix.weights));
      mixed = {
        entry,
        sums: columns ? sums.map((own) => ({ ...own, squares: columnsInOrder(own.squares, columns) })) : sums,
      };
    }
    return mixed.sums;
  };
  const parts = entries.flatMap((entry) => {
    const { name, width, sites } = entry;
    return (["in_sum2", "counts"] as const).map((part) => {
      const shape = [sites.length, part === "in_sum2" ? width : 1];
      const bytes = 4 * sites.length * (part === "in_sum2" ? width : 1);
      const tensor: GgufWrittenTensor = { name: `${name}.${part}`, type: float32, shape, bytes };
      const content = (): Float32Array[] =>
        sumsOf(entry).map(({ squares, tokens: count }) => (part === "in_sum2" ? squares : Float32Array.of(count)));
      return [tensor, content] as const;
    });
  });
  const contents = new Map(parts);
  yield* writeGguf(
    metadata,
    parts.map(([tensor]) => tensor),
    (tensor) => (contents.get(tensor)?.() ?? []).map((values) => new Uint8Array(values.buffer)),
  );
}
