import { at } from "@mbs/contracts";
import { maskedScore } from "@mbs/models";
import type { ArchitectureModel, Rotary } from "@mbs/models";
import { elementTypeNumbers, floatTensor, integerTensor } from "@mbs/onnx";
import type { GraphBuilder } from "@mbs/onnx";

/** Ends a slice where the axis ends, however long that is. */
export const endOfAxis = 2 ** 31 - 1;

/** A size in a shape: a number, or one of the batch's. */
export type Size = number | "B" | "T" | "S";

/**
 * What all blocks of a model read of its batch: B texts, of which T tokens each come in now, behind past ones; S = past
 * + T. An encoder reads whole texts, so S = T. Values are added to the graph when first asked for, and once.
 */
export class DecoderBatch {
  readonly graph: GraphBuilder;
  /** int64 [B, T] */
  readonly tokens: string;
  /** int64 [B, S]: 1 where there is a token, 0 where a shorter text is filled up. */
  readonly attentionMask: string;
  readonly #isEncoder: boolean;
  readonly #made = new Map<unknown, string>();

  constructor(graph: GraphBuilder, { stacks }: Pick<ArchitectureModel, "stacks">) {
    this.graph = graph;
    this.#isEncoder = stacks === "encoder";
    this.tokens = graph.input("input_ids", "int64", ["batch_size", "sequence_length"]);
    const length = this.#isEncoder ? "sequence_length" : "total_sequence_length";
    this.attentionMask = graph.input("attention_mask", "int64", ["batch_size", length]);
  }

