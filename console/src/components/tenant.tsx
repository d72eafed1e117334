import { QueryClientProvider } from "@tanstack/react-query";
import { type ReactNode, useState } from "react";
import { newQueryClient } from "@/api/query-client";
import { useActiveKey } from "@/api/session";

const Cached = ({ children }: { children: ReactNode }) => {
  const [client] = useState(newQueryClient);
  return <QueryClientProvider client={client}>{children}</QueryClientProvider>;
};

/**
 * Every key has a cache and pages of its own, since what is asked for is not named by the key.
 * What is still under way when it changes ends in the old cache, which nobody looks at any more.
 */
export const Tenant = ({ children }: { children: ReactNode }) => <Cached key={useActiveKey()}>{children}</Cached>;
