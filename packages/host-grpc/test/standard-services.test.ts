import { createRequire } from "node:module";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { loadPackageDefinition, makeClientConstructor, credentials, Metadata, status } from "@grpc/grpc-js";
import type { ClientDuplexStream, ClientReadableStream, ServiceClientConstructor, ServiceError } from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { service } from "grpc-health-check";
import descriptor from "protobufjs/ext/descriptor.js";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { makeAuthority, makeCertificate, writePair } from "../../../tools/test/certificates.ts";
import { callMake, inTime, startServer, withServer } from "./fixtures/fake-server.ts";
import type { FakeServer } from "./fixtures/fake-server.ts";
import { FlightClient, all, errorOf } from "./fixtures/flight-client.ts";

interface Context {
  fake: FakeServer;
  folder: string;
  tokens: string;
}

const test = suite<Context>("standard services");

const token = "t".repeat(32);

test.before(async (context) => {
  context.folder = await mkdtemp(join(tmpdir(), "host-grpc-standard-"));
  context.tokens = join(context.folder, "tokens");
  await writeFile(context.tokens, `all run,read,write,delete ${token}\n`, { mode: 0o600 });
  context.fake = await startServer(() => ({ tokens: context.tokens }));
});
test.after(async ({ fake, folder }) => {
  await fake.stop();
  await rm(folder, { recursive: true });
});

type Answer = (error: ServiceError | null, value?: { status: string }) => void;

interface HealthClient {
  check(request: { service: string }, answer: Answer): unknown;
  watch(request: { service: string }): ClientReadableStream<{ status: string }>;
  close(): void;
}

const HealthClient = makeClientConstructor(service, "Health");

const healthOf = (port: number, channel = credentials.createInsecure()): HealthClient =>
  new HealthClient(`127.0.0.1:${port}`, channel) as unknown as HealthClient;

const check = (client: HealthClient, name: string): Promise<string | undefined> =>
  new Promise((resolve, reject) => {
    client.check({ service: name }, (error, value) => (error ? reject(error) : resolve(value?.status)));
  });

test("health needs no token, of the server and of its service; an unknown service is NOT_FOUND", async ({ fake }) => {
  const client = healthOf(fake.server.port);
  for (const name of ["", "arrow.flight.protocol.FlightService"]) assert.is(await check(client, name), "SERVING", name);
  assert.is((await errorOf(check(client, "none"))).code, status.NOT_FOUND);
  client.close();
});

/** Opens watches, of which all but the last are answered. @returns the error of the last, and what ends all */
async function watchesOf(client: HealthClient, count: number) {
  const watches = Array.from({ length: count }, () => client.watch({ service: "" }));
  const ends = watches.map((watch) => new Promise<ServiceError>((resolve) => watch.once("error", resolve)));
  for (const watch of watches.slice(0, -1)) await new Promise((resolve) => watch.once("data", resolve));
  const error = await inTime(Promise.race(ends));
  const cancel = async (): Promise<void> => {
    for (const watch of watches) watch.cancel();
    await Promise.all(ends);
  };
  return { error, cancel };
}

test("calls of health take no places of others, and those of one client are limited themselves", async ({ fake }) => {
  const client = healthOf(fake.server.port);
  const { error, cancel } = await watchesOf(client, 6);
  assert.is(error.code, status.UNAVAILABLE);
  assert.match(
    error.details,
    /^5 calls without a token of yours are open, as many as this server takes of one client; call again later$/,
  );
  const flight = new FlightClient(fake.server.port, token);
  assert.ok((await callMake(flight)).length > 1);
  await cancel();
  assert.is(await check(client, ""), "SERVING");
  client.close();
  flight.close();
});

test("a client that holds its places of health leaves some for others", async ({ folder }) => {
  const authority = await makeAuthority("test");
  const clientCa = join(folder, "ca.pem");
  await writeFile(clientCa, authority.cert);
  const tls = { ...(await writePair(folder, "server", await makeCertificate(authority))), clientCa };
  await withServer({ tls }, async ({ server }) => {
    const clients = await Promise.all(
      ["one", "two"].map(async (name) => {
        const { cert, private: key } = await makeCertificate(authority, { name });
        return healthOf(server.port, credentials.createSsl(Buffer.from(authority.cert), Buffer.from(key), Buffer.from(cert)));
      }),
    );
    const [one, two] = clients;
    if (!one || !two) throw new Error("no clients");
    const { cancel } = await watchesOf(one, 6);
    assert.is(await check(two, ""), "SERVING");
    await cancel();
    for (const client of clients) client.close();
  });
});

