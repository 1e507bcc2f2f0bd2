/** How large the demo is. Everything that its numbers depend on stands here and is printed with them. */
export interface DemoSettings {
  readonly segments: number;
  /** Tokens a segment and a window. */
  readonly length: number;
  /** Windows a language in evaluation, at most. */
  readonly windows: number;
  /** Seeds of sampling; each repeats the whole experiment. */
  readonly seeds: readonly number[];
}

export const quickSettings: DemoSettings = { segments: 128, length: 256, windows: 12, seeds: [0] };

export const fullSettings: DemoSettings = { segments: 256, length: 256, windows: 48, seeds: [0, 1, 2] };

/** A way to compress, as `mbs compress` takes it. */
export interface DemoMethod {
  readonly name: string;
  readonly title: string;
  readonly options: Readonly<Record<string, unknown>>;
  /** Column order for `mbs solve`. */
  readonly order: string;
}

/** The first leads the screen; the others stand beside it on the page. */
export const demoMethods: readonly DemoMethod[] = [
  { name: "sparsegpt", title: "SparseGPT 50%", options: { solver: "sparsegpt", sparsity: 0.5 }, order: "natural" },
  { name: "wanda", title: "Wanda 50%", options: { solver: "wanda", sparsity: 0.5 }, order: "natural" },
  {
    name: "gptq",
    title: "GPTQ 3-bit, group 64",
    options: { solver: "gptq", bits: 3, groupSize: 64, symmetric: false },
    order: "natural",
  },
];

/** A calibration mix: the same number of segments each, so that all have the same token budget. */
export interface DemoMix {
  readonly name: string;
  readonly title: string;
  /** `--mix` of `mbs sample`. */
  readonly mix: string;
}

export const demoMixes: readonly DemoMix[] = [
  { name: "english", title: "English-only", mix: "only:en" },
  { name: "equal", title: "equal", mix: "equal" },
  { name: "proportional", title: "proportional", mix: "proportional" },
];

export const denseLabel = "dense";

/** The label of a compressed model in scores. */
export const modelLabel = (method: DemoMethod, mix: DemoMix): string => `${method.name}-${mix.name}`;
