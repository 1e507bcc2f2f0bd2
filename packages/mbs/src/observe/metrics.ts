import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { performance } from "node:perf_hooks";
import type { Observer, StageWork } from "@mbs/contracts";
import { bareHost, isLoopback, listenError } from "@mbs/host-grpc";
import { parseMetricsAddress } from "./metrics-address.ts";
import { loadMetrics } from "./observe-packages.ts";

/** Seconds; stages take from less than one to hours. */
const boundaries = [0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600, 14_400];

/** Connections at one time: a scraper needs one. */
const connectionLimit = 20;

/** What a host knows at any moment, for the metrics that are read when they are asked for. */
export interface HostState {
  readonly storeBytes: number;
  readonly waitingCalls: number;
}

export interface Metrics {
  readonly observer: Observer;
  /** "http://127.0.0.1:9464/metrics" */
  readonly address: string;
  /** Whether other machines may reach it. */
  readonly isOpen: boolean;
  /** Adds the metrics of a server. */
  readonly watch: (state: HostState) => void;
  readonly close: () => Promise<void>;
}

/**
 * Metrics of what a host does, in the text format of Prometheus.
 *
 * @param place "HOST:PORT", or a port on loopback; port 0 takes a free one
 * @throws {UsageError} on what is no address
 * @throws {FailedPreconditionError} where OpenTelemetry is not installed
 * @throws {DeniedError} where the user may not take the port
 * @throws {InputOutputError} where the port is taken, or the address is none of this machine
 */
export async function openMetrics(place: string): Promise<Metrics> {
  const { host, port } = parseMetricsAddress(place);
  const { MeterProvider, PrometheusExporter } = await loadMetrics();
  const exporter = new PrometheusExporter({ preventServerStart: true, withoutScopeInfo: true, withoutTargetInfo: true });
  const provider = new MeterProvider({ readers: [exporter] });
  const meter = provider.getMeter("mbs");

  const gauge = (name: string, description: string, value: () => number): void =>
    meter.createObservableGauge(name, { description }).addCallback((result) => result.observe(value()));

  const running = meter.createUpDownCounter("mbs_stages_running", { description: "Stages that run now" });
  const stages = meter.createCounter("mbs_stages", { description: "Stages that have ended: finished, failed or stopped" });
  const seconds = (name: string, description: string) =>
    meter.createHistogram(name, { description, advice: { explicitBucketBoundaries: boundaries } });
  const took = seconds("mbs_stage_seconds", "How long stages took");
  const waited = seconds("mbs_stage_wait_seconds", "How long stages waited for their turn");
  const calls = meter.createCounter("mbs_calls", { description: "Calls that have ended, refused ones too, by gRPC's status" });
  const received = meter.createCounter("mbs_received_bytes", { description: "Bytes received by calls and jobs that have ended" });
  const sent = meter.createCounter("mbs_sent_bytes", { description: "Bytes sent by calls and jobs that have ended" });

  const begin: Observer["stage"] = ({ stage, waited: wait }: StageWork) => {
    const started = performance.now();
    running.add(1, { stage });
    if (wait !== undefined) waited.record(wait, { stage });
    return ({ outcome, received: more = 0, sent: put = 0 }) => {
      running.add(-1, { stage });
      stages.add(1, { stage, outcome });
      took.record((performance.now() - started) / 1000, { stage });
      received.add(more);
      sent.add(put);
    };
  };
  const observer: Observer = {
    stage: begin,
    call: ({ method }) => ({
      stage: begin,
      end: ({ status, received: more, sent: answer }) => {
        calls.add(1, { method, status });
        received.add(more);
        sent.add(answer);
      },
    }),
  };

  const server = createServer((request, response) => {
    if (request.url === "/metrics") exporter.getMetricsRequestHandler(request, response);
    else response.writeHead(404).end();
  });
  server.maxConnections = connectionLimit;
  await new Promise<void>((resolve, reject) => {
    server.once("error", (cause) => reject(listenError(`${host}:${port}`, "--metrics", cause)));
    server.listen(port, bareHost(host), resolve);
  });
  // it keeps no process alive
  server.unref();
  return {
    observer,
    address: `http://${host}:${(server.address() as AddressInfo).port}/metrics`,
    isOpen: !isLoopback(host),
    watch(state) {
      gauge("mbs_store_bytes", "Bytes of the artifacts in the store", () => state.storeBytes);
      gauge("mbs_calls_waiting", "Calls whose stage waits for its turn", () => state.waitingCalls);
    },
    async close() {
      server.close();
      server.closeAllConnections();
      await provider.shutdown();
    },
  };
}
