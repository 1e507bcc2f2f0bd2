import { openArtifact, readFactors } from "@mbs/artifacts";
import { openModel } from "@mbs/models";
import { createBlas } from "@mbs/onnx";
import { loadSolver } from "@mbs/solvers";
import { parseOptions } from "@mbs/contracts";
import { readSite } from "../packages/compression/dist/site/site-weight.js";
import { solveSite } from "../packages/compression/dist/site/solve-site.js";
const threads = Number(process.env.T ?? 1), rounds=Number(process.env.N ?? 5);
const model = await openModel("/tmp/real/gemma3-270m");
const blas = createBlas({ threads });
const load = async (f) => { const r=[]; for await (const x of readFactors(await openArtifact("/tmp/grid/"+f))) if (x.site.startsWith("mlp")) r.push(x); return r; };
const nat = await load("fac-nat.arrow"), ga = await load("fac-ga64.arrow");
const context = { blas, signal: new AbortController().signal, warn: () => {} };
const cases = [["plain", "gptq", nat, { bits: 3, groupSize: 64, mse: false }], ["order", "gptq", ga, { bits: 3, groupSize: 64, mse: false }], ["defaults", "gptq", ga, { bits: 3, groupSize: 64 }], ["plain4", "gptq", nat, { bits: 4, groupSize: 64, mse: false }], ["defaults4", "gptq", ga, { bits: 4, groupSize: 64 }]];
const best = {};
const sites = new Map(); for (const r of nat) sites.set(r.site, await readSite(model, r));
for (let i = 0; i < rounds; i++) for (const [name, sn, recs, opts] of cases) {
  const solver = await loadSolver(sn); const options = parseOptions(solver.options, opts, sn);
  const c0 = process.cpuUsage(), w0 = performance.now();
  for (const rec of recs) { const { weight, dtypes } = sites.get(rec.site); await solveSite({ solver, options }, weight, dtypes, rec, context); }
  const c = process.cpuUsage(c0); const cpu = (c.user + c.system) / 1e3, wall=performance.now()-w0;
  best[name] = [Math.min(best[name]?.[0] ?? 1e9, cpu), Math.min(best[name]?.[1]??1e9, wall)];
}
for (const [k,[c,w]] of Object.entries(best)) console.log(k.padEnd(10), "cpu", c.toFixed(0), "wall", w.toFixed(0), "over plain", (c/best[k.endsWith("4")?"plain4":"plain"][0]).toFixed(2));
await blas.release(); await model.close();
