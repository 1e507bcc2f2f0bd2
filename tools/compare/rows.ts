import type { StageOptions } from "@mbs/contracts";

/** A mix of calibration text. */
export interface Mix {
  /** As tables and plots call it, where its name is not that. */
  readonly title?: string;
  /** How much text of which language is drawn, as `mbs sample --mix` takes it. */
  readonly text: string;
}

/** Mixes by name. */
export const mixes: Readonly<Record<string, Mix>> = {
  english: { title: "English-only", text: "only:en" },
  equal: { text: "equal" },
  proportional: { text: "proportional" },
};

/** A method of this project. */
export interface Method {
  readonly title: string;
  /** Options of `compress`. */
  readonly compress: StageOptions;
  /** Options of other stages, where they are not a recipe's defaults. */
  readonly stages?: Readonly<Partial<Record<"capture" | "factor" | "rotate" | "allocate" | "assemble", StageOptions>>>;
  /** Looks at no text, so that it is run once, not once a mix. */
  readonly withoutText?: true;
}

/** Groups of 64 columns, symmetric above 3 bits alone: stated, so that rows of two versions with other defaults can be compared. */
const quantised = (solver: string, bits: number): StageOptions => ({ solver, bits, "group-size": 64, symmetric: bits > 3 });

const widths = [4, 3, 2] as const;

/** Methods by name. */
export const methods: Readonly<Record<string, Method>> = {
  "gptq-4": { title: "GPTQ 4 bits", compress: quantised("gptq", 4) },
  "gptq-3": { title: "GPTQ 3 bits", compress: quantised("gptq", 3) },
  "gptq-2": { title: "GPTQ 2 bits", compress: quantised("gptq", 2) },
  "sparsegpt-50": { title: "SparseGPT 50%", compress: { solver: "sparsegpt", sparsity: 0.5 } },
  "alps-50": { title: "ALPS 50%", compress: { solver: "alps", sparsity: 0.5 } },
  "alps-50-damage": {
    title: "ALPS 50%, sparsities by damage",
    compress: { solver: "alps", sparsity: 0.5 },
    stages: { allocate: { method: "pruning-damage" } },
  },
  "sparsegpt-2-4": { title: "SparseGPT 2:4", compress: { solver: "sparsegpt", pattern: "2:4" } },
  "alps-2-4": { title: "ALPS 2:4", compress: { solver: "alps", pattern: "2:4" } },
  "wanda-50": { title: "Wanda 50%", compress: { solver: "wanda", sparsity: 0.5 } },
  "rtn-4": { title: "RTN 4 bits", compress: quantised("rtn", 4), withoutText: true },
  "rtn-3": { title: "RTN 3 bits", compress: quantised("rtn", 3), withoutText: true },
  "rtn-2": { title: "RTN 2 bits", compress: quantised("rtn", 2), withoutText: true },
};

/** An option of GPTQ, or several: everything that is not named is off, and the order is the group-aware one. */
interface OptionRow {
  readonly title: string;
  /** Options of `compress`. */
  readonly compress?: StageOptions;
  readonly order?: string;
  readonly normaliseTokens?: true;
}

/**
 * GPTQ's options alone and together, by name. All together are the defaults of a recipe, stated here, so that the table stays
 * one when defaults change.
 */
const optionRows: Readonly<Record<string, OptionRow>> = {
  plain: { title: "plain loop, natural order", order: "natural" },
  order: { title: "group-aware order" },
  error: { title: "order, `search: error`", compress: { search: "error" } },
  hessian: { title: "order, `search: hessian`", compress: { search: "hessian" } },
  sweeps: { title: "order, sweeps", compress: { sweeps: 4 } },
  tokens: { title: "order, normalised tokens", normaliseTokens: true },
  qep: { title: "order, QEP", compress: { qep: 0.5 } },
  "qep-tokens": { title: "order, QEP, normalised tokens", compress: { qep: 0.5 }, normaliseTokens: true },
  "hessian-sweeps": { title: "order, `search: hessian`, sweeps", compress: { search: "hessian", sweeps: 4 } },
  "all-but-tokens": { title: "all but normalised tokens", compress: { search: "hessian", sweeps: 4, qep: 0.5 } },
  "all-but-sweeps": { title: "all but sweeps", compress: { search: "hessian", qep: 0.5 }, normaliseTokens: true },
  "all-but-search": { title: "all but the search", compress: { sweeps: 4, qep: 0.5 }, normaliseTokens: true },
  "all-but-qep": { title: "all but QEP", compress: { search: "hessian", sweeps: 4 }, normaliseTokens: true },
  all: { title: "all (the defaults)", compress: { search: "hessian", sweeps: 4, qep: 0.5 }, normaliseTokens: true },
};

