/** One way to compress: what a recipe says about it. */
export interface Variant {
  readonly name: string;
  readonly propagation: "sequential" | "true-sequential";
  /** Column order of the factors; default the solver's preferred one. */
  readonly order?: string;
  readonly compress: Readonly<Record<string, string | number | boolean>>;
  /** Default the solver's preference. */
  readonly normaliseTokens?: boolean;
}

/** GPTQ without what came after it. */
const base = { solver: "gptq", search: "none", sweeps: 0, qep: 0, bits: 4, groupSize: 64, symmetric: true } as const;

const variant = (
  name: string,
  order: string,
  compress: Variant["compress"] = {},
  propagation: Variant["propagation"] = "sequential",
): Variant => ({ name, propagation, order, compress: { ...base, ...compress }, normaliseTokens: false });

const groupAware = `group-aware:${base.groupSize}`;

/** Variants that are tabled together. The first is the baseline, named in the second table too. */
export interface VariantSet {
  readonly segments: number;
  readonly windows: number;
  readonly variants: readonly Variant[];
}

/** GPTQ at 4 bits, group 64, symmetric. The first is the plain loop. */
const gptqVariants: readonly Variant[] = [
  variant("natural", "natural"),
  variant("natural, updated grids", "natural", { gridRule: "updated" }),
  variant("natural, MSE grid", "natural", { search: "error" }),
  variant("natural, true-sequential", "natural", {}, "true-sequential"),
  variant("activation", "activation"),
  variant("activation, static groups", "activation", { staticGroups: true }),
  variant("group-aware", groupAware),
  variant("group-aware, MSE grid", groupAware, { search: "error" }),
  variant("group-aware, true-sequential", groupAware, {}, "true-sequential"),
  variant("group-aware, MSE grid, true-sequential", groupAware, { search: "error" }, "true-sequential"),
];

const roundToNearest: Variant = {
  name: "round to nearest",
  propagation: "sequential",
  order: "natural",
  compress: { solver: "rtn", bits: 4, groupSize: 64, symmetric: true, search: "none" },
};

/**
 * Groups of a symmetric grid that has as many bits a weight as an asymmetric one in groups of 64, or a few more: 5 scales
 * of 16 bits in 256 columns, instead of 4 with a zero point of 2 or 3 bits each.
 */
export const symmetricOfEqualBits = { symmetric: true, groupSize: 52 } as const;

/** The quantising solvers at their defaults, group 64, every step after the ones before it are compressed. */
const solverVariants = (bits: number): readonly Variant[] =>
  (
    [
      ["rtn", {}],
      ["awq", {}],
      ["gptq", {}],
      ["gptaq", {}],
      ["gptaq", { alpha: 1 }],
      // what awq's two halves do alone
      ["rtn", { search: "error" }],
      ["awq", { clip: false }],
      ...(bits < 4 ? (["rtn", "awq", "gptq", "gptaq"] as const).map((name) => [name, symmetricOfEqualBits] as const) : []),
    ] as const
  ).map(([solver, options]) => ({
    name: [`${solver}, ${bits} bits`, ...Object.entries(options).map(([key, value]) => `${key} ${value}`)].join(", "),
    propagation: "sequential",
    compress: { solver, bits, groupSize: 64, ...options },
  }));

export const variantSets: Readonly<Record<string, VariantSet>> = {
  gptq: { segments: 128, windows: 24, variants: [roundToNearest, ...gptqVariants] },
  "solvers-3bit": { segments: 64, windows: 24, variants: solverVariants(3) },
  "solvers-4bit": { segments: 64, windows: 24, variants: solverVariants(4) },
};