  /** Sizes as a value for Reshape, where "B", "T" and "S" stand for those of the batch. */
  shape(...sizes: readonly Size[]): string {
    return this.once(`shape ${sizes.join(" ")}`, () => {
      if (sizes.every((size) => typeof size === "number")) return this.integers(...sizes);
      const parts = sizes.map((size) => (typeof size === "number" ? this.integers(size) : this.#size(size)));
      return parts.length === 1 ? at(parts, 0) : this.graph.node("Concat", parts, { attributes: { axis: 0 } });
    });
  }

  integers(...values: readonly number[]): string {
    return this.once(`integers ${values.join(" ")}`, () => this.graph.constant(integerTensor(values)));
  }

  number(value: number): string {
    return this.once(`number ${value}`, () => this.graph.constant(floatTensor(Float32Array.of(value), [])));
  }

  /**
   * int64 [B, T], from 0 at the first token of each text. The input exists only where an architecture asks for it. An encoder
   * has none: it counts tokens by the mask, and filling is at -1.
   */
  positions(): string {
    const { graph } = this;
    return this.once("positions", () => {
      if (!this.#isEncoder) return graph.input("position_ids", "int64", ["batch_size", "sequence_length"]);
      const count = graph.node("CumSum", [this.attentionMask, this.integers(1)]);
      return graph.node("Sub", [graph.node("Mul", [count, this.attentionMask]), this.integers(1)]);
    });
  }

  /** Whether there is a token, as bool: [B, 1, 1, S]. */
  #filled(): string {
    return this.once("filled", () => {
      const filled = this.graph.node("Cast", [this.attentionMask], { attributes: { to: elementTypeNumbers.bool } });
      return this.graph.node("Unsqueeze", [filled, this.integers(1, 2)]);
    });
  }

  /** Whether there is a token among those that come in now, as float32: [B, T, 1]. */
  filledNow(): string {
    return this.once("filled now", () => {
      const { graph } = this;
      const single = graph.node("Cast", [this.attentionMask], { attributes: { to: elementTypeNumbers.float32 } });
      const first = graph.node("Neg", [this.#size("T")]);
      const now = graph.node("Slice", [single, first, this.integers(endOfAxis), this.integers(1)]);
      return graph.node("Unsqueeze", [now, this.integers(2)]);
    });
  }

  /** Added to scores [B, heads, T, S] where every query sees all tokens: as `mask`, [B, 1, 1, S]. */
  paddingMask(): string {
    return this.once("padding mask", () => this.graph.node("Where", [this.#filled(), this.number(0), this.number(maskedScore)]));
  }

  /**
   * Added to scores [B, heads, T, S]: 0 where a query sees a key, and lower than any score elsewhere. [B, 1, T, S]
   *
   * @param window keys that a query sees, with its own
   */
  mask(window: number | undefined): string {
    return this.once(`mask ${window}`, () => {
      const { graph } = this;
      const total = graph.node("Squeeze", [this.#size("S")]);
      const past = graph.node("Sub", [total, graph.node("Squeeze", [this.#size("T")])]);
      const [zero, one] = [graph.constant(integerTensor([0], [])), graph.constant(integerTensor([1], []))];
      const keys = graph.node("Range", [zero, total, one]);
      const queries = graph.node("Unsqueeze", [graph.node("Range", [past, total, one]), this.integers(1)]);
      let seen = graph.node("LessOrEqual", [keys, queries]);
      if (window !== undefined) {
        const first = graph.node("Sub", [queries, this.integers(window)]);
        seen = graph.node("And", [seen, graph.node("Greater", [keys, first])]);
      }
      return graph.node("Where", [graph.node("And", [this.#filled(), seen]), this.number(0), this.number(maskedScore)]);
    });
  }

  /**
   * Positions of keys for a linear bias: 0 at the last token of each text, -1 before it, filling left out. As float32
   * is finest near 0, and softmax does not see the difference. [B, 1, 1, S]
   */
  keyPositions(): string {
    return this.once("key positions", () => {
      const { graph } = this;
      const count = graph.node("CumSum", [this.attentionMask, this.integers(1)]);
      const whole = graph.node("ReduceMax", [count, this.integers(1)], { attributes: { keepdims: 1 } });
      const fromEnd = graph.node("Sub", [count, whole]);
      const single = graph.node("Cast", [fromEnd], { attributes: { to: elementTypeNumbers.float32 } });
      return graph.node("Unsqueeze", [single, this.integers(1, 2)]);
    });
  }

  /** Angles by which the elements of a head turn: [B, 1, T, frequencies]. */
  angles(rotary: Rotary): string {
    return this.once(rotary, () => {
      const { graph } = this;
      const single = graph.node("Cast", [this.positions()], { attributes: { to: elementTypeNumbers.float32 } });
      const positions = graph.node("Unsqueeze", [single, this.integers(1, 3)]);
      return graph.node("Mul", [positions, this.#frequencies(rotary)]);
    });
  }

  /** Factors on queries that grow with their positions: [B, 1, T, 1]. */
  growth({ beta, every }: NonNullable<Rotary["growth"]>): string {
    return this.once(`growth ${beta} ${every}`, () => {
      const { graph } = this;
      const passed = graph.node("Div", [this.positions(), this.integers(every)]);
      const single = graph.node("Cast", [passed], { attributes: { to: elementTypeNumbers.float32 } });
      const logarithm = graph.node("Log", [graph.node("Add", [single, this.number(1)])]);
      const factor = graph.node("Add", [graph.node("Mul", [logarithm, this.number(beta)]), this.number(1)]);
      return graph.node("Unsqueeze", [factor, this.integers(1, 3)]);
    });
  }

  /** Those of the longest text of the batch: keys that the cache holds already stay as they were turned. */
  #frequencies({ frequencies, long }: Rotary): string {
    const { graph } = this;
    const constant = (values: Float32Array): string => graph.constant(floatTensor(values, [values.length]));
    if (long === undefined) return constant(frequencies);
    const last = graph.node("ReduceMax", [this.positions()], { attributes: { keepdims: 0 } });
    const isLong = graph.node("GreaterOrEqual", [last, graph.constant(integerTensor([long.beyond], []))]);
    return graph.node("Where", [isLong, constant(long.frequencies), constant(frequencies)]);
  }

  /** One of B, T and S: int64 [1]. */
  #size(name: Exclude<Size, number>): string {
    return this.once(`size ${name}`, () => {
      const [start, end] = name === "B" ? [0, 1] : [1, 2];
      return this.graph.node("Shape", [name === "S" ? this.attentionMask : this.tokens], { attributes: { start, end } });
    });
  }

  /** A value that `key` alone decides on: the same for all blocks. */
  once(key: unknown, make: () => string): string {
    const known = this.#made.get(key);
    if (known !== undefined) return known;
    const value = make();
    this.#made.set(key, value);
    return value;
  }
}
