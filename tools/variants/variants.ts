/** One way to run GPTQ: what a recipe says about it. */
export interface Variant {
  readonly name: string;
  readonly propagation: "sequential" | "true-sequential";
  readonly compress: Readonly<Record<string, string | number | boolean>>;
}

const base = { solver: "gptq", bits: 4, groupSize: 64, symmetric: true } as const;

const variant = (
  name: string,
  compress: Variant["compress"] = {},
  propagation: Variant["propagation"] = "sequential",
): Variant => ({
  name,
  propagation,
  compress: { ...base, ...compress },
});

/** GPTQ at 4 bits, group 64, symmetric: the settings that are tabled. The first is the plain loop. */
export const variants: readonly Variant[] = [
  variant("natural"),
  variant("natural, updated grids", { gridRule: "updated" }),
  variant("natural, MSE grid", { mse: true }),
  variant("natural, true-sequential", {}, "true-sequential"),
  variant("activation", { order: "activation" }),
  variant("activation, static groups", { order: "activation", staticGroups: true }),
  variant("group-aware", { order: "group-aware" }),
  variant("group-aware, MSE grid", { order: "group-aware", mse: true }),
  variant("group-aware, true-sequential", { order: "group-aware" }, "true-sequential"),
  variant("group-aware, MSE grid, true-sequential", { order: "group-aware", mse: true }, "true-sequential"),
];

export const roundToNearest: Variant = {
  name: "round to nearest",
  propagation: "sequential",
  compress: { solver: "rtn", bits: 4, groupSize: 64, symmetric: true },
};
