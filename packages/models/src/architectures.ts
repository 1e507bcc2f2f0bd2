import { FailedPreconditionError } from "@mbs/contracts";
import type { Architecture } from "./architecture.ts";

/** Supported `model_type`s, each loaded when first needed. A new one is a file and a line here. */
const architectures: ReadonlyMap<string, () => Promise<Architecture>> = new Map([
  ["bloom", async () => (await import("./bloom.ts")).bloom],
]);

/** @throws {FailedPreconditionError} naming the supported ones when `modelType` is another */
export async function loadArchitecture(modelType: unknown, file: string): Promise<Architecture> {
  const load = typeof modelType === "string" ? architectures.get(modelType) : undefined;
  if (load === undefined) {
    const supported = [...architectures.keys()].join(", ");
    throw new FailedPreconditionError(
      `${file}: model_type ${JSON.stringify(modelType) ?? "absent"} is not supported; supported: ${supported}`,
      {
        file,
        supported,
      },
    );
  }
  return load();
}
