import { isMainThread } from "node:worker_threads";
import { FailedPreconditionError } from "@mbs/contracts";

const variable = "ORT_DISABLE_TELEMETRY";

/**
 * Turns off the telemetry of ONNX Runtime for this process and those that it starts.
 *
 * onnxruntime-node 1.30 reports its use unless the variable is set when the first session is made: it writes a device id and
 * a database under the user's cache folder and a log file for each process into the temporary folder, and sends events.
 *
 * @throws {FailedPreconditionError} in a worker thread of a process that did not turn it off: a worker has a copy of the
 *   environment, so what it sets does not reach the native library
 */
export function turnTelemetryOff(): void {
  if (isMainThread) process.env[variable] = "1";
  else if (process.env[variable] !== "1")
    throw new FailedPreconditionError(
      `telemetry of ONNX Runtime cannot be turned off from a worker thread: set ${variable}=1 in the main thread before the worker starts`,
    );
}