const optionsAt = (bits: number): Readonly<Record<string, Method>> =>
  Object.fromEntries(
    Object.entries(optionRows).map(([name, { title, compress, order = "group-aware:64", normaliseTokens = false }]) => [
      `gptq-${bits}-${name}`,
      {
        title,
        compress: { ...quantised("gptq", bits), search: "none", sweeps: 0, qep: 0, ...compress },
        stages: { factor: { order }, capture: { "normalise-tokens": normaliseTokens } },
      },
    ]),
  );

/** A recipe's defaults on a rotated model. R1 cannot be fused into every model, so a rotation is asked for by name. */
const rotationsAt = (bits: number): Readonly<Record<string, Method>> => ({
  [`gptq-${bits}-rotated`]: {
    title: "all, rotated (R1 and R2)",
    compress: quantised("gptq", bits),
    stages: { rotate: {} },
  },
  [`gptq-${bits}-values-rotated`]: {
    title: "all, values rotated (R2)",
    compress: quantised("gptq", bits),
    stages: { rotate: { stream: "none" } },
  },
});

/** GPTQ's options and rotations at each width, by name: "gptq-3-sweeps". They are run where they are asked for. */
export const gptqOptions: Readonly<Record<string, Method>> = Object.assign(
  {},
  ...widths.flatMap((bits) => [optionsAt(bits), rotationsAt(bits)]),
);

/** Type mixes of GGUF files that are set beside llama-quantize, by names of `mbs assemble --type`. */
export const comparedTypes = ["Q3_K_M", "Q2_K", "IQ3_S", "IQ3_XXS", "IQ2_S", "IQ2_XS", "IQ2_XXS"] as const;

/** GGUF files, whose types the solver rounds to: "gguf-IQ3_S". */
const ggufMethods: Readonly<Record<string, Method>> = Object.fromEntries(
  comparedTypes.map((type) => [
    `gguf-${type}`,
    { title: `GPTQ, ${type}`, compress: { solver: "gptq" }, stages: { assemble: { format: "gguf", type } } },
  ]),
);

/** Blocks of 4-bit floats that accelerators multiply by: "gptq-NVFP4", and to nearest "rtn-NVFP4". */
const floatMethods: Readonly<Record<string, Method>> = Object.fromEntries(
  ["MXFP4", "NVFP4"].flatMap((grid) =>
    ["gptq", "rtn"].map((solver) => [
      `${solver}-${grid}`,
      { title: `${solver.toUpperCase()} ${grid}`, compress: { solver, grid }, ...(solver === "rtn" && { withoutText: true }) },
    ]),
  ),
);

/** All methods by name; those that are not among `methods` are run where they are asked for. */
export const allMethods: Readonly<Record<string, Method>> = {
  ...methods,
  ...gptqOptions,
  ...ggufMethods,
  ...floatMethods,
};

/** Groups of names for `--methods`: "options-3" are the options at 3 bits, "rotations-3" their rotations, "gguf" all files. */
export const methodGroups: Readonly<Record<string, readonly string[]>> = {
  ...Object.fromEntries(
    widths.flatMap((bits) => [
      [`options-${bits}`, Object.keys(optionsAt(bits))],
      [`rotations-${bits}`, Object.keys(rotationsAt(bits))],
    ]),
  ),
  gguf: comparedTypes.flatMap((type) => [`llama-quantize-${type}`, `gguf-${type}`]),
  floats: Object.keys(floatMethods),
};

/** Tables of options by the name of their block: the lines, of which those that were made are shown. */
export const optionTables: Readonly<Record<string, readonly string[]>> = Object.fromEntries(
  widths.map((bits) => [`options-${bits}`, Object.keys({ ...optionsAt(bits), ...rotationsAt(bits) })]),
);

/** A program of others, run on the same tokens by a script of peers/. */
export interface Peer {
  readonly title: string;
  /** In Python, or in TypeScript by its ending. */
  readonly script: string;
  readonly args: readonly string[];
  /** The folder that it needs: a checkout, or one with node-llama-cpp and koffi. */
  readonly source?: "gptq" | "sparsegpt" | "llama";
  /** The method that it is compared with. */
  readonly against: string;
}

/** The options of a width for the scripts of peers/, as `quantised` states them for ours. */
const widthArgs = (bits: number): readonly string[] => [
  "--bits",
  String(bits),
  "--group-size",
  "64",
  ...(bits > 3 ? ["--symmetric"] : []),
];

/** A peer at each width, by name. */
const atWidths = (name: string, peerOf: (bits: number) => Omit<Peer, "args" | "against">): Readonly<Record<string, Peer>> =>
  Object.fromEntries(
    widths.map((bits) => [`${name}-${bits}`, { ...peerOf(bits), args: widthArgs(bits), against: `gptq-${bits}` }]),
  );

