import { requireNotRead } from "@mbs/artifacts";
import { createObjectPool, firstOutput, optionFlag, parseOptions, UsageError } from "@mbs/contracts";
import type { OptionTable, ServerPlace, Stage } from "@mbs/contracts";
import { findDevice, noteOwnDevice } from "./device.ts";
import { deviceOption, forbidNetwork, givenOptions, remoteOptions, threadsOption } from "./flags.ts";
import { commandOf, firstPresenter } from "./cli-host.ts";
import type { CliHost, FolderPresenter } from "./cli-host.ts";
import { tellParent } from "../process/parent-process.ts";
import { createReporter, progressStyle } from "../process/progress.ts";
import { openInputs, planInputs } from "./stage-inputs.ts";
import { printText, standardStream } from "../process/standard-streams.ts";
import { lockingOutputs, outputPaths, planOutputs, writeOutputs } from "./stage-outputs.ts";

/** Of the flags that a host adds to those of a stage. */
function machineOf({ threads, device }: Readonly<Record<string, unknown>>) {
  const given = { ...(threads !== undefined && { threads }), ...(device !== undefined && { device }) };
  return parseOptions({ threads: threadsOption, device: deviceOption }, given, "host");
}

/** The server that a stage runs on; undefined where it runs here. */
function remotePlace(given: Readonly<Record<string, unknown>>): ServerPlace | undefined {
  const { via, ...files } = parseOptions(remoteOptions, givenOptions(given, remoteOptions), "host");
  if (via !== undefined) return { via, ...files };
  const [name] = Object.entries(files).find(([, path]) => path !== undefined) ?? [];
  if (name !== undefined) throw new UsageError(`${optionFlag(name)} is for a call of a server; give --via too`);
  return undefined;
}

const folderText = async (presenter: FolderPresenter, folder: string, json: boolean): Promise<string> =>
  json ? `${JSON.stringify(await presenter.json(folder), null, 2)}\n` : presenter.text(folder);

/** The models, corpora, distributions and code that options name: also names that are no paths of this machine. */
const resourcePaths = (table: OptionTable, options: Readonly<Record<string, unknown>>): string[] =>
  Object.entries(options).flatMap(([name, value]) => {
    const kind = table[name]?.kind;
    return kind === "resource" || kind === "code" ? [value].flat().map(String) : [];
  });

/** Runs a stage with what its command was given. */
export async function runStage(
  stage: Stage,
  table: OptionTable,
  host: CliHost,
  given: Readonly<Record<string, unknown>>,
  fromPipe: boolean,
  outer: AbortSignal,
): Promise<void> {
  const options = givenOptions(given, table);
  // Checked before any input is read: a typing error must show at once, also behind a pipe that takes hours.
  parseOptions(table, options, stage.name);
  const presenter = firstPresenter(stage, host);
  const shown = givenOptions(given, presenter?.options ?? {});
  parseOptions(presenter?.options ?? {}, shown, stage.name);
  const { threads, device: choice } = machineOf(given);
  const place = remotePlace(given);
  if (place !== undefined && choice !== "cpu") {
    throw new UsageError("--device does not go with --via: a server computes on its processors", { option: "--device" });
  }
  const inputPlan = planInputs(stage, given as Readonly<Record<string, readonly string[]>>, options, fromPipe);
  const outputPlan = planOutputs(stage, {
    output: given["output"] as string | undefined,
    named: given as Readonly<Record<string, string | undefined>>,
    json: given["json"] === true,
    quiet: given["quiet"] === true,
    presenter,
    shown,
    terminal: process.stdout.isTTY,
  });
  // a file behind standard input is known by this name where the system has it
  const files = [...inputPlan.values()].flat().map((path) => (path === standardStream ? "/dev/stdin" : path));
  await requireNotRead(outputPaths(outputPlan), [...files, ...resourcePaths(table, options)]);
  if (given["offline"] === true) forbidNetwork();
  const force = given["force"] === true;
  const controller = new AbortController();
  const signal = AbortSignal.any([outer, controller.signal]);
  const reporter = createReporter(commandOf(host, stage), progressStyle(given["quiet"] === true));
  const warn = (message: string): void => {
    reporter.warn(message);
    tellParent({ warning: message });
  };
  const pool = createObjectPool();
  try {
    await lockingOutputs(outputPlan, force, async () => {
      const inputs = await openInputs(stage, inputPlan, signal);
      const device = await findDevice(choice, threads, reporter.note);
      const context = { signal, threads, device, pool, progress: reporter.progress, warn, note: reporter.note };
      const outputs =
        place !== undefined && host.remote
          ? await host.remote(place, stage, inputs, parseOptions(table, options, stage.name), context)
          : await stage.run(inputs, options, context);
      await writeOutputs(outputs, outputPlan, { force, signal }, (cause) => controller.abort(cause));
      const folder = given["output"] as string | undefined;
      if (device !== "cpu") await noteOwnDevice(reporter.note);
      if (host.folder && firstOutput(stage).folder && folder !== undefined && folder !== standardStream) {
        await printText(await folderText(host.folder, folder, given["json"] === true));
      }
    });
  } finally {
    reporter.stop();
    await pool.close();
  }
}
