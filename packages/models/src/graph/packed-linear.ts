import { floatTensor, integerTensor } from "@mbs/onnx";
import type { BlockedWeight } from "../checkpoint/quantised/blocked-weight.ts";
import type { SequenceGraph } from "./sequence-graph.ts";

/** A sequence whose linear layers multiply by packed weights, where there are such, with activations rounded to 8 bits. */
export function withPackedLinears(sequence: SequenceGraph, packed: ReadonlyMap<string, BlockedWeight>): SequenceGraph {
  const { graph } = sequence;
  return {
    ...sequence,
    linear(input, layer) {
      const { role, rows, columns, bias } = layer;
      const weight = packed.get(`${role}.weight`);
      if (weight === undefined) return sequence.linear(input, layer);
      const { blockSize, codes, zeros, scales, order } = weight;
      const axis = { attributes: { axis: -1 } };
      const states = order === undefined ? input : graph.node("Gather", [input, graph.constant(integerTensor(order))], axis);
      const inputs = [
        states,
        graph.constant({ type: "uint8", dims: [rows, codes.length / rows / blockSize, blockSize], data: codes }),
        graph.constant(floatTensor(scales, [scales.length])),
        graph.constant({ type: "uint8", dims: [zeros.length], data: zeros }),
      ];
      const attributes = { K: columns, N: rows, bits: 8, block_size: blockSize, accuracy_level: 4 };
      const product = graph.node("MatMulNBits", inputs, { domain: "com.microsoft", attributes, name: role });
      return bias ? graph.node("Add", [product, sequence.weight(`${role}.bias`, [rows])]) : product;
    },
  };
}
