import { useSyncExternalStore } from "react";

/** What the last calls say of the API: down, slow to answer, or asking us to wait until `until` (ms). */
export type Health = { down: boolean; slow: boolean; limitedUntil: number };

export const SLOW_AFTER_MS = 5_000;
let health: Health = { down: false, slow: false, limitedUntil: 0 };
const open = new Map<string, number>();
const listeners = new Set<() => void>();

const become = (change: Partial<Health>) => {
  const next = { ...health, ...change };
  if (next.down === health.down && next.slow === health.slow && next.limitedUntil === health.limitedUntil) return;
  health = next;
  for (const listener of listeners) listener();
};

export const began = (id: string): void => {
  open.set(id, Date.now());
};

export const ended = (id: string, change: Partial<Health>): void => {
  open.delete(id);
  become({ ...change, slow: waitsLong() });
};

const waitsLong = () => [...open.values()].some((at) => Date.now() - at > SLOW_AFTER_MS);

setInterval(() => become({ slow: waitsLong() }), 1_000);

const subscribe = (listener: () => void) => {
  listeners.add(listener);
  return () => listeners.delete(listener);
};

export const useHealth = (): Health => useSyncExternalStore(subscribe, () => health);
