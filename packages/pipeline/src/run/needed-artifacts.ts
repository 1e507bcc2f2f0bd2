import { InternalError } from "@mbs/contracts";
import type { NodeOutputs } from "./node-outputs.ts";
import type { PlanNode } from "../plan/nodes/plan-node.ts";

/** How nodes of a plan differ in what becomes of their outputs; see {@link NodeOutputs}. */
interface OutputKinds {
  readonly intermediate: Pick<NodeOutputs["intermediate"], "has">;
  readonly passing: Pick<NodeOutputs["passing"], "has">;
}

interface NodeNeeds {
  readonly node: PlanNode;
  /** Ids of the nodes that it reads, each once. */
  readonly reads: readonly string[];
  address: string | undefined;
  /** Pending nodes that read it. */
  pendingReaders: number;
  /** Passing nodes that read it and that a killed run makes again. */
  remadeReaders: number;
  /** Whether it is passing, and a killed run makes it again. */
  isRemade: boolean;
  isNeeded: boolean;
}

/**
 * Knows which intermediate artifacts a run still needs: those that a pending node reads, and those of which a killed run would
 * make again what passes. When a node is done it looks at what that one reads alone, and not at the whole plan.
 */
export class NeededArtifacts {
  readonly #kinds: OutputKinds;
  readonly #needs: ReadonlyMap<string, NodeNeeds>;
  /** Address → how many nodes have made it, and it is needed as the output of each. */
  readonly #neededBy = new Map<string, number>();

  constructor(nodes: readonly PlanNode[], kinds: OutputKinds) {
    this.#kinds = kinds;
    this.#needs = new Map(
      nodes.map((node) => {
        const reads = [...new Set(Object.values(node.inputs).flat())];
        const none = { address: undefined, pendingReaders: 0, remadeReaders: 0, isRemade: false, isNeeded: false };
        return [node.id, { node, reads, ...none }];
      }),
    );
  }

  /**
   * Begins again, with a look at the whole plan.
   *
   * @param addresses of the nodes whose outputs are known, some of which may be pending again
   * @returns intermediate artifacts that are not needed any more
   */
  begin(pending: ReadonlySet<string>, addresses: ReadonlyMap<string, string>): readonly string[] {
    this.#neededBy.clear();
    for (const needs of this.#needs.values()) {
      Object.assign(needs, { pendingReaders: 0, remadeReaders: 0, isRemade: false, isNeeded: false });
      needs.address = addresses.get(needs.node.id);
    }
    for (const { node, reads } of this.#needs.values()) {
      if (pending.has(node.id)) for (const id of reads) this.#of(id).pendingReaders += 1;
    }
    // from the last to the first: what a node is needed for follows from those that read it
    const found = [...this.#needs.values()].toReversed().map((needs) => this.#look(needs));
    return this.#free(found);
  }

  /** A pending node is done. @returns intermediate artifacts that are not needed any more */
  done(id: string, address: string): readonly string[] {
    const needs = this.#of(id);
    needs.address = address;
    const found = [this.#look(needs)];
    for (const read of needs.reads) {
      const input = this.#of(read);
      input.pendingReaders -= 1;
      found.push(this.#look(input));
    }
    return this.#free(found);
  }

  #of(id: string): NodeNeeds {
    const needs = this.#needs.get(id);
    if (needs === undefined) throw new InternalError(`the plan has no node ${id}`);
    return needs;
  }

  /**
   * Looks whether a node's output is needed, and what that changes for those that it reads.
   *
   * @returns addresses that it, or one of those, has and perhaps nobody needs
   */
  #look(needs: NodeNeeds): readonly string[] {
    const { node, reads, address } = needs;
    const isPassing = this.#kinds.passing.has(node.id);
    const isRead = needs.pendingReaders > 0;
    const isForOthers = needs.remadeReaders > 0;
    const isRemade = isPassing && (isRead || isForOthers);
    const found: string[] = [];
    if (address !== undefined && this.#kinds.intermediate.has(node.id)) {
      const isNeeded = isRead || (isForOthers && !isPassing);
      this.#neededBy.set(address, (this.#neededBy.get(address) ?? 0) + Number(isNeeded) - Number(needs.isNeeded));
      needs.isNeeded = isNeeded;
      if (!isNeeded) found.push(address);
    }
    if (isRemade !== needs.isRemade) {
      needs.isRemade = isRemade;
      for (const id of reads) {
        const input = this.#of(id);
        input.remadeReaders += isRemade ? 1 : -1;
        if (!isRemade) found.push(...this.#look(input));
      }
    }
    return found;
  }

  #free(found: readonly (readonly string[])[]): readonly string[] {
    return [...new Set(found.flat())].filter((address) => (this.#neededBy.get(address) ?? 0) === 0);
  }
}
