/** The program from its sources, for cases that are run as a pipe of processes. */
import { main } from "mbs";

await main(process.argv.slice(2));
