import { firstOutput } from "@mbs/contracts";
import type { Stage, StageOptions } from "@mbs/contracts";

/** The shape of a model, as far as a plan needs it. */
export interface ModelOutline {
  readonly blocks: readonly {
    readonly name: string;
    readonly sites: readonly {
      readonly name: string;
      readonly width: number;
      readonly weights: readonly { readonly rows: number }[];
    }[];
  }[];
  /** Embedding and head; absent where they cannot be compressed. */
  readonly embeddings?: ModelOutline["blocks"][number] | undefined;
  /** The sites of a block in rounds, each of which is captured and compressed at once with true-sequential propagation. */
  siteRounds(block: number): readonly (readonly string[])[];
}

/** One stage run on artifacts. */
export interface PlanNode {
  /** Unique in the plan: "capture.h.0". */
  readonly id: string;
  /** Name of the stage; a path or a package where it is a third-party one. */
  readonly stage: string;
  /** Keys of its options in the recipe: ["capture"], ["stages", "spread", "options"]. */
  readonly section: readonly string[];
  readonly options: StageOptions;
  /** Name of the stage's input → ids of the nodes whose outputs it reads. The first is the command's standard input. */
  readonly inputs: Readonly<Record<string, readonly string[]>>;
  /** Ids of nodes that must be done though their outputs are not read as artifacts. */
  readonly after: readonly string[];
  /** Id of an earlier node whose values it goes on from, or whose output it alone reads: the worker that ran it has them at hand. */
  readonly affinity?: string;
  /** True where its output is a part of what another node joins, and needed by that one alone. */
  readonly isPart?: boolean;
  /** File of the output folder that its output is copied to at the end of the run; absent where it stays among the artifacts. */
  readonly result?: string;
}

/** Whether only the next nodes need an output, so that a run deletes it once it is read. */
export const isIntermediate = ({ isPart = false }: PlanNode, stage: Stage): boolean =>
  isPart || firstOutput(stage).intermediate === true;

/** The graph of stage runs, each node after all that it reads. */
export interface Plan {
  readonly nodes: readonly PlanNode[];
  /** Folder of the compressed model. */
  readonly modelFolder: string;
  /** Names of the model's blocks, in their order; ids of nodes of a block have its name in them. */
  readonly blocks: readonly string[];
}

/** A node before defaults: most have their options under the name of their stage, and need not wait for another node. */
export interface NewNode extends Omit<PlanNode, "after" | "section"> {
  readonly after?: readonly string[];
  readonly section?: readonly string[];
  /** True for a node outside the main chain; entries of `stages` cannot read it. */
  readonly isSide?: boolean;
  /** The key by which entries of `stages` read it, where that is not its stage. */
  readonly key?: string;
}

export type Add = (node: NewNode) => string;
