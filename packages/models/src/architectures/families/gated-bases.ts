import { at } from "@mbs/contracts";
import type { Bases, NoBasis, ResidualStream, StreamNorm, ValueHeads } from "../bases.ts";
import { linearTensors } from "./decoder-blocks.ts";
import type { BlockLinear } from "./decoder-blocks.ts";
import type { BlockKind, GatedDecoder, GatedLinears } from "./gated-block.ts";

/** Names of tensors outside of the blocks. */
interface OuterNames {
  readonly embedding: string;
  readonly finalNorm: string;
  readonly head: string;
}

/** A block by its name, "layers.0". */
interface NamedBlock {
  readonly name: string;
  readonly kind: BlockKind;
  readonly linears: GatedLinears;
}

/** Layers that write to the residual stream. */
const writersOf = ({ output, down, experts }: GatedLinears): readonly BlockLinear[] => [
  output,
  ...(experts === undefined
    ? [down]
    : [...experts.routed, ...(experts.shared ? [experts.shared] : [])].map((expert) => expert.down)),
];

const weight = ({ name }: BlockLinear): string => `${name}.weight`;

/** Weights, in a block, that read what its second norm makes: of experts also their routers. */
function upReaders({ experts }: GatedDecoder, linears: GatedLinears): readonly string[] {
  if (experts === undefined || linears.experts === undefined) return linears.up.map(weight);
  const { routed, shared } = linears.experts;
  return [
    ...[...routed, ...(shared ? [shared] : [])].flatMap(({ gate, up }) => [weight(gate), weight(up)]),
    `${experts.router}.weight`,
    ...(shared ? [`${experts.names.prefix}shared_expert_gate.weight`] : []),
  ];
}

const unlike = "its linear attention reads norms by layers that are not compressed, and gates what it makes";

function streamOf(
  decoder: GatedDecoder,
  blocks: readonly NamedBlock[],
  { embedding, finalNorm, head }: OuterNames,
): ResidualStream | NoBasis {
  const { norms, parallel, kinds } = decoder;
  if (kinds.some(({ linear }) => linear !== undefined)) return { reason: unlike };
  if (norms.afterAttention !== undefined || norms.afterMlp !== undefined) {
    return { reason: "its norms after attention and MLP scale the channels of what is added to the residual stream" };
  }
  const offset = decoder.norm.plusOne ? 1 : 0;
  const norm = (block: string, name: string | undefined, readers: readonly string[]): StreamNorm[] =>
    name === undefined ? [] : [{ weight: `${block}.${name}.weight`, offset, readers: readers.map((own) => `${block}.${own}`) }];
  return {
    centred: decoder.norm.centred,
    tables: [embedding],
    norms: [
      ...blocks.flatMap(({ name, linears }) => {
        const [qkv, up] = [linears.qkv.map(weight), upReaders(decoder, linears)];
        return [...norm(name, norms.beforeAttention, parallel ? [...qkv, ...up] : qkv), ...norm(name, norms.beforeMlp, up)];
      }),
      { weight: finalNorm, offset, readers: [head] },
    ],
    writers: blocks.flatMap(({ name, linears }) => writersOf(linears).flatMap((linear) => linearTensors(name, linear))),
  };
}

function valuesOf(
  { heads, kvHeads, headSize, fused, valueNorm, outputGate, kinds }: GatedDecoder,
  blocks: readonly NamedBlock[],
): ValueHeads[] | NoBasis {
  if (kinds.some(({ linear }) => linear !== undefined)) return { reason: unlike };
  if (outputGate) return { reason: "a gate scales the channels of what its attention makes" };
  if (valueNorm) return { reason: "the values of its attention are normed, and made of keys or read by several blocks" };
  const first = fused ? (heads + kvHeads) * headSize : 0;
  const attending = blocks.filter(({ kind }) => kind.convolution === undefined);
  return attending.map(({ name: block, linears: { qkv, output } }) => {
    const [tensor = "", bias] = linearTensors(block, at(qkv, qkv.length - 1));
    return {
      headSize,
      tensor,
      ...(bias !== undefined && { bias }),
      firstRows: Array.from({ length: kvHeads }, (_, head) => first + head * headSize),
      output: `${block}.${output.name}.weight`,
      sharedBy: heads / kvHeads,
    };
  });
}

/**
 * Where the weights of a decoder of the Llama family can be rotated: a convolution has no heads of values, and its channels
 * stay as they are.
 *
 * @param blocks in order: where kinds differ in the sizes of heads, nothing can
 */
export const gatedBases = (decoder: GatedDecoder, blocks: readonly NamedBlock[], names: OuterNames): Bases => ({
  stream: streamOf(decoder, blocks, names),
  values: valuesOf(decoder, blocks),
});
