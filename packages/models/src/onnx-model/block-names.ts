import type { GraphNode, GraphTensor } from "@mbs/onnx";
import type { LinearWeight, Readers } from "./linear-weights.ts";

/** Where a name says that something belongs to a numbered block: "model.layers.3.mlp.up_proj.weight", "/model/layers.3/…". */
const blockPattern = /(?:^|[./])([A-Za-z]\w*)[./](\d+)[./](.*)$/;

export interface BlockName {
  /** "layers.3" */
  readonly block: string;
  /** What follows: "mlp.up_proj.weight". */
  readonly rest: string;
}

/** The first block that a name speaks of. */
export function blockOf(name: string): BlockName | undefined {
  const [, word, number, rest = ""] = blockPattern.exec(name) ?? [];
  return word === undefined || number === undefined ? undefined : { block: `${word}.${Number(number)}`, rest };
}

/**
 * The block of a node by its own name, or by the name of a tensor that it alone reads: exporters let blocks share tensors
 * of equal values, which then have the name of the first.
 */
export function blockOfNode(node: GraphNode, tensors: ReadonlyMap<string, GraphTensor>, readers: Readers): string | undefined {
  const own = blockOf(node.name);
  if (own !== undefined) return own.block;
  const named = node.inputs.filter((name) => tensors.has(name) && readers.get(name)?.length === 1);
  return named.flatMap((name) => blockOf(name)?.block ?? [])[0];
}

/** The linear layer of a weight as the model calls it: "self_attn.q_proj"; undefined where neither tensor nor node says. */
export function moduleName({ tensor, node }: Pick<LinearWeight, "tensor" | "node">): string | undefined {
  const byTensor = blockOf(tensor)?.rest.replace(/\.?weight$/, "");
  // a node is named after its layer, and then after its operator
  const byNode = blockOf(node.name)?.rest.split("/").slice(0, -1).join(".");
  return byTensor || byNode || undefined;
}
