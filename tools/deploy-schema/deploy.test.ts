import { readdir, readFile } from "node:fs/promises";
import { Ajv } from "ajv";
import { Ajv2020 } from "ajv/dist/2020.js";
import type { ValidateFunction } from "ajv";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { parse, parseAllDocuments } from "yaml";
import { workCommand } from "../../packages/mbs/src/commands/work-command.ts";
import { runCommand } from "../../packages/mbs/src/commands/run-command.ts";
import { version } from "../../packages/mbs/src/version.ts";
import { bullPrefix, circleOf, queueNames } from "../../packages/pipeline/src/run/queue/queue-names.ts";

const read = (name: string): Promise<string> => readFile(new URL(`../../deploy/${name}`, import.meta.url), "utf8");

interface Named {
  readonly apiVersion: string;
  readonly kind: string;
}
interface Schemas {
  readonly kubernetes: { readonly $id: string };
  readonly keda: Readonly<Record<string, object>>;
  readonly compose: object;
}

/** collect.py says where they are from. */
const schemas = JSON.parse(await readFile(new URL("schemas.json", import.meta.url), "utf8")) as Schemas;
const options = { strict: false, validateFormats: false, validateSchema: false };
const kubernetes = new Ajv2020(options).addSchema(schemas.kubernetes);
const draft7 = new Ajv(options);
const compose = draft7.compile(schemas.compose);
const keda = new Map(Object.entries(schemas.keda).map(([kind, schema]) => [kind, draft7.compile(schema)]));

/** @throws where an object is of a kind that has no schema */
function schemaOf({ apiVersion, kind }: Named): ValidateFunction {
  const group = apiVersion === "v1" ? "core.v1" : apiVersion.replace("/", ".");
  const found = apiVersion.startsWith("keda.sh/")
    ? keda.get(kind)
    : kubernetes.getSchema(`${schemas.kubernetes.$id}#/$defs/io.k8s.api.${group}.${kind}`);
  if (found === undefined) throw new Error(`no schema of ${apiVersion} ${kind}; add it to collect.py`);
  return found;
}

const faultsOf = (validate: ValidateFunction, value: unknown): string[] =>
  validate(value) ? [] : (validate.errors ?? []).map(({ instancePath, message }) => `${instancePath}: ${message}`);

async function objects(): Promise<Named[]> {
  const names = (await readdir(new URL("../../deploy/kubernetes/", import.meta.url))).filter((name) => name.endsWith(".yaml"));
  const texts = await Promise.all(names.toSorted().map((name) => read(`kubernetes/${name}`)));
  return texts.flatMap((text) => parseAllDocuments(text).map((document) => document.toJS() as Named));
}

test("the files fit the schemas of Compose, Kubernetes and KEDA, and no key is unknown", async () => {
  assert.equal(faultsOf(compose, parse(await read("compose.yaml"), { merge: true })), []);
  const found = await objects();
  assert.equal(
    found.map(({ kind }) => kind),
    ["TriggerAuthentication", "ScaledObject", "Service", "StatefulSet", "Deployment"],
  );
  for (const object of found) assert.equal(faultsOf(schemaOf(object), object), [], object.kind);
});

/** Paths of objects to which a key is added that they do not have. */
const misspelt: Readonly<Record<string, readonly string[]>> = {
  Deployment: ["spec", "spec.template.spec", "spec.template.spec.containers.0", "spec.template.spec.volumes.0"],
  StatefulSet: ["spec", "spec.template.spec.containers.0.securityContext", "spec.volumeClaimTemplates.0.spec"],
  Service: ["spec", "spec.ports.0"],
  ScaledObject: ["spec", "spec.triggers.0", "spec.scaleTargetRef"],
  TriggerAuthentication: ["spec", "spec.secretTargetRef.0"],
};

/** A copy with a key that is unknown at a path. */
function withUnknown(value: unknown, path: string): unknown {
  const copy = structuredClone(value);
  let part = copy as Record<string, unknown>;
  for (const name of path.split(".")) part = part[name] as Record<string, unknown>;
  part["mispelt"] = 1;
  return copy;
}

