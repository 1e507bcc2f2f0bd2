import { formatBytes } from "@mbs/contracts";
import type { Device, DeviceChoice } from "@mbs/contracts";

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

/** Says what went to the graphics processor and back, and which graphs it could not run as a whole. */
export async function noteDevice(note: (line: string) => void): Promise<void> {
  const { deviceTransfers, listSplitGraphs } = await import("@mbs/onnx");
  const { uploads, uploadedBytes, downloads, downloadedBytes } = deviceTransfers();
  // an embedding alone, say
  if (uploads === 0) return;
  note(
    `WebGPU: ${formatBytes(uploadedBytes)} to the graphics processor in ${uploads} copies, ${formatBytes(downloadedBytes)} back in ${downloads}`,
  );
  const split = listSplitGraphs();
  const [first] = split;
  if (first === undefined) return;
  const others = split.length === 1 ? "" : ` and ${split.length - 1} more`;
  note(`WebGPU has not all operators of ${first}${others}: these run on the processor`);
}
