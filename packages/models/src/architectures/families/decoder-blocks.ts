import { at } from "@mbs/contracts";
import { hiddenStream } from "../../forward/streams.ts";
import { activations } from "../../graph/activations.ts";
import type { ActivationName } from "../../graph/activations.ts";
import type { LinearLayer, RowGraph } from "../../graph/sequence-graph.ts";
import type { Block, ExpectedTensor, Layout, Site } from "../layout.ts";

/** A linear layer of a block: its tensors are `NAME.weight` and, with a bias, `NAME.bias`, after the block's own name. */
export interface BlockLinear extends LinearLayer {
  readonly name: string;
  /** True where the checkpoint stores the weight as [columns, rows]. */
  readonly transposed?: boolean;
}

export const blockLinear = (role: string, name: string, rows: number, columns: number, bias: boolean): BlockLinear => ({
  role,
  name,
  rows,
  columns,
  bias,
});

/** Names of a layer's weight and, if it has one, its bias, in a block. */
export const linearTensors = (block: string, { name, bias }: BlockLinear): readonly string[] =>
  ["weight", ...(bias ? ["bias"] : [])].map((kind) => `${block}.${name}.${kind}`);

/** A tensor of a block that is not compressed. */
export interface BlockTensor {
  readonly role: string;
  /** After the block's own name. */
  readonly name: string;
  readonly shape: readonly number[];
}

/** An activation, and the tensors of a block that it reads beside its input. */
export interface BlockActivation {
  readonly tensors: readonly BlockTensor[];
  readonly apply: (rows: RowGraph, value: string) => string;
}

/** An activation that reads its input alone. */
export const plainActivation = (name: ActivationName): BlockActivation => ({
  tensors: [],
  apply: ({ graph }, value) => activations[name](graph, value),
});

/** A site with all layers that read it. */
export interface BlockSite {
  readonly name: string;
  readonly linears: readonly BlockLinear[];
  /** The stream that the linears read where it is not the block's own. */
  readonly stream?: string;
  /** The norm whose output these layers alone read. */
  readonly norm?: { readonly role: string; readonly offset?: number };
  /** See {@link Site.adds}. */
  readonly adds?: Site["adds"];
}

/** What a block is made of. */
export interface BlockDescription {
  /** Sites in the order in which they are computed. */
  readonly sites: readonly BlockSite[];
  readonly others: readonly BlockTensor[];
  /** Tensors of older checkpoints that hold no weights, such as masks; after the block's own name. */
  readonly unread?: readonly string[];
  /** The stream that it changes; default that of a decoder. */
  readonly stream?: string;
}

/** Weight and bias of a norm. */
export const normVectors = (role: string, name: string, size: number, bias: boolean): BlockTensor[] =>
  ["weight", ...(bias ? ["bias"] : [])].map((kind) => ({ role: `${role}.${kind}`, name: `${name}.${kind}`, shape: [size] }));

/** Weight and bias of a norm, by the end of their names. */
const normTensors = ({ role, offset = 0 }: NonNullable<BlockSite["norm"]>, others: readonly BlockTensor[]) =>
  others
    .filter((tensor) => tensor.role.startsWith(`${role}.`))
    .map((tensor) => ({ name: tensor.name, offset: tensor.role.endsWith(".weight") ? offset : 0 }));

/** Role → tensor, after the block's own name. */
const rolesOf = ({ sites, others }: BlockDescription): readonly (readonly [string, string])[] => [
  ...sites
    .flatMap((site) => site.linears)
    .flatMap(({ role, name, bias }) =>
      ["weight", ...(bias ? ["bias"] : [])].map((kind) => [`${role}.${kind}`, `${name}.${kind}`] as const),
    ),
  ...others.map(({ role, name }) => [role, name] as const),
];

/** A block of the name `block`. */
const blockOf = (block: string, { sites, others, stream = hiddenStream }: BlockDescription): Block => ({
  name: block,
  stream,
  reads: [...new Set(sites.flatMap((site) => site.stream ?? []))],
  sites: sites.map((site) => ({
    name: site.name,
    ...(site.stream !== undefined && { stream: site.stream }),
    width: at(site.linears, 0).columns,
    weights: site.linears.map(({ name, rows }) => ({ tensor: `${block}.${name}.weight`, rows })),
    ...(site.norm && {
      scaledBy: normTensors(site.norm, others).map(({ name, offset }) => ({ tensor: `${block}.${name}`, offset })),
    }),
    ...(site.adds && { adds: site.adds }),
  })),
});

/** Its tensors. */
const tensorsOf = (block: string, { sites, others }: BlockDescription): readonly ExpectedTensor[] => [
  ...sites
    .flatMap((site) => site.linears)
    .flatMap(({ name, rows, columns, bias, transposed = false }) => [
      { name: `${block}.${name}.weight`, shape: [rows, columns], required: true, transposed },
      ...(bias ? [{ name: `${block}.${name}.bias`, shape: [rows], required: true }] : []),
    ]),
  ...others.map(({ name, shape }) => ({ name: `${block}.${name}`, shape, required: true })),
];

/** The parts of a layout that describe its blocks. @param prefix of block names: "h." */
export function describeBlocks(
  prefix: string,
  descriptions: readonly BlockDescription[],
): Pick<Layout, "blocks" | "blockRoles"> & { readonly tensors: readonly ExpectedTensor[]; readonly unread: readonly string[] } {
  const named = descriptions.map((description, index) => ({ block: `${prefix}${index}`, description }));
  return {
    blocks: named.map(({ block, description }) => blockOf(block, description)),
    tensors: named.flatMap(({ block, description }) => tensorsOf(block, description)),
    unread: named.flatMap(({ block, description: { unread = [] } }) => unread.map((name) => `${block}.${name}`)),
    blockRoles: (index) => {
      const { block, description } = at(named, index);
      return new Map(rolesOf(description).map(([role, name]) => [role, `${block}.${name}`]));
    },
  };
}
