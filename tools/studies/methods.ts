/** A compression method with the settings that all studies use. */
export interface Method {
  readonly name: string;
  /** Options of `compress`. */
  readonly compress: Readonly<Record<string, string | number | boolean>>;
  /** Options of `factor`. */
  readonly factor: Readonly<Record<string, string | number>>;
}

const damping = 0.01;

export const sparsegpt = (sparsity = 0.5): Method => ({
  name: `SparseGPT ${Math.round(sparsity * 100)}%`,
  compress: { solver: "sparsegpt", sparsity },
  factor: { damping },
});

export const wanda: Method = { name: "Wanda 50%", compress: { solver: "wanda", sparsity: 0.5 }, factor: { damping } };

export const gptq = (bits = 3): Method => ({
  name: `GPTQ ${bits}-bit`,
  compress: { solver: "gptq", bits, groupSize: 64 },
  factor: { damping, order: "group-aware:64" },
});

/** The three methods of the paper. */
export const methods: readonly Method[] = [sparsegpt(), wanda, gptq()];
