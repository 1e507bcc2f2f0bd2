import { availableProcessors, parseBytes, parseOptions } from "@mbs/contracts";
import type { OptionTable } from "@mbs/contracts";
import { DeviceTotal, deviceOption, findDevice, memoryOption, optionsToFlags, parseMemory, toMbsError } from "@mbs/host-cli";
import { work } from "@mbs/pipeline";
import type { Command } from "commander";
import { plainCommand } from "./plain-command.ts";
import type { CommandContext } from "./plain-command.ts";
import { placeOptions } from "./queue-options.ts";
import { workerProgram } from "./worker-command.ts";
import { commandReporter, observeOptions, openObserver } from "../observe/open-observer.ts";
import { stages } from "../stages.ts";
import { version } from "../version.ts";

const { queue, store, ...place } = placeOptions;

/** Seconds; beyond this a timer of Node fires at once. */
const longestTimer = 2_000_000;

const options = {
  queue: { ...queue, optional: false },
  ...place,
  store: { ...store, optional: false },
  modelRoot: {
    kind: "text",
    placeholder: "FOLDER",
    description:
      "folder whose folders, or theirs, are models; others come from the store, where mbs run --publish-model puts them",
    optional: true,
  },
  label: { kind: "list", placeholder: "NAME,…", description: "also take the nodes of these labels", optional: true },
  cache: {
    kind: "text",
    placeholder: "FOLDER",
    description: "folder of artifacts and models at hand, of this worker alone; default: a temporary one",
    optional: true,
  },
  cacheLimit: {
    kind: "text",
    placeholder: "SIZE",
    description: "how much of them stays; what was not used for the longest time goes first",
    default: "16GiB",
    check: (text: string) => parseBytes(text, "--cache-limit"),
  },
  memory: memoryOption,
  device: deviceOption,
  nodeLimit: {
    kind: "number",
    above: 0,
    maximum: longestTimer,
    description: "seconds that a node may take; default: no limit",
    optional: true,
  },
  once: { kind: "flag", description: "leave after one node" },
  idleExit: {
    kind: "number",
    above: 0,
    maximum: longestTimer,
    description: "seconds without a node after which it leaves; default: it stays",
    optional: true,
  },
  grace: {
    kind: "number",
    minimum: 0,
    maximum: longestTimer,
    description: "seconds that the node at work has after SIGTERM or SIGINT; then it is given back to the queue",
    default: 30,
  },
  ...observeOptions,
} as const satisfies OptionTable;

const seconds = (value: number | undefined): number | undefined => (value === undefined ? undefined : value * 1000);

/** `mbs work`: runs nodes of any run at a queue until it is stopped. */
export function workCommand({ signal }: CommandContext): Command {
  const command = plainCommand("work", "Run nodes for mbs run --engine queue, on this machine, until it is stopped.", [
    "mbs work --queue redis://head:6379 --store /mnt/shared/store --model-root /models",
    "mbs work --queue rediss://head:6380 --queue-password-file password --queue-ca ca.pem --queue-key-file queue-key --store s3://bucket/prefix --model-root /models",
    "mbs work --queue redis://head:6379 --store /mnt/shared/store --model-root /models --label large --idle-exit 600",
  ]);
  for (const flag of optionsToFlags(options)) command.addOption(flag);
  return command.action(async () => {
    const { quiet = false, debug: _debug, ...given } = command.opts<{ quiet?: boolean; debug?: boolean }>();
    const values = parseOptions(options, given, "work");
    const {
      queue: url,
      queuePasswordFile,
      queueKeyFile,
      queueCa,
      label = [],
      cacheLimit,
      memory,
      nodeLimit,
      idleExit,
      grace,
    } = values;
    const reporter = commandReporter("mbs work", quiet, values.log);
    const observing = await openObserver(values, { name: "mbs work", ...reporter }, false);
    try {
      const deviceTotal = new DeviceTotal();
      await work({
        url,
        passwordFile: queuePasswordFile,
        keyFile: queueKeyFile,
        caFile: queueCa,
        version,
        store: values.store,
        modelRoot: values.modelRoot,
        labels: label,
        cache: values.cache,
        cacheLimit: parseBytes(cacheLimit, "--cache-limit"),
        memory: memory === undefined ? undefined : parseMemory(memory),
        device: await findDevice(values.device, availableProcessors(), reporter.note),
        stages: new Map([...stages].map(([name, { load }]) => [name, load])),
        // a node reads the model at hand and artifacts alone
        command: workerProgram(true),
        toError: toMbsError,
        once: values.once,
        idleExit: seconds(idleExit),
        jobLimit: seconds(nodeLimit),
        leaveGrace: grace * 1000,
        signal,
        say: reporter.note,
        warn: reporter.warn,
        progress: reporter.progress,
        onDevice: deviceTotal.add,
        observer: observing.observer,
      });
      deviceTotal.note(reporter.note);
    } finally {
      reporter.stop();
      await observing.close();
    }
  });
}
