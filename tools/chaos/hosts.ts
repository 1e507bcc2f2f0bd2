import { spawnSync } from "node:child_process";
import { mkdir, rm, statfs, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { makeCertificates, tlsFlags } from "../../packages/pipeline/test/fixtures/redis-server.ts";
import { s3Environment } from "../../packages/shared-store/test/s3-environment.ts";
import { writeCorpus } from "../reliability/make-artifacts.ts";
import { addresses, HostsNetwork } from "./hosts-network.ts";
import type { HostName } from "./hosts-network.ts";
import { kill, orphansOf, processesOf, start } from "./processes.ts";
import type { Marked } from "./processes.ts";
import { doneNode, program } from "./programs.ts";
import { model, RunsAlone, writeRecipe } from "./recipe.ts";
import { writeSecret } from "./servers.ts";

const bucket = "artifacts";
/** Milliseconds: more than the lock of a job and the look for stalled ones (programs/settings.ts), so that others take its node. */
const longAway = 8000;
const hour = 3_600_000;
/** Milliseconds after which a run must have ended. */
const longestRun = 240_000;
/** Bytes of the disk that becomes full. */
const smallDisk = 16 * 1024 * 1024;

type Host = Exclude<HostName, "head">;

/** A worker on a host, or the run. */
interface Started extends Marked {
  readonly lines: string[];
}

/** What a scenario does while a run is at work. */
export interface Scene {
  readonly network: HostsNetwork;
  /** Waits until a host's worker begins a node. */
  readonly begins: (host: Host) => Promise<void>;
  /** The worker of a host. */
  readonly worker: (host: Host) => Started;
  /** The run on host "a". */
  readonly run: () => Started;
  /** Starts a worker of a host again. */
  readonly startWorker: (host: Host) => void;
  /** Fills the disk of host "b", or frees it. */
  readonly setDisk: (state: "full" | "free") => Promise<void>;
}

interface Scenario {
  readonly what: string;
  /** Host → milliseconds that its clock is ahead. */
  readonly clocks?: Partial<Record<Host, number>>;
  readonly act: (scene: Scene) => Promise<void>;
}

const frozen = async ({ pid, mark }: Marked): Promise<void> => {
  const all = [pid, ...(await processesOf(mark))];
  for (const each of all) kill(each, "SIGSTOP");
  await wait(longAway);
  for (const each of all) kill(each, "SIGCONT");
};

/** What is done to two hosts: "a" has the run and a worker, "b" a worker. */
export const scenarios = {
  nothing: { what: "nothing is done", act: async () => undefined },
  "worker-partition": {
    what: "the host of a worker is cut off for 8 s, more than a job's lease",
    act: async ({ network, begins }) => {
      await begins("b");
      network.setLink("b", "down");
      await wait(longAway);
      network.setLink("b", "up");
    },
  },
  "run-partition": {
    what: "the host of the run and of a worker is cut off for 8 s",
    act: async ({ network, begins }) => {
      await begins("b");
      network.setLink("a", "down");
      await wait(longAway);
      network.setLink("a", "up");
    },
  },
  "redis-lost": {
    what: "a worker's host loses Redis alone for 8 s",
    act: async ({ network, begins }) => {
      await begins("b");
      network.setReach("b", "redis", "lost");
      await wait(longAway);
      network.setReach("b", "redis", "there");
    },
  },
  "store-lost": {
    what: "a worker's host loses the store alone for the rest of the run",
    act: async ({ network, begins }) => {
      await begins("b");
      network.setReach("b", "s3", "lost");
    },
  },
  "full-disk": {
    what: "a worker's disk is full for the rest of the run",
    act: async ({ begins, setDisk }) => {
      await begins("b");
      await setDisk("full");
    },
  },
  "clock-ahead": { what: "a worker's clock is an hour ahead", clocks: { b: hour }, act: async () => undefined },
  "clock-behind": {
    what: "the clock of the run and of a worker is an hour behind",
    clocks: { a: -hour },
    act: async () => undefined,
  },
  "frozen-worker": {
    what: "a worker is stopped (SIGSTOP) at a node and goes on after its lease has ended",
    act: async ({ begins, worker }) => {
      await begins("b");
      await frozen(worker("b"));
    },
  },
  "frozen-run": {
    what: "the run is stopped (SIGSTOP) for 8 s and goes on",
    act: async ({ begins, run }) => {
      await begins("b");
      await frozen(run());
    },
  },
  "killed-worker": {
    what: "a worker is killed at a node and comes back",
    act: async ({ begins, worker, startWorker }) => {
      await begins("b");
      kill(worker("b").pid);
      await worker("b").ended;
      startWorker("b");
    },
  },
  "killed-run": {
    what: "the run is killed and started again",
    act: async ({ begins, run }) => {
      await begins("b");
      kill(run().pid);
    },
  },
} as const satisfies Record<string, Scenario>;

export type ScenarioName = keyof typeof scenarios;

/** What a scenario has shown. */
export interface Outcome {
  readonly name: string;
  readonly what: string;
  /** Nodes that workers did, and those that they did more than once. */
  readonly nodes: number;
  readonly repeated: number;
  /** How often the run was started again. */
  readonly restarts: number;
  readonly orphans: number;
  readonly seconds: number;
  /** Why the run did not end with the bytes of one on a single machine. */
  readonly fault?: string;
}

/** The processes of one scenario: a worker on each host, and the run. */
class Processes {
  /** All that were started, also those that have ended. */
  readonly all: Started[] = [];
  readonly #start: { readonly worker: (host: Host) => Started; readonly run: () => Started };
  readonly #workers = new Map<Host, Started>();
  #run: Started | undefined;
  #restarts = 0;

  constructor(start: { readonly worker: (host: Host) => Started; readonly run: () => Started }) {
    this.#start = start;
  }

  /** How often the run was started again. */
  get restarts(): number {
    return this.#restarts;
  }

  get run(): Started {
    if (this.#run === undefined) throw new Error("the run was not started");
    return this.#run;
  }

  worker(host: Host): Started {
    const found = this.#workers.get(host);
    if (found === undefined) throw new Error(`host ${host} has no worker`);
    return found;
  }

  startWorker(host: Host): void {
    const worker = this.#start.worker(host);
    this.#workers.set(host, worker);
    this.all.push(worker);
  }

  startRun(): void {
    this.#run = this.#start.run();
    this.all.push(this.#run);
  }

  /** Waits until a host's worker has said a line. @throws {Error} where the worker ends before */
  async heard(host: Host, line: RegExp): Promise<void> {
    while (!this.worker(host).lines.some((said) => line.test(said))) {
      const { child, said } = this.worker(host);
      if (child.exitCode !== null || child.signalCode !== null) throw new Error(`the worker of ${host} ended: ${said()}`);
      await wait(5);
    }
  }

  /** Waits for the end of the run, and starts it again where it was killed. @returns why it did not end well */
  async finishRun(): Promise<string | undefined> {
    for (;;) {
      const { ended, said } = this.run;
      const code = await Promise.race([ended, wait(longestRun, "late" as const, { ref: false })]);
      if (code === 0) return undefined;
      if (code === "late") return "it did not end";
      if (code !== null || this.#restarts > 3) {
        const line = said()
          .split("\n")
          .find((each) => each.startsWith("queue-run: "));
        return `exit ${String(code)}: ${line}`;
      }
      this.#restarts += 1;
      this.startRun();
    }
  }
}

/** Two hosts and a head with Redis and S3, both with TLS; jobs are signed. */
export class Hosts {
  readonly #folder: string;
  readonly #network: HostsNetwork;
  readonly #environment: NodeJS.ProcessEnv;
  readonly #place: string;
  readonly #corpus: string;
  readonly #log: (line: string) => void;
  /** Removes the network and the disk; nothing where they are gone. */
  readonly #release: () => void;
  readonly #servers: Marked[] = [];
  readonly #alone: RunsAlone;

  private constructor(
    folder: string,
    network: HostsNetwork,
    parts: { environment: NodeJS.ProcessEnv; place: string; corpus: string; log: (line: string) => void; release: () => void },
  ) {
    this.#folder = folder;
    this.#network = network;
    this.#environment = parts.environment;
    this.#place = parts.place;
    this.#corpus = parts.corpus;
    this.#alone = new RunsAlone(folder, parts.corpus);
    this.#log = parts.log;
    this.#release = parts.release;
  }

  /** @param folder an empty one @param log called with what workers and runs say @throws as HostsNetwork.open */
  static async open(folder: string, log: (line: string) => void): Promise<Hosts> {
    const network = HostsNetwork.open();
    const release = (): void => {
      // of processes that have just been killed it is busy for a moment
      spawnSync("umount", ["--lazy", join(folder, "disk")], { stdio: "ignore" });
      network.close();
    };
    // SIGINT ends this process without close()
    process.once("exit", release);
    const servers: Marked[] = [];
    try {
      for (const name of ["redis", "s3", "disk"]) await mkdir(join(folder, name), { recursive: true });
      const certificates = makeCertificates(folder, "queue", Object.values(addresses));
      const { ca, cert, key } = certificates;
      const keyFile = join(folder, "queue-key");
      await writeSecret(keyFile);
      const passwordFile = join(folder, "password");
      const password = await writeSecret(passwordFile);
      const kept = ["--dir", join(folder, "redis"), "--appendonly", "yes", "--save", ""];
      const ports = ["--bind", addresses.redis, "--port", "0", ...tlsFlags(6379, certificates)];
      const redis = ["redis-server", ...ports, "--requirepass", password, ...kept];
      servers.push(start([...network.on("head"), ...redis]));
      const script = fileURLToPath(new URL("../../packages/shared-store/test/s3-server-child.ts", import.meta.url));
      const s3 = [process.execPath, "--import", "tsx", script, join(folder, "s3"), bucket, addresses.s3, "9000", cert, key];
      await new Promise<void>((up, fail) => {
        const server = start([...network.on("head"), ...s3], { onLine: (line) => /^\d+$/.test(line) && up() });
        servers.push(server);
        void server.ended.then(() => fail(new Error(`the S3 server ended: ${server.said()}`)));
      });
      const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", `size=${smallDisk}`, "tmpfs", join(folder, "disk")]);
      if (mounted.status !== 0) throw new Error(`mount: ${mounted.stderr.toString()}`);
      const hosts = new Hosts(folder, network, {
        environment: {
          ...s3Environment(`https://${addresses.s3}:9000`),
          NODE_EXTRA_CA_CERTS: ca,
          // one that is away is noticed within seconds
          AWS_MAX_ATTEMPTS: "2",
        },
        place: JSON.stringify({ url: `rediss://${addresses.redis}:6379`, caFile: ca, passwordFile, keyFile }),
        corpus: await writeCorpus(folder),
        log,
        release,
      });
      hosts.#servers.push(...servers);
      return hosts;
    } catch (error) {
      for (const { pid } of servers) kill(pid);
      release();
      throw error;
    }
  }

  /** Starts a program on a host. @param ahead milliseconds that its clock is ahead */
  #start(host: Host, words: readonly string[], ahead: number, name: string): Started {
    const clock = ahead === 0 ? {} : { MBS_CHAOS_CLOCK: String(ahead), NODE_OPTIONS: `--import ${program("clock.mjs")}` };
    const lines: string[] = [];
    const started = start([...this.#network.on(host), process.execPath, "--import", "tsx", ...words], {
      environment: { ...this.#environment, ...clock },
      onLine: (line) => {
        lines.push(line);
        this.#log(`${name}: ${line}`);
      },
    });
    return { ...started, lines };
  }

  async #setDisk(state: "full" | "free"): Promise<void> {
    const disk = join(this.#folder, "disk");
    const filler = join(disk, "filler");
    if (state === "free") return rm(filler, { force: true });
    const { bavail, bsize } = await statfs(disk);
    await writeFile(filler, Buffer.alloc(bavail * bsize)).catch(() => undefined);
  }

  /** Starts nothing yet. @param clocks milliseconds that clocks are ahead */
  #processesOf(name: ScenarioName, recipe: string, clocks: Partial<Record<Host, number>>): Processes {
    const store = `s3://${bucket}/${name}`;
    return new Processes({
      worker: (host) => {
        const cache = host === "b" ? join(this.#folder, "disk", name) : join(this.#folder, `cache-${name}`);
        const words = [program("queue-worker.ts"), this.#place, store, dirname(model), cache];
        return this.#start(host, words, clocks[host] ?? 0, `worker ${host}`);
      },
      run: () => this.#start("a", [program("queue-run.ts"), recipe, this.#place, store], clocks.a ?? 0, "run"),
    });
  }

  /** Does what a scenario does while a run is at work. @returns why the run did not end well */
  async #act(scenario: Scenario, processes: Processes): Promise<string | undefined> {
    for (const host of ["a", "b"] as const) processes.startWorker(host);
    await Promise.all([processes.heard("a", /^takes jobs/), processes.heard("b", /^takes jobs/)]);
    processes.startRun();
    const acted = scenario.act({
      network: this.#network,
      begins: (host) => processes.heard(host, /: begun$/),
      worker: (host) => processes.worker(host),
      run: () => processes.run,
      startWorker: (host) => processes.startWorker(host),
      setDisk: (state) => this.#setDisk(state),
    });
    // awaited below, when the run has ended
    acted.catch(() => undefined);
    const fault = await processes.finishRun();
    await Promise.race([acted, wait(longestRun, undefined, { ref: false })]);
    return fault;
  }

  /** Runs a recipe while something is done to the hosts. Each scenario has workers, a prefix of the store and an output of its own. */
  async play(name: ScenarioName): Promise<Outcome> {
    const scenario: Scenario = scenarios[name];
    const began = performance.now();
    const { recipe, output } = await writeRecipe(this.#folder, `hosts-${name}`, this.#corpus);
    const processes = this.#processesOf(name, recipe, scenario.clocks ?? {});
    const { all } = processes;
    let fault: string | undefined;
    try {
      fault = await this.#act(scenario, processes);
    } finally {
      this.#network.heal();
      for (const { pid } of all) kill(pid);
      await this.#setDisk("free");
    }
    let orphans = 0;
    for (const each of all) orphans += await orphansOf(each);
    await rm(join(this.#folder, "disk", name), { recursive: true, force: true });
    const done = all.flatMap(({ lines }) => lines.flatMap((line) => doneNode(line) ?? []));
    fault ??= (await this.#alone.differenceOf(output))?.what;
    return {
      name,
      what: scenario.what,
      nodes: done.length,
      repeated: done.length - new Set(done).size,
      restarts: processes.restarts,
      orphans,
      seconds: Math.round((performance.now() - began) / 1000),
      ...(fault !== undefined && { fault }),
    };
  }

  async close(): Promise<void> {
    for (const server of this.#servers) {
      kill(server.pid);
      await server.ended;
    }
    this.#release();
  }
}
