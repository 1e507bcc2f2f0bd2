import type { StageOptions } from "@mbs/contracts";

/** A mix of calibration text, as `mbs sample --mix` takes it. */
export const mixes: Readonly<Record<string, string>> = { english: "en=1", equal: "equal", proportional: "proportional" };

/** Options of `compress` by the name of a method. Those that look at no text are run once, not once a mix. */
export const methods: Readonly<Record<string, { readonly compress: StageOptions; readonly withoutText?: true }>> = {
  "gptq-4": { compress: { solver: "gptq", bits: 4, "group-size": 64 } },
  "gptq-3": { compress: { solver: "gptq", bits: 3, "group-size": 64 } },
  "gptq-2": { compress: { solver: "gptq", bits: 2, "group-size": 64 } },
  "sparsegpt-50": { compress: { solver: "sparsegpt", sparsity: 0.5 } },
  "wanda-50": { compress: { solver: "wanda", sparsity: 0.5 } },
  "rtn-4": { compress: { solver: "rtn", bits: 4, "group-size": 64 }, withoutText: true },
  "rtn-3": { compress: { solver: "rtn", bits: 3, "group-size": 64 }, withoutText: true },
  "rtn-2": { compress: { solver: "rtn", bits: 2, "group-size": 64 }, withoutText: true },
};

/** How much text is used: segments of calibration, their tokens, and held-out windows of 512 tokens a language. */
export const sizes = {
  quick: { segments: 32, length: 512, windows: 16 },
  full: { segments: 128, length: 1024, windows: 64 },
} as const;

/** A compressed model of the comparison. */
export interface Row {
  /** "gptq-3 proportional"; of methods that look at no text the method alone. */
  readonly name: string;
  readonly method: string;
  readonly mix: string;
}

/** All rows of the methods that are asked for. */
export const rowsOf = (wanted: readonly string[]): readonly Row[] =>
  wanted.flatMap((method) =>
    methods[method]?.withoutText === true
      ? [{ name: method, method, mix: "proportional" }]
      : Object.keys(mixes).map((mix) => ({ name: `${method} ${mix}`, method, mix })),
  );
