/**
 * Does work again and again, each time a while after it has ended. The wait keeps no process alive.
 *
 * @param work never rejects
 * @returns ends it: what is at work goes on, and is the last
 */
export function repeat(waitMs: number, work: () => Promise<void>): () => void {
  let timer: NodeJS.Timeout | undefined;
  let isOver = false;
  const wait = (): void => {
    if (!isOver) timer = setTimeout(() => void work().finally(wait), waitMs).unref();
  };
  wait();
  return () => {
    isOver = true;
    clearTimeout(timer);
  };
}
