/** One way to compress: what a recipe says about it. */
export interface Variant {
  readonly name: string;
  readonly propagation: "dense" | "sequential" | "true-sequential";
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

/** Variants that are tabled together, on the same texts. */
export interface VariantSet {
  readonly model: string;
  readonly segments: number;
  readonly windows: number;
  /**
   * What the held-out texts are for: `choice`, the best on the validation texts beside the first two, the baseline and the plain
   * one; `all`, every variant, after the validation texts; `only`, every variant, and nothing is measured on the validation texts.
   */
  readonly heldOut: "choice" | "all" | "only";
  readonly variants: readonly Variant[];
}

const bloom = "datasets/controlled-bloom";

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
const symmetricOfEqualBits = { symmetric: true, groupSize: 52 } as const;

/** The quantising solvers at their defaults, group 64, every block after the ones before it are compressed. */
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

const grids = [
  ["asymmetric", { groupSize: 64 }],
  ["asymmetric, zero points from 1", { groupSize: 64, minZeroPoint: 1 }],
  ["symmetric", symmetricOfEqualBits],
] as const;

/** Asymmetric and symmetric grids of as many bits a weight, and grids with zero points from 1. */
const gridVariants = (bits: number): readonly Variant[] =>
  (["rtn", "awq", "gptq", "sparsegpt"] as const).flatMap((solver) =>
    grids.map(([name, grid]) => ({
      name: `${solver}, ${bits} bits, ${name}`,
      propagation: "dense",
      order: solver === "gptq" ? `group-aware:${grid.groupSize}` : "natural",
      compress: { solver, bits, ...grid, ...(solver === "sparsegpt" && { sparsity: 0.5 }) },
      normaliseTokens: false,
    })),
  );

export const variantSets: Readonly<Record<string, VariantSet>> = {
  gptq: { model: bloom, segments: 128, windows: 24, heldOut: "choice", variants: [roundToNearest, ...gptqVariants] },
  "solvers-3bit": { model: bloom, segments: 64, windows: 24, heldOut: "all", variants: solverVariants(3) },
  "solvers-4bit": { model: bloom, segments: 64, windows: 24, heldOut: "all", variants: solverVariants(4) },
  grids: {
    model: "datasets/controlled-llama",
    segments: 64,
    windows: 12,
    heldOut: "only",
    variants: [...gridVariants(3), ...gridVariants(2)],
  },
};