test("a watch of health ends when the server stops, at once", async () => {
  const fake = await startServer();
  const client = healthOf(fake.server.port);
  const watch = client.watch({ service: "" });
  const ended = new Promise<ServiceError>((resolve) => watch.once("error", resolve));
  assert.equal(await new Promise((resolve) => watch.once("data", resolve)), { status: "SERVING" });
  const stopped = fake.stop();
  const error = await ended;
  assert.is(error.code, status.UNAVAILABLE);
  assert.match(error.details, /the server is shutting down; call again later/);
  client.close();
  await stopped;
});

interface ReflectionAnswer {
  readonly list_services_response?: { readonly service: readonly { readonly name: string }[] };
  readonly file_descriptor_response?: { readonly file_descriptor_proto: readonly Buffer[] };
}

function reflect(port: number, sent?: string): ClientDuplexStream<object, ReflectionAnswer> {
  const installed = dirname(createRequire(import.meta.url).resolve("@grpc/reflection/package.json"));
  const options = { keepCase: true, oneofs: true };
  const definition = loadSync(join(installed, "build/proto/grpc/reflection/v1/reflection.proto"), options);
  const { grpc } = loadPackageDefinition(definition) as unknown as {
    grpc: { reflection: { v1: { ServerReflection: ServiceClientConstructor } } };
  };
  const client = new grpc.reflection.v1.ServerReflection(`127.0.0.1:${port}`, credentials.createInsecure());
  const metadata = new Metadata();
  if (sent !== undefined) metadata.set("authorization", `Bearer ${sent}`);
  const call = (client["ServerReflectionInfo"] as (given: Metadata) => ClientDuplexStream<object, ReflectionAnswer>).call(
    client,
    metadata,
  );
  call.on("error", () => undefined).on("close", () => client.close());
  return call;
}

test("reflection names the services and describes the messages of a stage's call; it takes a token", async ({ fake }) => {
  const call = reflect(fake.server.port, token);
  const answers = all<ReflectionAnswer>(call);
  call.write({ list_services: "" });
  call.write({ file_containing_symbol: "mbs.v1.StageCall" });
  call.write({ file_containing_symbol: "arrow.flight.protocol.FlightService" });
  call.end();
  const [list, stage, flight] = await answers;
  const names = list?.list_services_response?.service.map(({ name }) => name) ?? [];
  assert.equal(names.toSorted(), ["arrow.flight.protocol.FlightService", "grpc.health.v1.Health"]);
  for (const [answer, text] of [
    [stage, "StageCall"],
    [flight, "DoExchange"],
  ] as const) {
    const files = answer?.file_descriptor_response?.file_descriptor_proto ?? [];
    assert.ok(Buffer.concat([...files]).includes(text), text);
  }
  assert.is((await errorOf(all(reflect(fake.server.port)))).code, status.UNAUTHENTICATED);
});

test("reflection names the entries of maps as protoc does, which clients in Go check", async ({ fake }) => {
  const call = reflect(fake.server.port, token);
  const answers = all<ReflectionAnswer>(call);
  for (const symbol of ["mbs.v1.StageCall", "grpc.health.v1.Health"]) call.write({ file_containing_symbol: symbol });
  call.end();
  const entries = (await answers).map(({ file_descriptor_response: found }) =>
    (found?.file_descriptor_proto ?? []).flatMap((bytes) =>
      (descriptor.FileDescriptorProto.decode(bytes) as descriptor.IFileDescriptorProto).messageType?.flatMap(
        ({ field, nestedType }) =>
          (nestedType ?? [])
            .filter(({ options }) => options?.mapEntry === true)
            .map(({ name }) => [name, field?.find(({ typeName }) => typeName === name)?.name]),
      ),
    ),
  );
  const [stage = [], health = []] = entries;
  assert.ok(stage.length > 0);
  assert.equal(health, [["StatusesEntry", "statuses"]]);
  for (const [name, field] of stage as [string, string][]) {
    assert.is(name.toLowerCase(), `${field.replaceAll("_", "")}entry`);
    assert.match(name, /^[A-Z]\w*Entry$/);
  }
});

test("a call of reflection that sends nothing ends, and gives its place back", () =>
  withServer({ idleMs: 500, callsPerClient: 1 }, async ({ server, client }) => {
    const call = reflect(server.port);
    const error = await errorOf(all(call));
    assert.is(error.code, status.DEADLINE_EXCEEDED);
    assert.is(error.details, "no request came for 0.5 s; call again, and send and read at the same time");
    assert.ok((await callMake(client)).length > 1);
  }));

test.run();
