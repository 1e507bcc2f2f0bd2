import { quantisationTypeNamed, type QuantisationType } from "./quantisation-types.ts";

/** What llama.cpp takes where rows are no whole super-blocks (src/llama-quant.cpp, tensor_type_fallback). */
const fallbacks: ReadonlyMap<string, string> = new Map([
  ["Q2_K", "Q4_0"],
  ["Q3_K", "Q4_0"],
  ["IQ4_XS", "IQ4_NL"],
  ["IQ3_S", "IQ4_NL"],
  ["IQ3_XXS", "IQ4_NL"],
  ["IQ2_S", "IQ4_NL"],
  ["IQ2_XS", "IQ4_NL"],
  ["IQ2_XXS", "IQ4_NL"],
  ["Q4_K", "Q5_0"],
  ["Q5_K", "Q5_1"],
  ["Q6_K", "Q8_0"],
]);

/**
 * The type that a tensor gets where another was asked for: that one if its rows are whole blocks, else its fallback with blocks of
 * 32, else F16.
 *
 * @param name of the type that was asked for
 * @param columns of the tensor
 */
export function fittingType(name: string, columns: number): QuantisationType {
  const wanted = quantisationTypeNamed(name);
  if (columns % wanted.values === 0) return wanted;
  const smaller = quantisationTypeNamed(fallbacks.get(name) ?? "F16");
  return columns % smaller.values === 0 ? smaller : quantisationTypeNamed("F16");
}

/** "Q2_K or Q3_K" for Q4_0: the types that this one takes the place of where rows are no whole super-blocks; "" for none. */
export const replacedBy = (fallback: string): string =>
  [...fallbacks].flatMap(([name, taken]) => (taken === fallback ? [name] : [])).join(" or ");
