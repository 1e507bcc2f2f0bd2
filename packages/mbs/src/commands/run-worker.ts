import { requireKnownColumns } from "@mbs/artifacts";
import { loadStage } from "@mbs/contracts";
import { forbidNetwork, letHeapGrow, toMbsError } from "@mbs/host-cli";
import { serveWorker } from "@mbs/pipeline";
import { stages } from "../stages.ts";
import { offlineFlag } from "./worker-command.ts";

/** `mbs run-worker`: runs nodes until its parent process says that this is the end, or is gone. */
export async function runWorker(argv: readonly string[]): Promise<void> {
  letHeapGrow();
  if (argv.includes(offlineFlag)) forbidNetwork();
  await serveWorker({
    stage: async (name) => (await stages.get(name)?.load()) ?? (await loadStage(name, [...stages.keys()], requireKnownColumns)),
    toError: toMbsError,
  });
  process.exit(0);
}
