// Serves the fake stages until it is killed: `serving.ts STORE`. Its first line is its port.
import { serve } from "@mbs/host-grpc";
import { programCommand } from "../../host-cli/test/fixtures/run-program.ts";
import { stages } from "../../host-cli/test/fixtures/stages.ts";

const [, , store = ""] = process.argv;
const { port } = await serve({
  listen: "127.0.0.1:0",
  stages,
  store,
  addressOf: async () => undefined,
  command: programCommand,
  threads: 1,
});
process.stdout.write(`${port}\n`);
