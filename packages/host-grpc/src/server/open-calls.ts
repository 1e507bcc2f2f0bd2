import { ServerInterceptingCall, ServerListenerBuilder, status as codes } from "@grpc/grpc-js";
import type { Metadata, ServerInterceptor, StatusObject } from "@grpc/grpc-js";
import { BadDataError } from "@mbs/contracts";
import type { ObservedCall, Observer } from "@mbs/contracts";
import { isFlight } from "../protocol/flight-service.ts";
import { bytesOf } from "../protocol/messages.ts";
import type { FlightData } from "../protocol/messages.ts";
import { IdleError, toStatus } from "../protocol/status.ts";
import { isOpenToAll } from "./access.ts";
import { Places } from "./places.ts";
import { isUnreadable } from "./unreadable-requests.ts";
import type { Caller } from "./tokens.ts";

type TransportCall = Parameters<ServerInterceptor>[1];
type PartialStatus = Parameters<TransportCall["sendStatus"]>[0];

/** What a call that sends reports. */
interface Sending {
  /** A message is handed to the transport; what it returns is called when the client has taken it. */
  readonly message: (message: unknown) => () => void;
  readonly status: (status: PartialStatus) => void;
}

/** A call that says how long its client has not taken a message: the library has no other place that knows. */
class SendingCall extends ServerInterceptingCall {
  readonly #sending: Sending;

  constructor(call: TransportCall, start: ConstructorParameters<typeof ServerInterceptingCall>[1], sending: Sending) {
    super(call, start);
    this.#sending = sending;
  }

  override sendMessage(message: unknown, callback: () => void): void {
    const endWait = this.#sending.message(message);
    super.sendMessage(message, () => {
      endWait();
      callback();
    });
  }

  override sendStatus(ending: PartialStatus): void {
    this.#sending.status(ending);
    super.sendStatus(ending);
  }
}

/** What is known of a call while it is open. */
class CallRecord {
  readonly told: ObservedCall;
  #received = 0;
  #sent = 0;
  #status: codes = codes.CANCELLED;
  #isEnded = false;

  constructor(told: ObservedCall) {
    this.told = told;
  }

  received(message: unknown): void {
    this.#received += bytesOf(message as Partial<FlightData>);
  }

  sent(message: unknown): void {
    this.#sent += bytesOf(message as Partial<FlightData>);
  }

