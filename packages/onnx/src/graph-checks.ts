import { BadDataError } from "@mbs/contracts";
import { plainDomain } from "./graph-node.ts";
import type { GraphNode } from "./graph-node.ts";
import type { GraphFile } from "./graph-file.ts";

/** Names a node in an error. */
export const nodeText = ({ name, operator, outputs }: GraphNode): string => `node ${name || outputs[0] || "?"} (${operator})`;

/** @throws {BadDataError} naming a node of an operator set that the file does not have */
export function checkDomains({ path, nodes, opsets }: Omit<GraphFile, "source">): void {
  const domains = new Set(opsets.map(({ domain }) => plainDomain(domain)));
  const stranger = nodes.find(({ message }) => !domains.has(plainDomain(message.domain)));
  if (stranger === undefined) return;
  throw new BadDataError(
    `${path}: ${nodeText(stranger)} is of an operator set that the file does not name; it is cut short, or export it again`,
    {
      file: path,
      node: stranger.name,
    },
  );
}

/** @throws {BadDataError} unless every node reads what was made before it, and no name is made twice */
export function checkOrder({ path, nodes, tensors, inputs, outputs }: Omit<GraphFile, "source">): void {
  const known = new Set(["", ...tensors.keys(), ...inputs.map(({ name }) => name)]);
  for (const node of nodes) {
    const missing = node.inputs.find((name) => !known.has(name));
    if (missing !== undefined) {
      throw new BadDataError(
        `${path}: ${nodeText(node)} reads ${missing}, which nothing before it makes; export the model again`,
        {
          file: path,
          node: node.name,
        },
      );
    }
    const twice = node.outputs.find((name) => name !== "" && known.has(name));
    if (twice !== undefined) {
      throw new BadDataError(`${path}: ${nodeText(node)} makes ${twice}, which is there already; export the model again`, {
        file: path,
        node: node.name,
      });
    }
    for (const name of node.outputs) known.add(name);
  }
  const unmade = outputs.find(({ name }) => !known.has(name));
  if (unmade !== undefined)
    throw new BadDataError(`${path}: nothing makes the output ${unmade.name}; export the model again`, { file: path });
}
