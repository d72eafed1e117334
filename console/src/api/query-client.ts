import { MutationCache, QueryClient } from "@tanstack/react-query";
import i18next from "i18next";
import { toast } from "sonner";
import { asApiError } from "@/api/errors";
import { explain } from "@/lib/explain";

const TRIES = 3;

/** A cache for the answers to one key: see `Tenant`. */
export const newQueryClient = (): QueryClient => new QueryClient({
  mutationCache: new MutationCache({
    // Whoever shows the error in its own place says so.
    onError: (error, _variables, _context, mutation) => {
      if (mutation.meta?.["shown"]) return;
      const shown = explain(asApiError(error), i18next.t);
      toast.error(shown.title, { description: shown.detail });
    },
  }),
  defaultOptions: {
    queries: {
      networkMode: "always",
      staleTime: 5_000,
      retry: (count, error) => asApiError(error).passing && count < TRIES,
      retryDelay: (count, error) => 1000 * (asApiError(error).retryAfterS ?? Math.min(8, 2 ** count)),
    },
    mutations: { networkMode: "always" },
  },
});
