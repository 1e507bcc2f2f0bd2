/**
 * Preloaded by `node --import`: at the end of the process writes seconds, processor seconds and peak memory as JSON to the file
 * that SPENT_FILE names, as the scripts of peers/ print them.
 */
import { writeFileSync } from "node:fs";
import process from "node:process";

process.on("exit", () => {
  const { userCPUTime, systemCPUTime, maxRSS } = process.resourceUsage();
  const spent = {
    seconds: process.uptime(),
    processorSeconds: (userCPUTime + systemCPUTime) / 1e6,
    peakBytes: maxRSS * 1024,
  };
  writeFileSync(process.env.SPENT_FILE, JSON.stringify(spent));
});
