import type { MethodDefinition } from "@grpc/grpc-js";
import { messages } from "./messages.ts";
import type { MessageCodec } from "./messages.ts";

const servicePath = "/arrow.flight.protocol.FlightService/";

/** Whether the path of a method is one of Flight. */
export const isFlight = (path: string): boolean => path.startsWith(servicePath);

function method<Request, Response>(
  name: string,
  request: MessageCodec<Request>,
  response: MessageCodec<Response>,
  streams: { readonly request?: boolean; readonly response?: boolean },
): MethodDefinition<Request, Response> {
  return {
    path: `${servicePath}${name}`,
    requestStream: streams.request ?? false,
    responseStream: streams.response ?? false,
    requestSerialize: (message) => request.encode(message),
    requestDeserialize: (bytes) => request.decode(bytes),
    responseSerialize: (message) => response.encode(message),
    responseDeserialize: (bytes) => response.decode(bytes),
  };
}

/** The methods of Flight that are offered; any other is answered UNIMPLEMENTED by the library. */
export const flightService = {
  listFlights: method("ListFlights", messages.Criteria, messages.FlightInfo, { response: true }),
  getFlightInfo: method("GetFlightInfo", messages.FlightDescriptor, messages.FlightInfo, {}),
  getSchema: method("GetSchema", messages.FlightDescriptor, messages.SchemaResult, {}),
  doGet: method("DoGet", messages.Ticket, messages.FlightData, { response: true }),
  doPut: method("DoPut", messages.FlightData, messages.PutResult, { request: true, response: true }),
  doExchange: method("DoExchange", messages.FlightData, messages.FlightData, { request: true, response: true }),
  doAction: method("DoAction", messages.Action, messages.Result, { response: true }),
  listActions: method("ListActions", messages.Empty, messages.ActionType, { response: true }),
};
