import { readFileSync } from "node:fs";
import type { Device } from "@mbs/contracts";
import { runtimeVersion } from "@mbs/onnx";

/** What the first processor of a Linux machine can do; empty elsewhere. */
function processorFlags(): ReadonlySet<string> {
  try {
    const [, flags = ""] = /^flags\s*:(.*)$/m.exec(readFileSync("/proc/cpuinfo", "utf8")) ?? [];
    return new Set(flags.trim().split(/\s+/));
  } catch {
    return new Set();
  }
}

/** The widest vectors by which ONNX Runtime chooses its kernels, as far as the system tells. */
export function vectorUnits(architecture: string, flags: ReadonlySet<string>): string {
  if (architecture !== "x64") return "neon";
  if (flags.size === 0) return "unknown";
  if (flags.has("avx512f")) return flags.has("avx512_vnni") ? "avx512vnni" : "avx512";
  return flags.has("avx2") && flags.has("fma") ? "avx2" : "sse";
}

/**
 * The class of this machine's processors, "linux-x64-avx2-ort1.30.0-cpu": machines of one class give the same bytes, others may
 * differ in the last bits. Graphics processors of different makers count as one class.
 */
export const processorClass = (device: Device = "cpu"): string =>
  [process.platform, process.arch, vectorUnits(process.arch, processorFlags()), `ort${runtimeVersion}`, device].join("-");
