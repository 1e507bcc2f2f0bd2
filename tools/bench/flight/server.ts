/** The server of stream.ts in a process of its own: prints its port. */
import { serve } from "@mbs/host-grpc";
import { programCommand } from "../../../packages/host-cli/test/fixtures/run-program.ts";
import { stages } from "../../../packages/host-cli/test/fixtures/stages.ts";

const [store = ""] = process.argv.slice(2);
const { port } = await serve({
  listen: "127.0.0.1:0",
  stages,
  store,
  addressOf: async () => undefined,
  command: programCommand,
});
process.stdout.write(`${port}\n`);