test("the schemas find a misspelt key wherever it is", async () => {
  for (const object of await objects()) {
    const validate = schemaOf(object);
    for (const path of misspelt[object.kind] ?? []) {
      assert.is.not(faultsOf(validate, withUnknown(object, path)).length, 0, `${object.kind}: ${path}`);
    }
  }
  const given: unknown = parse(await read("compose.yaml"), { merge: true });
  for (const path of ["services.worker", "services.redis.healthcheck", "secrets.queue-key"]) {
    assert.is.not(faultsOf(compose, withUnknown(given, path)).length, 0, path);
  }
});

/** Seconds that a node has to stop and be given back after its grace. */
const giveBack = 15;

const graceOf = (words: readonly string[]): number => {
  const [, seconds = "NaN"] = /^--grace=(\d+)$/.exec(words.find((word) => word.startsWith("--grace=")) ?? "") ?? [];
  return Number(seconds);
};

interface Services {
  readonly worker: {
    readonly command: readonly string[];
    readonly stop_grace_period: string;
    readonly secrets: readonly string[];
  };
  readonly run: { readonly entrypoint: readonly string[] };
}
interface PodSpec {
  readonly terminationGracePeriodSeconds: number;
  readonly containers: readonly {
    readonly args: readonly string[];
    readonly volumeMounts: readonly { readonly name: string; readonly mountPath: string }[];
  }[];
  readonly volumes: readonly { readonly name: string; readonly secret?: { readonly secretName: string } }[];
}
interface ScaledObject extends Named {
  readonly spec: { readonly triggers: readonly { readonly metadata: { readonly listName: string } }[] };
}

const composeServices = async (): Promise<Services> =>
  (parse(await read("compose.yaml"), { merge: true }) as { readonly services: Services }).services;

const workerPod = async (): Promise<PodSpec> =>
  (parse(await read("kubernetes/workers.yaml")) as { readonly spec: { readonly template: { readonly spec: PodSpec } } }).spec
    .template.spec;

test("containers are killed only after a worker's grace and the time to give its node back", async () => {
  const { worker } = await composeServices();
  assert.ok(Number.parseInt(worker.stop_grace_period, 10) > graceOf(worker.command) + giveBack);
  const { containers, terminationGracePeriodSeconds } = await workerPod();
  assert.ok(terminationGracePeriodSeconds > graceOf(containers[0]?.args ?? []) + giveBack);
});

const flagsOf = (command: { readonly options: readonly { readonly long?: string | undefined }[] }): (string | undefined)[] =>
  command.options.map(({ long }) => long);

test("every option in them is one of the command, and every file of a secret is mounted", async () => {
  const context = { argv: [], signal: new AbortController().signal };
  const work = flagsOf(workCommand(context));
  const run = flagsOf(runCommand(context));
  const { worker, run: runService } = await composeServices();
  const { containers, volumes } = await workerPod();
  const [container] = containers;
  for (const [words, known] of [
    [worker.command, work],
    [container?.args ?? [], work],
    [runService.entrypoint, run],
  ] as const) {
    const flags = words.filter((word) => word.startsWith("--")).map((word) => word.split("=")[0]);
    assert.ok(flags.includes("--queue-key-file"));
    for (const flag of flags) assert.ok(known.includes(flag), flag);
  }
  for (const flag of ["--queue-ca", "--queue-password-file", "--queue-key-file"]) {
    const path = container?.args.find((word) => word.startsWith(`${flag}=`))?.split("=")[1] ?? "";
    const mount = container?.volumeMounts.find(({ mountPath }) => path.startsWith(`${mountPath}/`));
    assert.ok(volumes.find(({ name }) => name === mount?.name)?.secret, flag);
  }
  assert.equal(worker.secrets, ["queue-password", "queue-key"]);
});

test("KEDA looks at the keys in which BullMQ has the jobs of a queue that wait and that are at work", async () => {
  const scaled = (await objects()).find(({ kind }) => kind === "ScaledObject") as ScaledObject | undefined;
  const keys = scaled?.spec.triggers.map(({ metadata }) => metadata.listName);
  const queue = `${bullPrefix}:${queueNames.ofClass("linux-x64-avx2-ort1.30.0-cpu", circleOf(version, "00000000"))}`;
  assert.equal(keys, [`${queue}:prioritized`, `${queue}:active`]);
});

test.run();
