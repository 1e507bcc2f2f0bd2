import { addDeviceReports, formatBytes, noDeviceReport } from "@mbs/contracts";
import type { Device, DeviceChoice, DeviceReport } from "@mbs/contracts";

/**
 * The device that was asked for. ONNX Runtime is loaded only where that is not the processor.
 *
 * @param note takes what "auto" chose
 * @throws {FailedPreconditionError} where there is none
 */
export async function findDevice(choice: DeviceChoice, threads: number, note: (line: string) => void): Promise<Device> {
  if (choice === "cpu") return choice;
  const { chooseDevice } = await import("@mbs/onnx");
  const device = await chooseDevice(choice, threads);
  if (choice === "auto") note(`runs the model on ${device === "cpu" ? "the processor" : "the graphics processor (WebGPU)"}`);
  return device;
}

/** Says what went to the graphics processor and back, whether it was full, and which graphs it could not run as a whole. */
function noteDevice(report: DeviceReport, note: (line: string) => void): void {
  const { uploads, uploadedBytes, downloads, downloadedBytes, lacksOfSpace, splitGraphs } = report;
  // an embedding alone, say
  if (uploads === 0) return;
  note(
    `WebGPU: ${formatBytes(uploadedBytes)} to the graphics processor in ${uploads} copies, ${formatBytes(downloadedBytes)} back in ${downloads}`,
  );
  if (lacksOfSpace > 0) {
    note(
      `WebGPU: the graphics processor had too little space ${lacksOfSpace === 1 ? "once" : `${lacksOfSpace} times`}; from then on less went there at a time`,
    );
  }
  const [first] = splitGraphs;
  if (first === undefined) return;
  const others = splitGraphs.length === 1 ? "" : ` and ${splitGraphs.length - 1} more`;
  note(`WebGPU has not all operators of ${first}${others}: these run on the processor`);
}

/** The same of all that this process has done. */
export async function noteOwnDevice(note: (line: string) => void): Promise<void> {
  const { deviceReport } = await import("@mbs/onnx");
  noteDevice(deviceReport(), note);
}

/** Adds up what several nodes or processes have done on graphics processors. */
export class DeviceTotal {
  #sum = noDeviceReport;

  readonly add = (report: DeviceReport): void => {
    this.#sum = addDeviceReports(this.#sum, report);
  };

  /** As noteDevice. */
  note(note: (line: string) => void): void {
    noteDevice(this.#sum, note);
  }
}
