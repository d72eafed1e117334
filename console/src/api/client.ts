import createFetchClient, { type Middleware } from "openapi-fetch";
import createQueryClient from "openapi-react-query";
import { ApiError, errorOf } from "@/api/errors";
import { began, ended } from "@/api/health";
import type { components, paths } from "@/api/schema";
import { activeAccount, refuse } from "@/api/session";

export type Schemas = components["schemas"];
export type Video = Schemas["VideoView"];
export type Model = Schemas["ModelView"];
export type RequestBody = Schemas["RequestBody"];
export type State = Schemas["State"];
export type Quote = Schemas["EstimateView"];

const authorise: Middleware = {
  onRequest({ request, id }) {
    began(id);
    const account = activeAccount();
    if (account && !request.headers.has("authorization")) request.headers.set("authorization", `Bearer ${account.key}`);
    return request;
  },
  async onResponse({ request, response, id }) {
    const limited = response.status === 429 ? Date.now() + 1000 * Number(response.headers.get("retry-after") ?? 5) : 0;
    ended(id, { down: response.status >= 502, ...(limited ? { limitedUntil: limited } : {}) });
    if (response.ok) return response;
    const own = request.headers.get("authorization") === `Bearer ${activeAccount()?.key}`;
    if (response.status === 401 && own) refuse();
    throw await errorOf(response);
  },
  onError({ error, id }) {
    const aborted = error instanceof DOMException && error.name === "AbortError";
    ended(id, aborted ? {} : { down: true });
    return aborted ? undefined : new ApiError(0, "The API does not answer.", "unreachable");
  },
};

/** The API, typed by docs/openapi.json. Answers other than 2xx are thrown as ApiError. */
export const api = createFetchClient<paths>({ baseUrl: window.location.origin });
api.use(authorise);

/** The same as TanStack Query hooks. */
export const $api = createQueryClient(api);

/** The body of an answer that is known to be there: what is not 2xx was thrown. */
export const body = <T>(answer: { data?: T }): T => {
  if (answer.data === undefined) throw new ApiError(500, "An answer without a body.");
  return answer.data;
};
