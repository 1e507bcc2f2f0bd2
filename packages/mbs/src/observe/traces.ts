import { setTimeout as delay } from "node:timers/promises";
import type { Attributes, Context, Span } from "@opentelemetry/api";
import type { Observer, StageWork } from "@mbs/contracts";
import { version } from "../version.ts";
import { loadTraces } from "./observe-packages.ts";

/** Milliseconds for the last spans, at a collector that may be away. */
const closeMs = 5000;

const ignore = (): void => undefined;

export interface Traces {
  readonly observer: Observer;
  /** Ends the span around all, and sends what is left. */
  readonly close: () => Promise<void>;
}

/** What is known, since a span takes no attribute without a value. */
const known = (values: Readonly<Record<string, string | number | undefined>>): Attributes =>
  Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Attributes;

/**
 * Spans of what a host does, which OpenTelemetry sends where its variables (OTEL_…) say.
 *
 * @param around name of a span around all others; undefined: each is a trace of its own
 * @param warn called once where spans cannot be sent
 * @throws {FailedPreconditionError} where OpenTelemetry is not installed
 */
export async function openTraces(around: string | undefined, warn: (line: string) => void): Promise<Traces> {
  const { opentelemetry, NodeSDK, resources } = await loadTraces();
  const { context, diag, DiagLogLevel, SpanKind, SpanStatusCode, trace } = opentelemetry;
  let isWarned = false;
  const error = (): void => {
    if (!isWarned) warn("spans could not be sent; check OTEL_EXPORTER_OTLP_ENDPOINT, and set OTEL_LOG_LEVEL=error to see why");
    isWarned = true;
  };
  // replaced by one of the SDK's own where OTEL_LOG_LEVEL is set
  diag.setLogger({ error, warn: ignore, info: ignore, debug: ignore, verbose: ignore }, DiagLogLevel.ERROR);
  const sdk = new NodeSDK({
    resource: resources.resourceFromAttributes({ "service.name": "mbs", "service.version": version }),
    // those of host and process name the user, and the command with its paths
    resourceDetectors: [resources.envDetector],
    metricReaders: [],
    logRecordProcessors: [],
  });
  sdk.start();
  const tracer = trace.getTracer("mbs", version);
  const top = around === undefined ? undefined : tracer.startSpan(around, { root: true });
  const below = (span: Span | undefined): Context =>
    span === undefined ? context.active() : trace.setSpan(context.active(), span);

  const stageIn =
    (parent: Context): Observer["stage"] =>
    ({ stage, name, waited }: StageWork) => {
      const attributes = known({ "mbs.stage": stage, "mbs.node": name, "mbs.waited": waited });
      const span = tracer.startSpan(stage, { attributes }, parent);
      return ({ outcome, tag, received, sent }) => {
        span.setAttributes(known({ "mbs.outcome": outcome, "mbs.error": tag, "mbs.received": received, "mbs.sent": sent }));
        if (outcome === "failed") span.setStatus({ code: SpanStatusCode.ERROR, ...(tag !== undefined && { message: tag }) });
        span.end();
      };
    };
  const observer: Observer = {
    stage: stageIn(below(top)),
    call({ method }) {
      const attributes = { "rpc.system": "grpc", "rpc.method": method };
      const span = tracer.startSpan(method, { kind: SpanKind.SERVER, attributes }, below(top));
      return {
        stage: stageIn(below(span)),
        end({ status, received, sent }) {
          span.setAttributes({ "mbs.status": status, "mbs.received": received, "mbs.sent": sent });
          if (status !== "OK" && status !== "CANCELLED") span.setStatus({ code: SpanStatusCode.ERROR, message: status });
          span.end();
        },
      };
    },
  };
  return {
    observer,
    async close() {
      top?.end();
      const done = new AbortController();
      // the library tries again for longer than people want to wait
      const late = delay(closeMs, undefined, { signal: done.signal }).then(error, ignore);
      await Promise.race([sdk.shutdown().catch(error), late]);
      done.abort();
    },
  };
}
