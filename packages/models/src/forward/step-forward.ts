import { at, InternalError } from "@mbs/contracts";
import type { Matrix } from "@mbs/contracts";
import { floatTensor, floatValues } from "@mbs/onnx";
import type { GraphBuilder, Tensor } from "@mbs/onnx";
import type { Layout, StepGraphValues } from "../architectures/layout.ts";
import type { Forward, GivenWeights, StepCut, StepInputs, StepOptions } from "../folder/model.ts";
import type { WeightInput } from "../graph/sequence-graph.ts";
import { createStackedSequence } from "../graph/stacked-sequence.ts";
import { requireStep } from "./forward-checks.ts";
import type { GraphCache } from "./graph-cache.ts";
import { liveValue } from "./step-parts.ts";
import { createStepWalk } from "./step-walk.ts";
import type { RoleWeights, WeightCache } from "./step-weights.ts";
import { statesOf } from "./streams.ts";
import type { StreamStates } from "./streams.ts";

/** What the graph of a step depends on. */
type StepShape = Pick<StepCut, "step" | "batch" | "lengths">;

/** Inputs of a step's graph. */
const ownStates = "input";
const streamInput = (stream: string): string => `stream ${stream}`;

function override(weights: RoleWeights, names: ReadonlyMap<string, string>, values: GivenWeights): RoleWeights {
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

const tensorOf = ({ rows, columns, values }: Matrix): Tensor => floatTensor(values, [rows, columns]);

function rowsOf(results: Readonly<Record<string, Tensor>>, name: string, columns: number): Matrix {
  const values = floatValues(results, name);
  return { rows: values.length / columns, columns, values };
}

/** Runs the steps of an architecture, whole and site by site. */
export function createStepForward(
  layout: Layout,
  graphs: GraphCache,
  cache: WeightCache,
): Pick<Forward, "step" | "beginStep" | "nextSite" | "endStep"> {
  const { steps, hiddenSize } = layout;

  const shapeOf = (index: number, states: Matrix, { batch = 1, reads = new Map() }: StepInputs): StepShape => {
    const step = requireStep(steps, index, states, batch);
    const others = step.reads.map((stream) => statesOf(reads, stream));
    return { step: index, batch, lengths: [states, ...others].map(({ rows }) => rows / batch) };
  };
  /** Steps of the same key have the same graph. */
  const keyOf = ({ step, batch, lengths }: StepShape): string => [layout.stepKind(step), batch, ...lengths].join(" ");

  const build = ({ step: index, batch, lengths }: StepShape, builder: GraphBuilder, weight: WeightInput): StepGraphValues => {
    const input = (name: string, length: number): string => builder.input(name, "float32", [batch * length, hiddenSize]);
    const states = input(ownStates, at(lengths, 0));
    const others = at(steps, index).reads.map((stream, position) => {
      const length = at(lengths, position + 1);
      return [stream, { states: input(streamInput(stream), length), length }] as const;
    });
    const sequence = createStackedSequence(builder, weight, { batch, length: at(lengths, 0), others: new Map(others) });
    return layout.buildStep(sequence, states, index);
  };
  const feedsOf = (index: number, states: Matrix, reads: StreamStates = new Map()): Map<string, Tensor> => {
    const others = at(steps, index).reads.map((stream) => [streamInput(stream), tensorOf(statesOf(reads, stream))] as const);
    return new Map([[ownStates, tensorOf(states)], ...others]);
  };
  const weightsOf = async (index: number, given: GivenWeights | undefined): Promise<RoleWeights> => {
    const roles = layout.stepRoles(index);
    const stored = await cache.read(at(steps, index).name, roles);
    return given === undefined ? stored : override(stored, roles, given);
  };

  const walk = createStepWalk({
    steps,
    hiddenSize,
    rowsOf,
    async partsOf(cut) {
      const { step: index, reached, live } = cut;
      const { name, sites, reads } = at(steps, index);
      const { parts, part: graphOf } = await graphs.getParts(keyOf(cut), (builder, weight) => {
        const made = build(cut, builder, weight);
        const inputs = sites.map((site) => {
          const value = made.sites.get(site.name);
          if (value === undefined) throw new InternalError(`the graph of ${name} does not make its site ${site.name}`);
          return value;
        });
        return { given: [ownStates, ...reads.map(streamInput)], sites: inputs, end: made.states };
      });
      return {
        parts,
        async run(part, given) {
          const graph = await graphOf(reached, live);
          const feeds = part.reads.map((value) => [value, liveValue(live, value)] as const);
          const made = await graph.run(Object.fromEntries(feeds), await weightsOf(index, given));
          const roles = layout.stepRoles(index);
          return { made, used: [...graph.roles.keys()].flatMap((role) => roles.get(role) ?? []) };
        },
      };
    },
  });

  return {
    ...walk,
    async step(index, states, options: StepOptions = {}) {
      const shape = shapeOf(index, states, options);
      const graph = await graphs.get(`step ${keyOf(shape)}`, (builder, weight) =>
        builder.output("states", build(shape, builder, weight).states, "float32"),
      );
      const feeds = Object.fromEntries(feedsOf(index, states, options.reads));
      return rowsOf(await graph.run(feeds, await weightsOf(index, options.weights)), "states", hiddenSize);
    },
    async beginStep(index, states, inputs: StepInputs = {}) {
      const shape = shapeOf(index, states, inputs);
      return { ...shape, reached: 0, live: feedsOf(index, states, inputs.reads), used: new Set<string>() };
    },
  };
}
