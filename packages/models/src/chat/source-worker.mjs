// The entry of a worker thread where this package is run from its sources: in the threads of Node 20, tsx has to be asked.
import { register } from "tsx/esm/api";

register();
await import("./template-worker.ts");
