import { InternalError } from "@mbs/contracts";
import type { Matrix } from "@mbs/contracts";
import { floatTensor, floatValues, integerTensor } from "@mbs/onnx";
import type { Layout } from "../architectures/layout.ts";
import type { Checkpoint } from "../checkpoint/checkpoint.ts";
import type { WeightReader } from "../checkpoint/weight-reader.ts";
import type { Forward, StepOptions, StepResult } from "../folder/model.ts";
import { createRowGraph } from "../graph/sequence-graph.ts";
import { createStackedSequence } from "../graph/stacked-sequence.ts";
import { checkTokens, requireSites, requireStep } from "./forward-checks.ts";
import { GraphCache } from "./graph-cache.ts";
import { createHead } from "./head.ts";
import { WeightCache } from "./step-weights.ts";
import type { RoleWeights } from "./step-weights.ts";
import { statesOf } from "./streams.ts";
import { checkPositions } from "./text-length.ts";

/** Distinct values and, for each token, the index of its value. */
function distinct(tokens: Int32Array): { values: number[]; indices: Int32Array } {
  const seen = new Map<number, number>();
  const indices = tokens.map((token) => {
    const index = seen.get(token) ?? seen.size;
    seen.set(token, index);
    return index;
  });
  return { values: [...seen.keys()], indices };
}

function override(
  weights: RoleWeights,
  names: ReadonlyMap<string, string>,
  values: ReadonlyMap<string, Float32Array>,
): RoleWeights {
  const changed = new Map(weights);
  for (const [role, name] of names) {
    const value = values.get(name);
    if (value === undefined) continue;
    if (value.length !== weights.get(role)?.length)
      throw new InternalError(`${name}: ${value.length} values given for a step`, { tensor: name });
    changed.set(role, value);
  }
  return changed;
}

/**
 * The forward pass of any architecture: its layout builds the graphs, the checkpoint gives the weights.
 *
 * @param layout with tensor names as in the checkpoint
 */
export function createForward(layout: Layout, checkpoint: Checkpoint, readWeight: WeightReader, threads: number): Forward {
  const graphs = new GraphCache(threads);
  const cache = new WeightCache(readWeight);
  const { hiddenSize, vocabularySize } = layout;
  const head = createHead(layout, readWeight, graphs, () => cache.read("head", layout.headRoles));

  return {
    async embed(tokens, batch = 1) {
      checkTokens(tokens, vocabularySize);
      checkPositions(tokens.length / batch, layout.positionLimit);
      const { values, indices } = distinct(tokens);
      const rows = await checkpoint.readRowsF32(layout.embedding, values);
      const embedded = new Float32Array(tokens.length * hiddenSize);
      for (const [token, index] of indices.entries()) {
        embedded.set(rows.subarray(index * hiddenSize, (index + 1) * hiddenSize), token * hiddenSize);
      }
      const graph = await graphs.get("embed", (builder, weight) => {
        const input = builder.input("rows", "float32", ["T", hiddenSize]);
        const positions = builder.input("positions", "int64", ["T"]);
        const embed = { ...createRowGraph(builder, weight), positions: () => positions };
        builder.output("states", layout.buildEmbed(embed, input), "float32");
      });
      const weights = await cache.read("embed", layout.embedRoles);
      const feeds = {
        rows: floatTensor(embedded, [tokens.length, hiddenSize]),
        positions: integerTensor(tokens.map((_, row) => row % (tokens.length / batch))),
      };
      const results = await graph.run(feeds, weights);
      return { rows: tokens.length, columns: hiddenSize, values: floatValues(results, "states") };
    },

    async step(
      index,
      states,
      { batch = 1, reads = new Map(), weights: given, sites = [], states: wanted = true }: StepOptions = {},
    ) {
      const step = requireStep(layout.steps, { index, states, batch, wanted: wanted || sites.length > 0 });
      const chosen = requireSites(step, sites);
      const length = states.rows / batch;
      const others = step.reads.map((stream) => ({ stream, states: statesOf(reads, stream) }));
      const lengths = [length, ...others.map((other) => other.states.rows / batch)].join(" ");
      const key = `step ${layout.stepKind(index)} ${batch} ${lengths} ${sites.join(" ")} ${wanted}`;
      const graph = await graphs.get(key, (builder, weight) => {
        const input = builder.input("input", "float32", [states.rows, hiddenSize]);
        const shapes = others.map(({ stream, states: { rows, columns } }) => {
          const name = builder.input(`stream ${stream}`, "float32", [rows, columns]);
          return [stream, { states: name, length: rows / batch }] as const;
        });
        const sequence = createStackedSequence(builder, weight, { batch, length, others: new Map(shapes) });
        const made = layout.buildStep(sequence, input, index);
        for (const { name } of chosen) {
          const value = made.sites.get(name);
          if (value === undefined) throw new InternalError(`the graph of ${step.name} does not make its site ${name}`);
          builder.output(name, value, "float32");
        }
        if (wanted) builder.output("states", made.states, "float32");
      });
      const roles = layout.stepRoles(index);
      const stored = await cache.read(step.name, roles);
      const weights = given === undefined ? stored : override(stored, roles, given);
      const feeds = [
        ["input", floatTensor(states.values, [states.rows, hiddenSize])] as const,
        ...others.map(
          ({ stream, states: { rows, columns, values } }) => [`stream ${stream}`, floatTensor(values, [rows, columns])] as const,
        ),
      ];
      const results = await graph.run(Object.fromEntries(feeds), weights);
      const matrix = (name: string, columns: number): Matrix => {
        const values = floatValues(results, name);
        return { rows: values.length / columns, columns, values };
      };
      const captured = chosen.map(({ name, width }) => [name, matrix(name, width)] as const);
      const result: StepResult = { sites: new Map(captured), ...(wanted && { states: matrix("states", hiddenSize) }) };
      return result;
    },

    score(states, tokens, batch = 1) {
      checkTokens(tokens, vocabularySize);
      return head.score(states, tokens, batch);
    },
    logits: (states) => head.logits(states),
    heldBytes: () => cache.heldBytes() + head.heldBytes(),
    async close() {
      cache.clear();
      await graphs.close();
    },
  };
}
