import { quoted, UsageError } from "@mbs/contracts";
import { messages } from "../protocol/messages.ts";
import { send } from "../protocol/messages-in-order.ts";
import { actionNeeds, requireScope } from "./access.ts";
import type { ActionName } from "./access.ts";
import { deleteArtifact, doGet, doPut, getFlightInfo, getSchema, listFlights } from "./artifact-calls.ts";
import type { CallHandlers, StreamingCall } from "./call-handlers.ts";
import { exchange } from "./exchange.ts";
import type { ExchangeServer } from "./exchange.ts";
import { describeStages } from "./stage-call.ts";

type ActionCall = Parameters<typeof send>[0] & StreamingCall & { request: { type: string; body?: Uint8Array } };

/** An action of DoAction. */
interface Action {
  readonly description: string;
  /** @returns the body of its one result, if it has one */
  readonly run: (body: Uint8Array | undefined) => Promise<Uint8Array | void>;
}

const isAction = (type: string): type is ActionName => Object.hasOwn(actionNeeds, type);

function serverActions({ stages, store }: ExchangeServer): Readonly<Record<ActionName, Action>> {
  return {
    "list-stages": {
      description: "All stages: one result, a StageList of protos/mbs/v1/stage.proto",
      run: async () => messages.StageList.encode(describeStages(stages)),
    },
    "delete-artifact": {
      description: "Removes the artifact whose address is the body; no result",
      run: async (body) => deleteArtifact(store, body),
    },
  };
}

/** The calls of Arrow Flight that a server of stages and artifacts answers. */
export function flightCalls(exchanges: ExchangeServer, handlers: CallHandlers) {
  const { store, callBytes } = exchanges;
  const actions = serverActions(exchanges);
  return {
    listFlights: handlers.streaming((call: Parameters<typeof listFlights>[1], watch) => listFlights(store, call, watch)),
    getFlightInfo: handlers.unary((descriptor: Parameters<typeof getFlightInfo>[1]) =>
      getFlightInfo(store.artifacts, descriptor),
    ),
    getSchema: handlers.unary((descriptor: Parameters<typeof getSchema>[1]) => getSchema(store.artifacts, descriptor)),
    doGet: handlers.streaming((call: Parameters<typeof doGet>[1], watch) => doGet(store, call, watch)),
    doPut: handlers.streaming((call: Parameters<typeof doPut>[1], watch) => doPut(store, call, watch, callBytes)),
    doExchange: handlers.streaming((call: Parameters<typeof exchange>[1], watch, open) => exchange(exchanges, call, watch, open)),
    doAction: handlers.streaming(async (call: ActionCall, watch, { caller }) => {
      const { type, body } = call.request;
      if (!isAction(type)) {
        throw new UsageError(`no action ${quoted(type)}; this server has ${Object.keys(actions).join(", ")}`);
      }
      requireScope(caller, actionNeeds[type], type);
      const result = await actions[type].run(body);
      if (result !== undefined) await send(call, { body: result }, watch);
    }),
    listActions: handlers.streaming(async (call: Parameters<typeof send>[0] & StreamingCall, watch) => {
      for (const [type, { description }] of Object.entries(actions)) await send(call, { type, description }, watch);
    }),
  };
}
