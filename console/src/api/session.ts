import { useSyncExternalStore } from "react";

/** One tenant's key. `remembered` ones outlive the tab; neither is ever put into a URL. */
export type Account = { name: string; key: string; remembered: boolean };
type Session = { accounts: Account[]; active: string | null; refused: boolean };

const ACCOUNTS = "revalida.accounts";
const ACTIVE = "revalida.active";
/** Where the tab keeps the request that is being written, for the one who writes it. */
export const DRAFT = "revalida.draft";
const listeners = new Set<() => void>();

const read = (storage: Storage): Account[] => {
  try {
    const found: unknown = JSON.parse(storage.getItem(ACCOUNTS) ?? "[]");
    return Array.isArray(found) ? (found as Account[]) : [];
  } catch {
    return [];
  }
};

const initial = (): Session => {
  const accounts = [...read(sessionStorage), ...read(localStorage)];
  const active = sessionStorage.getItem(ACTIVE) ?? localStorage.getItem(ACTIVE);
  const known = accounts.some((account) => account.name === active);
  return { accounts, active: known ? active : (accounts[0]?.name ?? null), refused: false };
};

let session = initial();

const accountOf = ({ accounts, active }: Session): Account | null => accounts.find(({ name }) => name === active) ?? null;

const become = (next: Session) => {
  if (accountOf(next)?.key !== accountOf(session)?.key) sessionStorage.removeItem(DRAFT);
  session = next;
  sessionStorage.setItem(ACCOUNTS, JSON.stringify(next.accounts.filter((account) => !account.remembered)));
  localStorage.setItem(ACCOUNTS, JSON.stringify(next.accounts.filter((account) => account.remembered)));
  for (const storage of [sessionStorage, localStorage]) {
    if (next.active === null) storage.removeItem(ACTIVE);
    else storage.setItem(ACTIVE, next.active);
  }
  for (const listener of listeners) listener();
};

export const activeAccount = (): Account | null => accountOf(session);

export const signIn = (account: Account): void =>
  become({
    accounts: [...session.accounts.filter(({ name, key }) => name !== account.name && key !== account.key), account],
    active: account.name,
    refused: false,
  });

export const switchTo = (name: string): void => become({ ...session, active: name, refused: false });

export const signOut = (): void => {
  const accounts = session.accounts.filter(({ name }) => name !== session.active);
  become({ accounts, active: accounts[0]?.name ?? null, refused: false });
};

/** The API does not know the active key any more. */
export const refuse = (): void => {
  if (!session.refused && session.active !== null) become({ ...session, refused: true });
};

const subscribe = (listener: () => void) => {
  listeners.add(listener);
  return () => listeners.delete(listener);
};

export const useSession = (): Session => useSyncExternalStore(subscribe, () => session);

export const useActiveKey = (): string | null => useSyncExternalStore(subscribe, () => activeAccount()?.key ?? null);
