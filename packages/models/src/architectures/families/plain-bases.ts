import { at } from "@mbs/contracts";
import { hasNoBasis } from "../bases.ts";
import type { Bases, NoBasis, ResidualStream, StreamNorm, ValueHeads } from "../bases.ts";
import { linearTensors } from "./decoder-blocks.ts";
import type { PlainBlock } from "./plain-block.ts";

/** What of a decoder decides where it can be rotated. */
interface PlainParts {
  readonly block: PlainBlock;
  /** Of tensors outside of the blocks; the last norm's without "weight" and "bias". */
  readonly names: { readonly finalNorm: string; readonly head: string };
  readonly embedBasis: Pick<ResidualStream, "tables" | "embeddingNorm"> | NoBasis;
}

const norm = (name: string, readers: readonly string[]): StreamNorm => ({
  weight: `${name}.weight`,
  offset: 0,
  bias: `${name}.bias`,
  readers,
});

function streamOf({ block, names, embedBasis }: PlainParts, blocks: readonly string[]): ResidualStream | NoBasis {
  if (hasNoBasis(embedBasis)) return embedBasis;
  if (block.residualAfterNorm === true) {
    return { reason: "its residual is taken after the norms, whose weights it then keeps" };
  }
  const [before, middle] = block.normNames;
  return {
    centred: true,
    ...embedBasis,
    norms: [
      ...blocks.flatMap((name) => [
        norm(
          `${name}.${before}`,
          block.qkv.map((linear) => `${name}.${linear.name}.weight`),
        ),
        norm(`${name}.${middle}`, [`${name}.${block.up.name}.weight`]),
      ]),
      norm(names.finalNorm, [names.head]),
    ],
    writers: blocks.flatMap((name) => [block.output, block.down].flatMap((linear) => linearTensors(name, linear))),
  };
}

function valuesOf({ block }: PlainParts, blocks: readonly string[]): ValueHeads[] {
  const { heads, qkv, interleaved, output, norm } = block;
  const headSize = norm.size / heads;
  const made = at(qkv, qkv.length - 1);
  // one matrix has the parts of each head side by side, or all queries, then keys, then values
  const firstRow = (head: number): number => {
    if (interleaved) return (3 * head + 2) * headSize;
    return (qkv.length === 1 ? 2 * norm.size : 0) + head * headSize;
  };
  return blocks.map((name) => {
    const [tensor = "", bias] = linearTensors(name, made);
    return {
      headSize,
      tensor,
      ...(bias !== undefined && { bias }),
      firstRows: Array.from({ length: heads }, (_, head) => firstRow(head)),
      output: `${name}.${output.name}.weight`,
      sharedBy: 1,
    };
  });
}

/** Where the weights of a decoder of the GPT family can be rotated. @param blocks their names, "h.0" */
export const plainBases = (decoder: PlainParts, blocks: readonly string[]): Bases => ({
  stream: streamOf(decoder, blocks),
  values: valuesOf(decoder, blocks),
});
