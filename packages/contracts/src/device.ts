/**
 * What runs forward passes and sums statistics: the processor, or by WebGPU the graphics processor. Results differ in the last
 * bits.
 */
export type Device = "cpu" | "webgpu";

/** What may be asked for: "auto" is the one that is faster here. */
export type DeviceChoice = Device | "auto";

export const deviceChoices = ["cpu", "webgpu", "auto"] as const satisfies readonly DeviceChoice[];

/** What was done on a graphics processor: plain values, which can be sent and added up. */
export interface DeviceReport {
  /** Copies to it. */
  readonly uploads: number;
  readonly uploadedBytes: number;
  /** Copies back. */
  readonly downloads: number;
  readonly downloadedBytes: number;
  /** How often it was full, and less was tried. */
  readonly lacksOfSpace: number;
  /** Graphs some of whose nodes run on the processor, since WebGPU has no such operator; sorted. */
  readonly splitGraphs: readonly string[];
}

export const noDeviceReport: DeviceReport = {
  uploads: 0,
  uploadedBytes: 0,
  downloads: 0,
  downloadedBytes: 0,
  lacksOfSpace: 0,
  splitGraphs: [],
};

export const addDeviceReports = (one: DeviceReport, other: DeviceReport): DeviceReport => ({
  uploads: one.uploads + other.uploads,
  uploadedBytes: one.uploadedBytes + other.uploadedBytes,
  downloads: one.downloads + other.downloads,
  downloadedBytes: one.downloadedBytes + other.downloadedBytes,
  lacksOfSpace: one.lacksOfSpace + other.lacksOfSpace,
  splitGraphs: [...new Set([...one.splitGraphs, ...other.splitGraphs])].sort(),
});
