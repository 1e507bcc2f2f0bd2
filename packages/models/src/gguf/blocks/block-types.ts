import type { WeightDtype } from "@mbs/numbers";
import { decodeIQ4NL, decodeIQ4XS } from "./iq4-blocks.ts";
import { decodeQ2K, decodeQ3K, decodeQ4K, decodeQ5K, decodeQ6K } from "./k-blocks.ts";
import { decodeQ40, decodeQ41, decodeQ50, decodeQ51, decodeQ80 } from "./legacy-blocks.ts";

/** How a tensor of a GGUF file is stored. */
export interface BlockType {
  /** As ggml calls it: "Q4_K". */
  readonly name: string;
  /** Values of a block; 1 where each value is stored by itself. */
  readonly values: number;
  /** Bytes of a block. */
  readonly bytes: number;
  /** The dtype of values that are stored by themselves; absent for blocks, integers and float64. */
  readonly plain?: WeightDtype;
  /**
   * The values of whole blocks, bit-equal to ggml's. Absent for plain values and for types that are not read.
   *
   * @param bytes of as many blocks as `target` has values for
   */
  readonly decode?: (bytes: Uint8Array, target: Float32Array) => void;
}

const block = (name: string, values: number, bytes: number, decode?: BlockType["decode"]): BlockType => ({
  name,
  values,
  bytes,
  ...(decode && { decode }),
});

const plain = (name: string, bytes: number, dtype?: WeightDtype): BlockType => ({
  name,
  values: 1,
  bytes,
  ...(dtype !== undefined && { plain: dtype }),
});

/** The types by their number in the file (`ggml_type`). Numbers of types that ggml has removed are not among them. */
export const blockTypes: ReadonlyMap<number, BlockType> = new Map([
  [0, plain("F32", 4, "f32")],
  [1, plain("F16", 2, "f16")],
  [2, block("Q4_0", 32, 18, decodeQ40)],
  [3, block("Q4_1", 32, 20, decodeQ41)],
  [6, block("Q5_0", 32, 22, decodeQ50)],
  [7, block("Q5_1", 32, 24, decodeQ51)],
  [8, block("Q8_0", 32, 34, decodeQ80)],
  [9, block("Q8_1", 32, 40)],
  [10, block("Q2_K", 256, 84, decodeQ2K)],
  [11, block("Q3_K", 256, 110, decodeQ3K)],
  [12, block("Q4_K", 256, 144, decodeQ4K)],
  [13, block("Q5_K", 256, 176, decodeQ5K)],
  [14, block("Q6_K", 256, 210, decodeQ6K)],
  [15, block("Q8_K", 256, 292)],
  [16, block("IQ2_XXS", 256, 66)],
  [17, block("IQ2_XS", 256, 74)],
  [18, block("IQ3_XXS", 256, 98)],
  [19, block("IQ1_S", 256, 50)],
  [20, block("IQ4_NL", 32, 18, decodeIQ4NL)],
  [21, block("IQ3_S", 256, 110)],
  [22, block("IQ2_S", 256, 82)],
  [23, block("IQ4_XS", 256, 136, decodeIQ4XS)],
  [24, plain("I8", 1)],
  [25, plain("I16", 2)],
  [26, plain("I32", 4)],
  [27, plain("I64", 8)],
  [28, plain("F64", 8)],
  [29, block("IQ1_M", 256, 56)],
  [30, plain("BF16", 2, "bf16")],
  [34, block("TQ1_0", 256, 54)],
  [35, block("TQ2_0", 256, 66)],
  [39, block("MXFP4", 32, 17)],
  [40, block("NVFP4", 64, 36)],
]);

/** Whether weights of this type can be read. */
export const isReadable = ({ plain, decode }: BlockType): boolean => plain !== undefined || decode !== undefined;

/** Names of the types that can be read. */
export const readableTypes: readonly string[] = [...blockTypes.values()].filter(isReadable).map(({ name }) => name);
