import { spawnSync } from "node:child_process";

/** Hosts of the network: "head" has the servers. */
export const hostNames = ["head", "a", "b"] as const;
export type HostName = (typeof hostNames)[number];

/** Addresses of the servers, all on "head", so that a host can lose one of them alone. */
export const addresses = { redis: "10.77.0.1", s3: "10.77.0.9" };

function ip(...words: readonly string[]): void {
  const { status, stderr, error } = spawnSync("ip", words, { encoding: "utf8" });
  if (status !== 0) throw new Error(`ip ${words.join(" ")}: ${error?.message ?? stderr}`);
}

/** Three network namespaces on one bridge, on which nothing else is. */
export class HostsNetwork {
  readonly #prefix: string;

  private constructor(prefix: string) {
    this.#prefix = prefix;
  }

  /** @throws where this user or system makes no namespaces */
  static open(): HostsNetwork {
    const network = new HostsNetwork(`mbs-${process.pid}`);
    try {
      network.#make();
    } catch (error) {
      network.close();
      throw error;
    }
    return network;
  }

  #name(host: HostName): string {
    return `${this.#prefix}-${host}`;
  }

  #make(): void {
    const head = this.#name("head");
    for (const host of hostNames) {
      ip("netns", "add", this.#name(host));
      ip("-n", this.#name(host), "link", "set", "lo", "up");
    }
    ip("-n", head, "link", "add", "bridge", "type", "bridge");
    for (const address of Object.values(addresses)) ip("-n", head, "addr", "add", `${address}/24`, "dev", "bridge");
    ip("-n", head, "link", "set", "bridge", "up");
    for (const [index, host] of hostNames.slice(1).entries()) {
      const own = this.#name(host);
      ip("-n", head, "link", "add", `to-${host}`, "type", "veth", "peer", "name", "eth0", "netns", own);
      ip("-n", head, "link", "set", `to-${host}`, "master", "bridge", "up");
      ip("-n", own, "addr", "add", `10.77.0.${index + 2}/24`, "dev", "eth0");
      ip("-n", own, "link", "set", "eth0", "up");
    }
  }

  /** What a program on a host is started with. */
  on(host: HostName): readonly [string, ...string[]] {
    return ["ip", "netns", "exec", this.#name(host)];
  }

  /** Cuts a host off from all others, or joins it again: nothing arrives, and no connection is closed. */
  setLink(host: Exclude<HostName, "head">, state: "up" | "down"): void {
    ip("-n", this.#name("head"), "link", "set", `to-${host}`, state);
  }

  /** Drops what a host sends to a server, or lets it through again. */
  setReach(host: Exclude<HostName, "head">, server: keyof typeof addresses, reach: "lost" | "there"): void {
    const route = ["blackhole", `${addresses[server]}/32`];
    ip("-n", this.#name(host), "route", reach === "lost" ? "add" : "del", ...route);
  }

  /** All hosts reach all servers again. */
  heal(): void {
    for (const host of hostNames.slice(1)) {
      ip("-n", this.#name("head"), "link", "set", `to-${host}`, "up");
      ip("-n", this.#name(host), "route", "flush", "type", "blackhole");
    }
  }

  close(): void {
    // one that was not made is no error
    for (const host of hostNames) spawnSync("ip", ["netns", "del", this.#name(host)], { stdio: "ignore" });
  }
}

/** Why this machine can have no such network; undefined where it can. */
export function whyNoNetwork(): string | undefined {
  if (process.platform !== "linux" || process.getuid?.() !== 0) return "network namespaces need Linux and root";
  try {
    HostsNetwork.open().close();
    return undefined;
  } catch (error) {
    return `no network namespaces can be made here (${error instanceof Error ? error.message.trim() : String(error)})`;
  }
}
