import { availableParallelism } from "node:os";
import type { Option } from "@mbs/contracts";

/** `--threads`, the same for every command. */
export const threadsOption = {
  kind: "integer",
  description: "threads for native code; the same number gives the same bytes",
  minimum: 1,
  maximum: 1024,
  default: availableParallelism(),
} as const satisfies Option;
