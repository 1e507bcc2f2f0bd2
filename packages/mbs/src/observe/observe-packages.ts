import { importOptional } from "@mbs/contracts";

const api = { name: "@opentelemetry/api", version: "1.9.1" } as const;

/** What `--metrics` needs beside this program: most people have none. */
export const metricsPackages = [
  { ...api, neededBy: "--metrics" },
  { name: "@opentelemetry/sdk-metrics", version: "2.12.0", neededBy: "--metrics" },
  { name: "@opentelemetry/exporter-prometheus", version: "0.223.0", neededBy: "--metrics" },
] as const;

/** What `--traces` needs beside this program. */
export const tracesPackages = [
  { ...api, neededBy: "--traces" },
  { name: "@opentelemetry/sdk-node", version: "0.223.0", neededBy: "--traces" },
] as const;

/** @throws {FailedPreconditionError} where they are not installed */
export async function loadMetrics() {
  const [first, sdk, prometheus] = metricsPackages;
  await importOptional(() => import("@opentelemetry/api"), first, metricsPackages);
  const { MeterProvider } = await importOptional(() => import("@opentelemetry/sdk-metrics"), sdk, metricsPackages);
  const { PrometheusExporter } = await importOptional(
    () => import("@opentelemetry/exporter-prometheus"),
    prometheus,
    metricsPackages,
  );
  return { MeterProvider, PrometheusExporter };
}

/** @throws {FailedPreconditionError} where they are not installed */
export async function loadTraces() {
  const [first, sdk] = tracesPackages;
  const opentelemetry = await importOptional(() => import("@opentelemetry/api"), first, tracesPackages);
  const { NodeSDK, resources } = await importOptional(() => import("@opentelemetry/sdk-node"), sdk, tracesPackages);
  return { opentelemetry, NodeSDK, resources };
}
