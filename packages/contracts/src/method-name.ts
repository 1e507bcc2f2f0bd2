const plain = (value: unknown): value is string | number => typeof value === "string" || typeof value === "number";

/** A solver with the options that people know it by: "sparsegpt sparsity 0.5", "gptq 3 bits groups of 64". */
export function nameMethod(solver: string, { bits, groupSize, sparsity, pattern }: Readonly<Record<string, unknown>>): string {
  const groups = plain(groupSize) && groupSize !== 0 ? [`groups of ${groupSize}`] : [];
  const quantised = plain(bits) ? [`${bits} bits`, ...groups] : [];
  const pruned = plain(pattern) ? [pattern] : plain(sparsity) ? [`sparsity ${sparsity}`] : [];
  return [solver, ...pruned, ...quantised].join(" ");
}