/** Peers by name. */
export const peers: Readonly<Record<string, Peer>> = {
  ...atWidths("public-gptq", (bits) => ({
    title: `public GPTQ program, ${bits} bits`,
    script: "public_programs.py",
    source: "gptq",
  })),
  "public-sparsegpt-50": {
    title: "public SparseGPT program, 50%",
    script: "public_programs.py",
    args: ["--sparsity", "0.5"],
    source: "sparsegpt",
    against: "sparsegpt-50",
  },
  "public-sparsegpt-2-4": {
    title: "public SparseGPT program, 2:4",
    script: "public_programs.py",
    args: ["--sparsity", "0.5", "--pattern", "2:4"],
    source: "sparsegpt",
    against: "sparsegpt-2-4",
  },
  ...atWidths("gptqmodel", (bits) => ({ title: `GPTQModel, ${bits} bits`, script: "gptqmodel_peer.py" })),
};

/** llama-quantize with our importance matrix of the same tokens, by name: "llama-quantize-IQ3_S". */
const ggufPeers: Readonly<Record<string, Peer>> = Object.fromEntries(
  comparedTypes.map((type) => [
    `llama-quantize-${type}`,
    {
      title: `llama-quantize with our matrix, ${type}`,
      script: "llama_quantize.ts",
      args: ["--type", type],
      source: "llama",
      against: `gguf-${type}`,
    },
  ]),
);

/** All peers by name; those that are not among `peers` are run where they are asked for. */
export const allPeers: Readonly<Record<string, Peer>> = { ...peers, ...ggufPeers };

/** A setting in which methods and peers are set side by side. */
export interface Setting {
  readonly title: string;
  /** The peer whose rise the others' are a share of. */
  readonly plain: string;
  /** Names of `peers` and `methods`, the plain one among them. */
  readonly rows: readonly string[];
}

/** The settings of docs/measured/real-models.md, Against other programs. */
export const settings: readonly Setting[] = [
  ...widths.map((bits) => ({
    title: `${bits} bits, ${bits > 3 ? "symmetric" : "asymmetric"}`,
    plain: `public-gptq-${bits}`,
    rows: [`public-gptq-${bits}`, `gptqmodel-${bits}`, `gptq-${bits}`],
  })),
  {
    title: "50% sparsity",
    plain: "public-sparsegpt-50",
    rows: ["public-sparsegpt-50", "sparsegpt-50", "alps-50", "alps-50-damage"],
  },
  { title: "2:4 sparsity", plain: "public-sparsegpt-2-4", rows: ["public-sparsegpt-2-4", "sparsegpt-2-4", "alps-2-4"] },
];

/** How much text is used: segments of calibration and their tokens, held-out windows of a language and their tokens. */
export const sizes = {
  controlled: { segments: 64, length: 256, windows: 12, windowLength: 256 },
  short: { segments: 32, length: 512, windows: 6, windowLength: 256 },
  quick: { segments: 32, length: 512, windows: 8, windowLength: 512 },
  full: { segments: 128, length: 1024, windows: 64, windowLength: 512 },
} as const;

/** A compressed model of the comparison. */
export interface Row {
  /** "gptq-3 proportional", "gptq-3 proportional draw 1"; of methods that look at no text the method alone. */
  readonly name: string;
  /** A name of `allMethods` or `allPeers`. */
  readonly method: string;
  readonly mix: string;
  /** Which draw of calibration text: the seed of `mbs sample`. */
  readonly draw: number;
}

/** Name of a mix and a draw of it, of which the first goes without its number. */
export const drawName = ({ mix, draw }: Pick<Row, "mix" | "draw">): string => (draw === 0 ? mix : `${mix} draw ${draw}`);

/** What a row is told apart by. */
export type RowKey = Pick<Row, "method" | "mix" | "draw">;

/** Name of a row. */
export const rowName = ({ method, mix, draw }: RowKey): string =>
  allMethods[method]?.withoutText === true ? method : `${method} ${drawName({ mix, draw })}`;

/** Rows with those of the same method, mix and draw replaced, which were made again and come last. */
export function replaceRows<R extends RowKey>(old: readonly R[], made: readonly R[]): readonly R[] {
  const isMade = (row: R): boolean =>
    made.some(({ method, mix, draw }) => method === row.method && mix === row.mix && draw === row.draw);
  return [...old.filter((row) => !isMade(row)), ...made];
}

/** All rows of the methods and peers that are asked for, with each of some mixes; draw by draw, so that all have the first ones. */
export const rowsOf = (wanted: readonly string[], chosen: readonly string[] = Object.keys(mixes), draws = 1): readonly Row[] =>
  Array.from({ length: draws }, (_, draw) => draw).flatMap((draw) =>
    wanted.flatMap((method): Row[] => {
      const isOnce = allMethods[method]?.withoutText === true;
      const mixes = isOnce ? (draw === 0 ? ["proportional"] : []) : chosen;
      return mixes.map((mix) => ({ name: rowName({ method, mix, draw }), method, mix, draw }));
    }),
  );

/** Draws of calibration text behind a row with an interval over draws. */
export const mostDraws = 5;

/** What files and folders of a row, or of a draw, are called: its name without blanks. */
export const fileStem = (row: string): string => row.replaceAll(" ", "-");
