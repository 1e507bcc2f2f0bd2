import { InternalError } from "@mbs/contracts";
/** What work has made, for resuming: key (hash of stage, options and input addresses) → output addresses by name. */
export class RunManifest {
  static open(_path: string): Promise<RunManifest> {
    throw new InternalError("soon");
  }
  get(_key: string): Readonly<Record<string, string>> | undefined {
    throw new InternalError("soon");
  }
  set(_key: string, _outputs: Readonly<Record<string, string>>): Promise<void> {
    throw new InternalError("soon");
  }
}
/** The key of one node: stage name, options and input addresses in canonical form, hashed. */
export function manifestKey(_stage: string, _options: unknown, _inputs: Readonly<Record<string, readonly string[]>>): string {
  throw new InternalError("soon");
}
