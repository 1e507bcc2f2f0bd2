import type { StageOptions } from "@mbs/contracts";

/** A mix of calibration text, as `mbs sample --mix` takes it. */
export const mixes: Readonly<Record<string, string>> = { english: "only:en", equal: "equal", proportional: "proportional" };

/** A method of this project. */
export interface Method {
  readonly title: string;
  /** Options of `compress`. */
  readonly compress: StageOptions;
  /** Looks at no text, so that it is run once, not once a mix. */
  readonly withoutText?: true;
}

const groups = { "group-size": 64 };

/** Methods by name. */
export const methods: Readonly<Record<string, Method>> = {
  "gptq-4": { title: "GPTQ 4 bits", compress: { solver: "gptq", bits: 4, ...groups } },
  "gptq-3": { title: "GPTQ 3 bits", compress: { solver: "gptq", bits: 3, ...groups } },
  "gptq-2": { title: "GPTQ 2 bits", compress: { solver: "gptq", bits: 2, ...groups } },
  "sparsegpt-50": { title: "SparseGPT 50%", compress: { solver: "sparsegpt", sparsity: 0.5 } },
  "wanda-50": { title: "Wanda 50%", compress: { solver: "wanda", sparsity: 0.5 } },
  "rtn-4": { title: "RTN 4 bits", compress: { solver: "rtn", bits: 4, ...groups }, withoutText: true },
  "rtn-3": { title: "RTN 3 bits", compress: { solver: "rtn", bits: 3, ...groups }, withoutText: true },
  "rtn-2": { title: "RTN 2 bits", compress: { solver: "rtn", bits: 2, ...groups }, withoutText: true },
};

/** A program of others, run on the same tokens by a script of peers/. */
export interface Peer {
  readonly title: string;
  readonly script: string;
  readonly args: readonly string[];
  /** The checkout that it needs. */
  readonly source?: "gptq" | "sparsegpt";
  /** The method that it is compared with. */
  readonly against: string;
}

/** Peers by name. */
export const peers: Readonly<Record<string, Peer>> = {
  "public-gptq-3": {
    title: "public GPTQ program, 3 bits",
    script: "public_programs.py",
    args: ["--bits", "3", "--group-size", "64"],
    source: "gptq",
    against: "gptq-3",
  },
  "public-sparsegpt-50": {
    title: "public SparseGPT program, 50%",
    script: "public_programs.py",
    args: ["--sparsity", "0.5"],
    source: "sparsegpt",
    against: "sparsegpt-50",
  },
  "gptqmodel-3": {
    title: "GPTQModel, 3 bits",
    script: "gptqmodel_peer.py",
    args: ["--bits", "3", "--group-size", "64"],
    against: "gptq-3",
  },
};

/** How much text is used: segments of calibration, their tokens, and held-out windows of 512 tokens a language. */
export const sizes = {
  quick: { segments: 32, length: 512, windows: 8 },
  full: { segments: 128, length: 1024, windows: 64 },
} as const;

/** A compressed model of the comparison. */
export interface Row {
  /** "gptq-3 proportional"; of methods that look at no text the method alone. */
  readonly name: string;
  /** A name of `methods` or of `peers`. */
  readonly method: string;
  readonly mix: string;
}

/** All rows of the methods and peers that are asked for. */
export const rowsOf = (wanted: readonly string[]): readonly Row[] =>
  wanted.flatMap((method) =>
    methods[method]?.withoutText === true
      ? [{ name: method, method, mix: "proportional" }]
      : Object.keys(mixes).map((mix) => ({ name: `${method} ${mix}`, method, mix })),
  );

/** The file name of a row's scores in the folder of the comparison. */
export const scoresFile = (row: string): string => `${row.replaceAll(" ", "-")}.scores.arrow`;
