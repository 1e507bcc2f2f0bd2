import { formatNames } from "../../packages/assembly/src/formats.ts";
import type { Rounding } from "../../packages/assembly/test/fixtures/quantised-model.ts";

/** The formats of the table's programs; GGUF files are for llama.cpp, which tools/gguf-check asks. */
export const loadFormats: readonly string[] = formatNames.filter((name) => name !== "gguf");

/** Layers that are written in every format. */
export interface LoadCase {
  readonly name: string;
  /** The column of the table that it stands in. */
  readonly kind: string;
  readonly rounding: (tensor: string, block: number) => Rounding | undefined;
}

const groupSize = 32;
const isExpert = (tensor: string): boolean => /\.experts\.\d+\./.test(tensor);
const isMlp = (tensor: string): boolean =>
  /mlp|feed_forward|experts|fc[12]|dense_4h_to_h|dense_h_to_4h|DenseReluDense/.test(tensor);

const grids = [
  { kind: "symmetric", symmetric: true },
  { kind: "asymmetric", symmetric: false },
] as const;

const uniform = grids.flatMap(({ kind, symmetric }) =>
  [2, 3, 4, 8].map((bits): LoadCase => ({ name: `${kind}-${bits}`, kind, rounding: () => ({ bits, groupSize, symmetric }) })),
);

/** Some layers on another grid than the rest, or dense. */
const uneven = grids.flatMap(({ kind, symmetric }): LoadCase[] => {
  const common: Rounding = { bits: 4, groupSize, symmetric };
  return [
    {
      name: `mixed-bits-${kind}`,
      kind: `mixed bits, ${kind}`,
      rounding: (tensor) => (isMlp(tensor) ? common : { ...common, bits: 8 }),
    },
    {
      name: `partial-${kind}`,
      kind: `partial, ${kind}`,
      rounding: (tensor, block) => (block === 0 || isMlp(tensor) ? common : undefined),
    },
  ];
});

const four: Rounding = { bits: 4, groupSize, symmetric: true };

export const loadCases: readonly LoadCase[] = [
  ...uniform,
  { name: "rows", kind: "symmetric", rounding: () => ({ ...four, groupSize: 0 }) },
  { name: "rows-asymmetric", kind: "asymmetric", rounding: () => ({ ...four, groupSize: 0, symmetric: false }) },
  ...uneven,
  {
    name: "mixed-groups",
    kind: "mixed groups",
    rounding: (tensor) => (isMlp(tensor) ? four : { ...four, groupSize: 0 }),
  },
  {
    name: "mixed-symmetry",
    kind: "mixed symmetry",
    rounding: (tensor) => ({ ...four, symmetric: isMlp(tensor) }),
  },
  {
    name: "mixed-experts",
    kind: "mixed experts",
    rounding: (tensor) => ({ ...four, bits: /\.experts\.[13]\./.test(tensor) ? 8 : 4 }),
  },
  {
    name: "partial-experts",
    kind: "partial experts",
    rounding: (tensor) => (tensor.includes(".experts.1.") ? undefined : four),
  },
  {
    name: "no-experts",
    kind: "no experts",
    rounding: (tensor) => (isExpert(tensor) ? undefined : four),
  },
  { name: "order", kind: "activation order", rounding: () => ({ ...four, scattered: true }) },
  { name: "pruned-rounded", kind: "pruned and rounded", rounding: () => ({ ...four, pruned: true }) },
  { name: "pruned", kind: "pruned", rounding: () => ({ pruned: true }) },
];

/** The cases of experts say nothing new of a model without any. */
export const concerns = (loadCase: LoadCase, tensors: readonly string[]): boolean =>
  !loadCase.kind.endsWith("experts") || tensors.some(isExpert);
