import { readFile } from "node:fs/promises";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { parse, parseAllDocuments } from "yaml";
import { bullPrefix, queueNames } from "../../packages/pipeline/src/run/queue/queue-names.ts";

const read = (name: string): Promise<string> => readFile(new URL(`../../deploy/${name}`, import.meta.url), "utf8");

/** Seconds that a node has to stop and be given back after its grace. */
const giveBack = 15;

const graceOf = (words: readonly string[]): number => {
  const [, seconds = "NaN"] = /^--grace=(\d+)$/.exec(words.find((word) => word.startsWith("--grace=")) ?? "") ?? [];
  return Number(seconds);
};

interface Worker {
  readonly command: readonly string[];
  readonly stop_grace_period: string;
}
interface Deployment {
  readonly spec: {
    readonly template: {
      readonly spec: {
        readonly terminationGracePeriodSeconds: number;
        readonly containers: readonly { readonly args: readonly string[] }[];
      };
    };
  };
}
interface ScaledObject {
  readonly kind: string;
  readonly spec: { readonly triggers: readonly { readonly metadata: { readonly listName: string } }[] };
}

test("containers are killed only after a worker's grace and the time to give its node back", async () => {
  const { services } = parse(await read("compose.yaml"), { merge: true }) as { readonly services: { readonly worker: Worker } };
  assert.ok(Number.parseInt(services.worker.stop_grace_period, 10) > graceOf(services.worker.command) + giveBack);
  const { spec } = (parse(await read("kubernetes/workers.yaml")) as Deployment).spec.template;
  const [container] = spec.containers;
  assert.ok(spec.terminationGracePeriodSeconds > graceOf(container?.args ?? []) + giveBack);
});

test("KEDA looks at the keys in which BullMQ has the jobs of a class that wait and that are at work", async () => {
  const objects = parseAllDocuments(await read("kubernetes/keda.yaml")).map((document) => document.toJS() as ScaledObject);
  const scaled = objects.find(({ kind }) => kind === "ScaledObject");
  const keys = scaled?.spec.triggers.map(({ metadata }) => metadata.listName);
  const queue = `${bullPrefix}:${queueNames.ofClass("linux-x64-avx2-ort1.30.0-cpu")}`;
  assert.equal(keys, [`${queue}:prioritized`, `${queue}:active`]);
});

test.run();