  /** The status that its client is to get; the first counts. */
  ends(status: codes): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#status = status;
  }

  /** It is over: cancelled, if nothing was sent before. */
  over(): void {
    this.told.end({ status: codes[this.#status], received: this.#received, sent: this.#sent });
  }
}

/** A caller that is not known. */
const nobody: Caller = { name: "", scopes: new Set() };

/** Places for calls without a token (health): counted apart, so that they take nobody's. A watch of health stays for any time. */
const openToAllPlaces = 20;
/** Of these, the places of one client: checks of others find one beside a client that holds all it may. */
const openToAllPlacesPerClient = 5;

export interface CallLimits {
  /** Calls at one time. */
  readonly calls: number;
  /** Calls of one client at one time. */
  readonly callsPerClient: number;
  /**
   * Milliseconds until a request of one message has come, between two messages of a call that no CallWatch observes, and until a
   * message of any call is taken.
   */
  readonly idleMs: number;
}

/** A call that is open, for its handler. */
export interface OpenCall {
  readonly caller: Caller;
  /** Whose calls are counted together: those of one token, of one certificate, or else of one machine. */
  readonly client: string;
  /** Gets reports of what becomes of it. */
  readonly told: ObservedCall;
}

const clientOf = (call: TransportCall, { name }: Caller): string =>
  name || call.getAuthContext().sslPeerCertificate?.fingerprint256 || call.getPeer().replace(/:\d+$/, "");

/** "DoGet" of "/arrow.flight.protocol.FlightService/DoGet". */
const methodOf = (path: string): string => path.slice(path.lastIndexOf("/") + 1);

/**
 * Admits calls on a server: knows who calls, limits the number of open calls, the time until the one message of a unary request
 * has arrived, since the library calls no handler before that, and the time that a client may leave a message untaken, also when
 * the handler has ended.
 */
export class OpenCalls {
  readonly #limits: CallLimits;
  readonly #admit: (path: string, metadata: Metadata) => Caller;
  readonly #observer: Observer;
  /** By metadata: the one object that the library gives both to an interceptor and to a handler. */
  readonly #calls = new WeakMap<Metadata, OpenCall & { readonly end: (ending: StatusObject) => void }>();
  readonly #places: Places;
  readonly #placesOpenToAll = new Places("calls without a token", openToAllPlaces, openToAllPlacesPerClient);
  /** Calls that have no handler of ours, of health and reflection. */
  readonly #foreign = new Set<(ending: StatusObject) => void>();

  /** @param admit who calls; throws where the call is not allowed */
  constructor(limits: CallLimits, admit: (path: string, metadata: Metadata) => Caller, observer: Observer) {
    this.#limits = limits;
    this.#places = new Places("calls", limits.calls, limits.callsPerClient);
    this.#admit = admit;
    this.#observer = observer;
  }

  readonly intercept: ServerInterceptor = (method, call) => {
    const { path, requestStream } = method;
    const isWatched = isFlight(path) && requestStream;
    let leave: (() => void) | undefined;
    let request: NodeJS.Timeout | undefined;
    let answer: NodeJS.Timeout | undefined;
    let ended = false;
    let record: CallRecord | undefined;
    const end = (ending: StatusObject): void => {
      record?.ends(ending.code);
      call.sendStatus(ending);
    };
    const sending: Sending = {
      message: (message) => {
        record?.sent(message);
        // the library never says that a message of an ended call was taken
        if (!ended) answer = setTimeout(() => this.#giveUp(end), this.#limits.idleMs);
        return () => clearTimeout(answer);
      },
      status: ({ code }) => record?.ends(code ?? codes.OK),
    };
    const listener = new ServerListenerBuilder()
      .withOnReceiveMetadata((metadata, deliver) => {
        let client = clientOf(call, nobody);
        let refusal: StatusObject | undefined;
        let caller = nobody;
        try {
          caller = this.#admit(path, metadata);
          client = clientOf(call, caller);
          leave = (isOpenToAll(path) ? this.#placesOpenToAll : this.#places).take(client);
        } catch (error) {
          refusal = toStatus(error);
        }
        record = new CallRecord(this.#observer.call({ method: methodOf(path), peer: client }));
        if (refusal !== undefined) {
          end(refusal);
          return;
        }
        this.#calls.set(metadata, { caller, client, told: record.told, end });
        if (!isFlight(path)) this.#foreign.add(end);
        if (!isWatched) request = setTimeout(() => end(this.#tooLate), this.#limits.idleMs);
        deliver(metadata);
      })
      .withOnReceiveMessage((message, deliver) => {
        if (isUnreadable(message)) {
          end(toStatus(new BadDataError(`a message of ${methodOf(path)} cannot be decoded; send what protos/ says`)));
          return;
        }
        record?.received(message);
        request?.refresh();
        answer?.refresh();
        deliver(message);
      })
      .withOnReceiveHalfClose((deliver) => {
        clearTimeout(request);
        deliver();
      })
      // Called at the end of every call, however it ends.
      .withOnCancel(() => {
        ended = true;
        clearTimeout(request);
        clearTimeout(answer);
        this.#foreign.delete(end);
        leave?.();
        record?.over();
      })
      .build();
    return new SendingCall(call, { start: (next) => next(listener) }, sending);
  };

  /** What is known of a call whose handler runs. */
  of(metadata: Metadata): OpenCall {
    const found = this.#calls.get(metadata);
    if (!found) throw new Error("a call was not admitted");
    return found;
  }

  /** Ends a call at once, also where its client has not read all messages. */
  end(metadata: Metadata, ending: StatusObject): void {
    this.#calls.get(metadata)?.end(ending);
  }

  /** Ends the calls of health and reflection, which would stay open for as long as their clients like. */
  endForeign(ending: StatusObject): void {
    for (const end of this.#foreign) end(ending);
  }

  get #tooLate(): StatusObject {
    return toStatus(new IdleError("no request came", this.#limits.idleMs));
  }

  /** Ends a call whose client takes nothing: it gets the status when it reads on, its place is free at once. */
  #giveUp(end: (ending: StatusObject) => void): void {
    const ending = toStatus(new IdleError("the client read none of the output", this.#limits.idleMs));
    end(ending);
    // the first waits behind the messages; a second ends the call on this side
    end(ending);
  }
}
