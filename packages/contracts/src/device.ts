/**
 * What runs forward passes and sums statistics: the processor, or by WebGPU the graphics processor. Results differ in the last
 * bits.
 */
export type Device = "cpu" | "webgpu";

/** What may be asked for: "auto" is the one that is faster here. */
export type DeviceChoice = Device | "auto";

export const deviceChoices = ["cpu", "webgpu", "auto"] as const satisfies readonly DeviceChoice[];
