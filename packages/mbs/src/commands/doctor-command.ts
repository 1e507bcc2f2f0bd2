import { statfs } from "node:fs/promises";
import { availableParallelism, freemem, totalmem } from "node:os";
import { availableProcessors, FailedPreconditionError, formatBytes, parseOptions } from "@mbs/contracts";
import type { Device, OptionTable } from "@mbs/contracts";
import { optionsToFlags, printText } from "@mbs/host-cli";
import type { Command } from "commander";
import { version } from "../version.ts";
import { plainCommand } from "./plain-command.ts";
import type { CommandContext } from "./plain-command.ts";

const options = {
  device: {
    kind: "choice",
    choices: ["cpu", "webgpu"],
    default: "cpu",
    description: "webgpu: also look for a graphics processor, and measure it",
  },
  json: { kind: "flag", description: "print JSON" },
} as const satisfies OptionTable;

/** Bytes of memory and disk below which even small models have no place. */
const leastMemory = 2e9;
const leastDisk = 2e9;

/** The oldest version of Node that this runs on. */
const oldestNode = 20;

interface Check {
  readonly name: string;
  readonly found: string;
  /** What to do about it; absent where all is well. */
  readonly remedy?: string;
}

const deviceNames: Readonly<Record<Device, string>> = { cpu: "processor", webgpu: "graphics" };

/** The library that multiplies matrices, which is native code: an install that left it out shows here. And how fast it is. */
async function checkRuntime(devices: readonly Device[]): Promise<readonly Check[]> {
  const name = "ONNX Runtime";
  let onnx: typeof import("@mbs/onnx");
  try {
    onnx = await import("@mbs/onnx");
  } catch (error) {
    const remedy = `${(error as Error).message}; there are binaries for Linux x64 and arm64, macOS arm64 and Windows, and this is ${process.platform} ${process.arch}`;
    return [{ name, found: "does not load", remedy }];
  }
  const { measureProduct, runtimeVersion } = onnx;
  const checks: Check[] = [{ name, found: `${runtimeVersion}; telemetry off` }];
  for (const device of devices) {
    try {
      const rate = await measureProduct(device, availableProcessors());
      checks.push({ name: deviceNames[device], found: `${rate.toFixed(rate < 10 ? 1 : 0)} GFLOP/s in products of float32` });
    } catch (error) {
      checks.push({ name: deviceNames[device], found: "none", remedy: (error as Error).message });
    }
  }
  return checks;
}

async function checkDisk(): Promise<Check> {
  const { bavail, bsize } = await statfs(".");
  const free = bavail * bsize;
  return {
    name: "disk here",
    found: `${formatBytes(free)} free`,
    ...(free < leastDisk && {
      remedy: "a run writes up to a few times the model; free some, or name another folder with --output",
    }),
  };
}

async function allChecks(devices: readonly Device[]): Promise<readonly Check[]> {
  const node = Number(process.versions.node.split(".")[0]);
  const memory = process.constrainedMemory() > 0 ? Math.min(process.constrainedMemory(), totalmem()) : totalmem();
  return [
    { name: "mbs", found: version },
    {
      name: "Node",
      found: `${process.versions.node} on ${process.platform} ${process.arch}`,
      ...(node < oldestNode && { remedy: `install Node ${oldestNode} or later` }),
    },
    ...(await checkRuntime(devices)),
    { name: "threads", found: `${availableProcessors()} of ${availableParallelism()} processors` },
    {
      name: "memory",
      found: `${formatBytes(memory)}, ${formatBytes(Math.min(freemem(), memory))} free`,
      ...(memory < leastMemory && { remedy: "models of 0.3 billion parameters and more need about 2 GB; take a larger machine" }),
    },
    await checkDisk(),
  ];
}

const lineOf = ({ name, found, remedy }: Check): string =>
  `${name.padEnd(13)} ${found}${remedy === undefined ? "" : `\n${" ".repeat(14)}→ ${remedy}`}\n`;

/** `mbs doctor`: whether this machine can run it, and what to do where it cannot. */
export function doctorCommand(_context: CommandContext): Command {
  const command = plainCommand(
    "doctor",
    "Check this machine: Node, ONNX Runtime, threads, memory, disk. Fails where something is wrong.",
    ["mbs doctor", "mbs doctor --device webgpu", "mbs doctor --json"],
  );
  for (const flag of optionsToFlags(options)) command.addOption(flag);
  return command.action(async () => {
    const { quiet: _quiet, debug: _debug, ...given } = command.opts<Record<string, unknown>>();
    const { json, device } = parseOptions(options, given, "doctor");
    const checks = await allChecks(device === "cpu" ? [device] : ["cpu", "webgpu"]);
    const wrong = checks.filter(({ remedy }) => remedy !== undefined);
    const verdict = wrong.length === 0 ? "all is well: this machine can run mbs\n" : "";
    await printText(json ? `${JSON.stringify({ checks }, null, 2)}\n` : `${checks.map(lineOf).join("")}${verdict}`);
    if (wrong.length > 0) {
      throw new FailedPreconditionError(`${wrong.map(({ name }) => name).join(", ")}: see above`, { wrong: wrong.length });
    }
  });
}
