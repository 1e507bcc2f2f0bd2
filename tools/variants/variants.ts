/** One way to run GPTQ: what a recipe says about it. */
export interface Variant {
  readonly name: string;
  readonly propagation: "sequential" | "true-sequential";
  /** Column order of the factors. */
  readonly order: string;
  readonly compress: Readonly<Record<string, string | number | boolean>>;
}

const base = { solver: "gptq", bits: 4, groupSize: 64, symmetric: true, mse: false } as const;

const variant = (
  name: string,
  order: string,
  compress: Variant["compress"] = {},
  propagation: Variant["propagation"] = "sequential",
): Variant => ({ name, propagation, order, compress: { ...base, ...compress } });

const groupAware = `group-aware:${base.groupSize}`;

/** GPTQ at 4 bits, group 64, symmetric: the settings that are tabled. The first is the plain loop. */
export const variants: readonly Variant[] = [
  variant("natural", "natural"),
  variant("natural, updated grids", "natural", { gridRule: "updated" }),
  variant("natural, MSE grid", "natural", { mse: true }),
  variant("natural, true-sequential", "natural", {}, "true-sequential"),
  variant("activation", "activation"),
  variant("activation, static groups", "activation", { staticGroups: true }),
  variant("group-aware", groupAware),
  variant("group-aware, MSE grid", groupAware, { mse: true }),
  variant("group-aware, true-sequential", groupAware, {}, "true-sequential"),
  variant("group-aware, MSE grid, true-sequential", groupAware, { mse: true }, "true-sequential"),
];

export const roundToNearest: Variant = {
  name: "round to nearest",
  propagation: "sequential",
  order: "natural",
  compress: { ...base, solver: "rtn" },
};
