import type { AllocationMethod } from "./allocation-method.ts";
import { correlation } from "./correlation.ts";
import { owl } from "./owl.ts";
import { uniform } from "./uniform.ts";

/** The ways to allocate by name. */
export const allocationMethods: ReadonlyMap<string, AllocationMethod> = new Map(
  ([uniform, owl, correlation] as readonly AllocationMethod[]).map((method) => [method.name, method]),
);
