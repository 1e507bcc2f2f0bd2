/** A calibration mix as `mbs sample --mix` takes it, and how people call it. */
export interface DemoMix {
  readonly mix: string;
  readonly title: string;
}

/** A method: the recipe that describes it, and how people call it. */
export interface DemoMethod {
  readonly name: string;
  readonly title: string;
  readonly recipe: string;
}

/** What one demo does. */
export interface DemoPlan {
  readonly methods: readonly DemoMethod[];
  readonly mixes: readonly DemoMix[];
  readonly seeds: readonly number[];
  /** Calibration segments of every mix: the same for all, so that mixes differ in nothing else. */
  readonly segments: number;
  /** Tokens a segment and a window. */
  readonly length: number;
  /** Held-out windows of a language at most. */
  readonly windows: number;
  /** Held-out texts. */
  readonly evaluation: string;
  /** Tasks that the dense model and the first method's answer, and their folder. */
  readonly tasks: { readonly folder: string; readonly names: readonly string[] };
  /** Languages in which a sentence is completed. */
  readonly completions: readonly string[];
}

/** What one model is called in the scores. */
export const demoLabel = (method: string, mix: string, seed: number): string => `${method}/${mix}/${seed}`;

const shared = {
  methods: [
    { name: "sparsegpt", title: "SparseGPT 50%", recipe: "recipes/sparsegpt-50.yaml" },
    { name: "wanda", title: "Wanda 50%", recipe: "recipes/wanda-50.yaml" },
    { name: "gptq", title: "GPTQ 3-bit", recipe: "recipes/gptq-3bit.yaml" },
  ],
  mixes: [
    { mix: "only:en", title: "English-only" },
    { mix: "equal", title: "equal" },
    { mix: "proportional", title: "proportional" },
  ],
  length: 256,
  evaluation: "datasets/controlled-texts/heldout.yaml",
  // large and small languages; of the dense model te is at chance, and nothing may be claimed there
  tasks: {
    folder: "datasets/controlled-tasks",
    names: ["controlled_pairs_en", "controlled_pairs_ru", "controlled_pairs_de", "controlled_pairs_te"],
  },
  completions: ["en", "es"],
} as const;

/** Within minutes on two cores. */
export const quickPlan: DemoPlan = { ...shared, seeds: [0], segments: 64, windows: 12 };

/** The paper's number of segments, and three draws of them. */
export const fullPlan: DemoPlan = { ...shared, seeds: [0, 1, 2], segments: 256, windows: 48 };
