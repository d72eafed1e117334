import type { Schemas } from "@/api/client";

type Sample = Schemas["Sample"];

/** US$ since midnight UTC: the month's account now, less what it was at the day's first sample (zero on the first). */
export const daySpend = (samples: Sample[], now: { month: string; month_usd: number }, at = Date.now()): number | undefined => {
  const day = new Date(at);
  const midnight = Date.UTC(day.getUTCFullYear(), day.getUTCMonth(), day.getUTCDate()) / 1000;
  if (day.getUTCDate() === 1) return now.month_usd;
  const before = samples.filter((sample) => sample.at < midnight).at(-1) ?? samples.find((sample) => sample.at >= midnight);
  return before && Math.max(0, now.month_usd - before.month_usd);
};
