import { useQuery, useQueryClient } from "@tanstack/react-query";
import { $api, api, body, type Schemas, type State, type Video } from "@/api/client";
import { asApiError } from "@/api/errors";

const URL_FRESH_MS = 50 * 60_000; // signed links last an hour
export type Variant = Schemas["ContentView"]["variant"];

export const hasEnded = (state: State): boolean => state !== "queued" && state !== "in_progress";

/** How soon a job's next look is worth it: about twenty looks on its way, between 1 and 15 s apart. */
export const nextLookMs = (video: Video | undefined): number | false => {
  if (!video) return 2_000;
  if (hasEnded(video.status)) return false;
  const wait = video.eta_seconds == null ? 2_000 : (1000 * video.eta_seconds) / 20;
  return Math.min(15_000, Math.max(1_000, wait));
};

export const useModels = () => $api.useQuery("get", "/v1/models", {}, { staleTime: 60_000 });

export const useVideo = (videoId: string, initial?: Video, enabled = true) =>
  $api.useQuery(
    "get",
    "/v1/videos/{video_id}",
    { params: { path: { video_id: videoId } } },
    {
      enabled,
      ...(initial ? { initialData: initial, initialDataUpdatedAt: 0 } : {}),
      refetchInterval: (query) => (asApiError(query.state.error).status === 404 ? false : nextLookMs(query.state.data)),
    },
  );

/** A listed video as it was last seen by itself: a list does not follow what it shows. */
export const useLatest = () => {
  const client = useQueryClient();
  return (listed: Video): Video => {
    const init = { params: { path: { video_id: listed.id } } };
    return client.getQueryData<Video>($api.queryOptions("get", "/v1/videos/{video_id}", init).queryKey) ?? listed;
  };
};

const signed = (videoId: string, variant: Variant) =>
  ({
    params: { path: { video_id: videoId }, query: { variant } },
    headers: { accept: "application/json" },
  }) as const;

/** Signed links to a finished file: pictures and players cannot send a key. */
export const useContent = (videoId: string, variant: Variant, enabled = true) =>
  $api.useQuery("get", "/v1/videos/{video_id}/content", signed(videoId, variant), {
    enabled,
    staleTime: URL_FRESH_MS,
    gcTime: URL_FRESH_MS,
  });

export const contentOf = async (videoId: string, variant: Variant): Promise<Schemas["ContentView"]> =>
  body(await api.GET("/v1/videos/{video_id}/content", signed(videoId, variant)));

export const useFleet = (everyMs: number) => $api.useQuery("get", "/v1/fleet", {}, { refetchInterval: everyMs });

const everyCharacter = async (signal: AbortSignal) => {
  const data: Schemas["CharacterView"][] = [];
  let after: string | null | undefined;
  do {
    const query = { limit: 100, ...(after ? { after } : {}) };
    const page = body(await api.GET("/v1/videos/characters", { params: { query }, signal }));
    data.push(...page.data);
    after = page.has_more ? page.last_id : null;
  } while (after);
  return { data };
};

export const useCharacters = () =>
  useQuery({
    queryKey: ["get", "/v1/videos/characters"],
    queryFn: ({ signal }) => everyCharacter(signal),
    refetchInterval: ({ state }) =>
      state.data?.data.some(({ status }) => status !== "ready" && status !== "failed") ? 5_000 : false,
  });
