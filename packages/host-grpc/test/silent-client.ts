// Calls the stage `make` of the server at a port, which then has much to say, and takes it all until it is stopped.
import { send } from "../src/messages-in-order.ts";
import { FlightClient, callOf } from "./flight-client.ts";

const client = new FlightClient(Number(process.argv[2]));
const call = client.exchange();
call.on("data", () => undefined).on("error", () => undefined);
await send(call, callOf({ stage: "make", options: { segments: { number: 1e6 }, pause: { number: 3_600_000 } } }));
process.stdout.write("called\n");
