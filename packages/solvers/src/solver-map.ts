import type { Solver } from "@mbs/contracts";

/** The solvers of this package by name. Each is loaded when it is asked for. */
export const solvers: ReadonlyMap<string, () => Promise<Solver>> = new Map<string, () => Promise<Solver>>([
  ["rtn", async () => (await import("./rtn.ts")).rtn],
  ["magnitude", async () => (await import("./magnitude.ts")).magnitude],
  ["gptq", async () => (await import("./gptq.ts")).gptq],
  ["gptaq", async () => (await import("./gptaq.ts")).gptaq],
  ["awq", async () => (await import("./awq.ts")).awq],
  ["sparsegpt", async () => (await import("./sparsegpt.ts")).sparsegpt],
  ["alps", async () => (await import("./alps.ts")).alps],
  ["wanda", async () => (await import("./wanda.ts")).wanda],
  ["m-wanda", async () => (await import("./m-wanda.ts")).mWanda],
]);
