import { execFileSync, spawn } from "node:child_process";
import { cpSync, mkdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { until } from "../test/until.ts";

export interface LocalRegistry {
  readonly url: string;
  /** Variables of a user whose only registry this is. */
  readonly environment: NodeJS.ProcessEnv;
  /** Runs npm in a folder as this user. @returns what it prints */
  npm(folder: string, ...args: string[]): string;
  close(): Promise<void>;
}

const npm = (folder: string, args: readonly string[], environment = process.env): string =>
  execFileSync("npm", args, { cwd: folder, env: environment, encoding: "utf8", stdio: "pipe", maxBuffer: 1 << 26 });

/** Whether the registry that npm is set to use on this machine answers. */
export function registryAnswers(folder: string): boolean {
  try {
    npm(folder, ["view", "verdaccio", "name", "--fetch-retries=0", "--prefer-online"]);
    return true;
  } catch {
    return false;
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** The configuration of verdaccio: `own` packages are only those that are published here, all others come from the machine's registry. */
const configuration = (work: string, own: Iterable<string>, uplink: string): string =>
  JSON.stringify({
    storage: join(work, "storage"),
    uplinks: { machine: { url: uplink, cache: false, timeout: "60s" } },
    packages: {
      ...Object.fromEntries(Array.from(own, (name) => [name, { access: "$all", publish: "$all" }])),
      "**": { access: "$all", proxy: "machine" },
    },
    max_body_size: "200mb",
    log: { type: "stdout", format: "json", level: "warn" },
    web: { enable: false },
  });

/**
 * A registry on this machine, which has nothing yet of this project's packages.
 *
 * @param work an empty folder for all that it needs
 * @param own names of the packages that are published to it
 */
export async function startRegistry(work: string, own: Iterable<string>): Promise<LocalRegistry> {
  const program = join(work, "program");
  cpSync(join(import.meta.dirname, "registry"), program, { recursive: true });
  npm(program, ["ci", "--ignore-scripts", "--no-audit", "--no-fund"]);
  const url = `http://127.0.0.1:${await freePort()}/`;
  const config = join(work, "verdaccio.json");
  writeFileSync(config, configuration(work, own, npm(program, ["config", "get", "registry"]).trim()));
  const log: string[] = [];
  const server = spawn(process.execPath, ["node_modules/verdaccio/bin/verdaccio", "--config", config, "--listen", url], {
    cwd: program,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const ended = new Promise<void>((resolve) => server.on("exit", () => resolve()));
  for (const stream of [server.stdout, server.stderr]) stream.on("data", (text: Buffer) => log.push(text.toString()));
  const home = join(work, "home");
  mkdirSync(home);
  // npm publishes only with a token; everybody may publish here, so any will do
  writeFileSync(join(home, ".npmrc"), `registry=${url}\n//${new URL(url).host}/:_authToken=any\n`);
  const environment = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^npm_config_/i.test(name)));
  Object.assign(environment, { npm_config_userconfig: join(home, ".npmrc"), npm_config_cache: join(home, "cache") });
  await until(async () => {
    if (server.exitCode !== null) throw new Error(`verdaccio ended: ${log.join("")}`);
    return (await fetch(`${url}-/ping`).catch(() => undefined))?.ok === true;
  }, "verdaccio answers");
  return {
    url,
    environment,
    npm: (folder, ...args) => npm(folder, args, environment),
    async close() {
      server.kill();
      await ended;
    },
  };
}
