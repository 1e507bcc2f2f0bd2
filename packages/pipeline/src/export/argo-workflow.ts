import { join, relative } from "node:path";
import { UsageError } from "@mbs/contracts";
import { stringify } from "yaml";
import { shellWord } from "../run/replay-command.ts";
import type { ExportedPlan, ExportedNode } from "./export-plan.ts";
import { uniqueNames } from "./unique-names.ts";

/** A node as far as it matters for when artifacts can be removed. */
export interface OrderedNode {
  readonly id: string;
  /** Ids of the nodes before it. */
  readonly before: readonly string[];
  /** Ids of the nodes whose output it reads. */
  readonly reads: readonly string[];
  /** Whether its output is needed by its readers alone. */
  readonly isTemporary: boolean;
}

/**
 * Which outputs each node can remove when it starts: those whose readers must all have ended before it. Of several such nodes
 * the first in the plan does. The output of a node whose readers nothing waits for is removed by none.
 *
 * @param nodes each after those that it waits for
 * @returns id of a node → ids of the nodes whose outputs it removes
 */
export function freedBy(nodes: readonly OrderedNode[]): ReadonlyMap<string, readonly string[]> {
  // sets of nodes as the bits of a number: plans have thousands of nodes
  const bits = new Map(nodes.map(({ id }, index) => [id, 1n << BigInt(index)]));
  const bitOf = (id: string): bigint => bits.get(id) ?? 0n;
  const ancestors = new Map<string, bigint>();
  const ancestorsOf = (id: string): bigint => ancestors.get(id) ?? 0n;
  const readers = new Map<string, bigint>();
  for (const { id, before, reads } of nodes) {
    ancestors.set(
      id,
      before.reduce((all, other) => all | bitOf(other) | ancestorsOf(other), 0n),
    );
    for (const read of reads) readers.set(read, (readers.get(read) ?? 0n) | bitOf(id));
  }
  const freed = new Map<string, string[]>();
  for (const [index, { id, isTemporary }] of nodes.entries()) {
    const all = readers.get(id);
    if (!isTemporary || all === undefined) continue;
    const first = nodes.slice(index + 1).find((node) => (ancestorsOf(node.id) & all) === all);
    if (first !== undefined) freed.set(first.id, [...(freed.get(first.id) ?? []), id]);
  }
  return freed;
}

/** What a workflow needs to know of the cluster. */
export interface ArgoOptions {
  /** An image with `mbs` in its PATH. */
  readonly image: string;
  /** Name of the volume claim that all pods share. */
  readonly claim: string;
  /** Where it is mounted, absolute: its files have the same paths in the pods and here. */
  readonly mount: string;
  /** Bytes that every node asks for; absent: no node asks for memory. */
  readonly memory?: number | undefined;
}

const volume = "shared";
const entrypoint = "plan";

/** The name of a volume claim: the DNS-1123 subdomain of Kubernetes. */
const claimName = /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/;

/** A command without "{{", which Argo would read as the name of a parameter: braces stand in quotes, so quotes can part them. */
const withoutTags = (command: string): string => command.replaceAll(/\{(?=\{)/g, "{''");

const dnsName = (id: string): string =>
  id
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "-")
    .replaceAll(/^-|-$/g, "");

const isWithin = (path: string, folder: string): boolean => {
  const way = relative(folder, path);
  return way !== ".." && !way.startsWith("../");
};

/** @throws {UsageError} on a path that pods would not see, or that Argo would change */
function requireShared({ folder, output, paths }: ExportedPlan, mount: string): void {
  // commands are quoted, these are not
  const tagged = [folder, mount].find((path) => path.includes("{{"));
  if (tagged !== undefined) {
    throw new UsageError(`${tagged}: Argo reads "{{" as the beginning of a parameter; run this in a folder of another name`, {
      path: tagged,
    });
  }
  for (const [what, path] of [
    ["the working directory", folder],
    ["the recipe's output", output],
    ...paths.map((path): [string, string] => ["what the recipe reads", path]),
  ] as const) {
    if (isWithin(path, mount)) continue;
    throw new UsageError(
      `${path}, ${what}, is not in ${mount}, the folder that the pods share; move it there, or name a folder that holds both with --mount`,
      { path, option: "--mount" },
    );
  }
}

/**
 * A Workflow of Argo that runs a plan: a task and a pod for each node, files on one volume that all pods mount.
 *
 * @throws {UsageError} where something that the nodes read or write is not on that volume, or on a claim with an invalid name
 */
export function argoWorkflow(plan: ExportedPlan, { image, claim, mount, memory }: ArgoOptions): string {
  const { folder, namedOutput, nodes, threads } = plan;
  requireShared(plan, mount);
  if (!claimName.test(claim)) {
    throw new UsageError(`--claim takes the name of a volume claim: lower-case letters, digits, "-" and ".", not ${claim}`, {
      option: "--claim",
    });
  }
  const ids = nodes.map(({ id }) => id);
  // a letter first, and none of the entrypoint
  const names = uniqueNames(ids, (id) => `mbs-${dnsName(id)}`, { longest: 60, separator: "-" });
  const nameOf = (id: string): string => names.get(id) ?? id;
  const freed = freedBy(nodes);
  const pathOf = new Map(nodes.map(({ id, path }) => [id, join(namedOutput, path)]));
  const script = ({ id, before, command }: ExportedNode): string => {
    const gone = (freed.get(id) ?? []).map((other) => shellWord(pathOf.get(other) ?? other));
    const lines = [
      ...(before.length === 0 ? [`mkdir -p ${shellWord(join(namedOutput, "artifacts"))}`] : []),
      ...(gone.length === 0 ? [] : [`rm -f ${gone.join(" ")}`]),
      command,
    ];
    return withoutTags(lines.join("\n"));
  };
  const requests = { cpu: String(threads), ...(memory !== undefined && { memory: `${Math.ceil(memory / 1e6)}M` }) };
  const workflow = {
    apiVersion: "argoproj.io/v1alpha1",
    kind: "Workflow",
    metadata: { generateName: "mbs-" },
    spec: {
      entrypoint,
      podGC: { strategy: "OnPodSuccess" },
      volumes: [{ name: volume, persistentVolumeClaim: { claimName: claim } }],
      templateDefaults: {
        container: {
          image,
          command: ["sh", "-ec"],
          workingDir: folder,
          resources: { requests },
          volumeMounts: [{ name: volume, mountPath: mount }],
        },
      },
      templates: [
        {
          name: entrypoint,
          dag: {
            tasks: nodes.map(({ id, before }) => ({
              name: nameOf(id),
              template: nameOf(id),
              ...(before.length > 0 && { dependencies: before.map(nameOf) }),
            })),
          },
        },
        ...nodes.map((node) => ({
          name: nameOf(node.id),
          // a lost pod; a folder that is there already would not be replaced
          ...(!node.isFolder && { retryStrategy: { limit: "2", retryPolicy: "OnError" } }),
          // Argo's schema asks for an image in every container, also where the defaults have one
          container: { image, args: [script(node)] },
        })),
      ],
    },
  };
  return `# Written by mbs run --export argo. Run it: argo submit THIS_FILE\n${stringify(workflow, { lineWidth: 0 })}`;
}
