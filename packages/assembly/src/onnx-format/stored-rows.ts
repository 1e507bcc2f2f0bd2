import type { LinearLayer, RowGraph } from "@mbs/models";
import type { GraphBuilder } from "@mbs/onnx";
import { InternalError } from "@mbs/contracts";
import type { WeightStore } from "./weight-store.ts";

/**
 * Rows with the weights of a store.
 *
 * @param roles role → tensor
 */
export function createStoredRows(
  graph: GraphBuilder,
  store: WeightStore,
  roles: ReadonlyMap<string, string>,
  transposed: ReadonlySet<string>,
): RowGraph {
  const tensorOf = (role: string): string => {
    const tensor = roles.get(role);
    if (tensor === undefined) throw new InternalError(`the architecture names no tensor for ${role}`, { role });
    return tensor;
  };
  return {
    graph,
    weight: (role, shape) => store.vector(tensorOf(role), shape),
    linear(input: string, { role, rows, bias }: LinearLayer): string {
      const tensor = tensorOf(`${role}.weight`);
      const product = store.multiply(input, tensor, transposed.has(tensor));
      return bias ? graph.node("Add", [product, store.vector(tensorOf(`${role}.bias`), [rows])]) : product;
    },
  };
}
