import { UsageError } from "@mbs/contracts";
import type { WeightDtype } from "@mbs/numbers";
import { codebookDecoder } from "../codebooks/codebook-blocks.ts";
import { codebooks, superColumns } from "../codebooks/codebooks.ts";
import { decodeIQ4NL, decodeIQ4XS } from "./iq4-blocks.ts";
import { decodeQ2K, decodeQ3K, decodeQ4K, decodeQ5K, decodeQ6K } from "./k-blocks.ts";
import { decodeQ40, decodeQ41, decodeQ50, decodeQ51, decodeQ80 } from "./legacy-blocks.ts";
import { decodeMxfp4 } from "./mxfp4.ts";
import { decodeNvfp4 } from "./nvfp4.ts";

/** How a tensor of a GGUF file is stored, or weights whose blocks no such file has. */
export interface QuantisationType {
  /** Its number in files (`ggml_type`); absent for blocks that no GGUF file has. */
  readonly number?: number;
  /** As ggml calls it: "Q4_K". */
  readonly name: string;
  /** Values of a block; 1 where each value is stored by itself. */
  readonly values: number;
  /** Bytes of a block. */
  readonly bytes: number;
  /** Bits of a value in the files that hold it, where those are fewer than a block here has. */
  readonly storedBits?: number;
  /** The dtype of values that are stored by themselves; absent for blocks, integers and float64. */
  readonly plain?: WeightDtype;
  /**
   * The values of whole blocks, bit-equal to ggml's. Absent for plain values and for types that are not read.
   *
   * @param bytes of as many blocks as `target` has values for
   */
  readonly decode?: (bytes: Uint8Array, target: Float32Array) => void;
}

type FileType = QuantisationType & { readonly number: number };

const block = (number: number, name: string, values: number, bytes: number, decode?: QuantisationType["decode"]): FileType => ({
  number,
  name,
  values,
  bytes,
  ...(decode && { decode }),
});

/** A codebook type. */
const coded = (number: number, name: keyof typeof codebooks): FileType =>
  block(number, name, superColumns, codebooks[name].layout.bytes, codebookDecoder(codebooks[name]));

const plain = (number: number, name: string, bytes: number, dtype?: WeightDtype): FileType => ({
  number,
  name,
  values: 1,
  bytes,
  ...(dtype !== undefined && { plain: dtype }),
});

const fileTypes: readonly FileType[] = [
  plain(0, "F32", 4, "f32"),
  plain(1, "F16", 2, "f16"),
  block(2, "Q4_0", 32, 18, decodeQ40),
  block(3, "Q4_1", 32, 20, decodeQ41),
  block(6, "Q5_0", 32, 22, decodeQ50),
  block(7, "Q5_1", 32, 24, decodeQ51),
  block(8, "Q8_0", 32, 34, decodeQ80),
  block(9, "Q8_1", 32, 40),
  block(10, "Q2_K", 256, 84, decodeQ2K),
  block(11, "Q3_K", 256, 110, decodeQ3K),
  block(12, "Q4_K", 256, 144, decodeQ4K),
  block(13, "Q5_K", 256, 176, decodeQ5K),
  block(14, "Q6_K", 256, 210, decodeQ6K),
  block(15, "Q8_K", 256, 292),
  coded(16, "IQ2_XXS"),
  coded(17, "IQ2_XS"),
  coded(18, "IQ3_XXS"),
  block(19, "IQ1_S", 256, 50),
  block(20, "IQ4_NL", 32, 18, decodeIQ4NL),
  coded(21, "IQ3_S"),
  coded(22, "IQ2_S"),
  block(23, "IQ4_XS", 256, 136, decodeIQ4XS),
  plain(24, "I8", 1),
  plain(25, "I16", 2),
  plain(26, "I32", 4),
  plain(27, "I64", 8),
  plain(28, "F64", 8),
  block(29, "IQ1_M", 256, 56),
  plain(30, "BF16", 2, "bf16"),
  block(34, "TQ1_0", 256, 54),
  block(35, "TQ2_0", 256, 66),
  block(39, "MXFP4", 32, 17, decodeMxfp4),
  // not the blocks of compressed-tensors below: 64 values, four scales of E4M3 without a sign, and no scale of the tensor
  block(40, "NVFP4", 64, 36),
];

/** Blocks that no GGUF file has. What asks for a type by its name asks for these before ggml's. */
const otherTypes: readonly QuantisationType[] = [{ name: "NVFP4", values: 16, bytes: 10, storedBits: 4.5, decode: decodeNvfp4 }];

/** The types by their number. Numbers of types that ggml has removed are not among them. */
export const quantisationTypes: ReadonlyMap<number, QuantisationType> = new Map(fileTypes.map((type) => [type.number, type]));

const byName = new Map([...fileTypes, ...otherTypes].map((type) => [type.name, type]));

/** The type that is called `name`, by ggml where it has it: "Q4_K". @throws {UsageError} when there is none */
export function quantisationTypeNamed(name: string): QuantisationType {
  const type = byName.get(name);
  if (type !== undefined) return type;
  throw new UsageError(`${JSON.stringify(name)} is no GGUF type; there are ${[...byName.keys()].join(", ")}`, { type: name });
}

/** Bits of a value as files hold it, scales included. */
export const bitsIn = ({ values, bytes, storedBits = (8 * bytes) / values }: QuantisationType): number => storedBits;

/** Bytes of a tensor in a type. */
export const bytesIn = ({ values, bytes }: Pick<QuantisationType, "values" | "bytes">, shape: readonly number[]): number =>
  (shape.reduce((product, side) => product * side, 1) / values) * bytes;

/** Whether weights of this type can be read. */
export const isReadable = ({ plain, decode }: QuantisationType): boolean => plain !== undefined || decode !== undefined;

/** Whether GGUF files have tensors of this type. */
export const isInFiles = ({ number }: Pick<QuantisationType, "number">): boolean => number !== undefined;

/** Names of the types that can be read from GGUF files. */
export const readableTypes: readonly string[] = fileTypes.filter(isReadable).map(({ name }) => name);
