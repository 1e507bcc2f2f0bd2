/**
 * Seconds of processor time that this process takes for some work. Other processes make the work wait but do not add to it,
 * so a limit holds on a loaded machine too.
 */
export async function processorSeconds(work: () => unknown): Promise<number> {
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1e6;
}
