/** Do something with each, at most `atOnce` at a time. The first failure stops what has not begun, and is thrown. */
export const eachOf = async <T>(values: readonly T[], atOnce: number, work: (value: T, index: number) => Promise<void>) => {
  let next = 0;
  let stopped = false;
  const run = async () => {
    while (next < values.length && !stopped) {
      const index = next++;
      try {
        await work(values[index] as T, index);
      } catch (error) {
        stopped = true;
        throw error;
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, values.length) }, run));
};
