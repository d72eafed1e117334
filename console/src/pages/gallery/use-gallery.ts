import { type InfiniteData, useInfiniteQuery, useQueryClient } from "@tanstack/react-query";
import { useCallback, useMemo } from "react";
import { $api, api, body, type Schemas, type State } from "@/api/client";
import type { Filters } from "@/router";

type PageOfVideos = Schemas["VideoListView"];
const PAGE = 100;
const LOOK_EVERY_MS = 8_000;

/** The owner's videos, newest first, page by page; `newer` when there are some that the first page does not have. */
export const useGallery = ({ text, status, model }: Filters) => {
  const client = useQueryClient();
  const wanted = useMemo(
    () => ({ ...(text ? { text } : {}), ...(status ? { status: status as State } : {}), ...(model ? { model } : {}) }),
    [text, status, model],
  );
  const queryKey = useMemo(() => ["get", "/v1/videos", "gallery", wanted] as const, [wanted]);
  const pages = useInfiniteQuery({
    queryKey,
    initialPageParam: undefined as string | undefined,
    queryFn: async ({ pageParam, signal }) =>
      body(
        await api.GET("/v1/videos", {
          params: { query: { ...wanted, limit: PAGE, ...(pageParam ? { after: pageParam } : {}) } },
          signal,
        }),
      ),
    getNextPageParam: (last: PageOfVideos) => (last.has_more && last.last_id ? last.last_id : undefined),
    staleTime: 60_000,
  });
  const newest = $api.useQuery(
    "get",
    "/v1/videos",
    { params: { query: { ...wanted, limit: 1 } } },
    { refetchInterval: LOOK_EVERY_MS, enabled: pages.isSuccess },
  );

  const videos = useMemo(() => pages.data?.pages.flatMap((page) => page.data) ?? [], [pages.data]);
  const { fetchNextPage, hasNextPage, isFetchingNextPage } = pages;
  const more = useCallback(() => {
    if (hasNextPage && !isFetchingNextPage) void fetchNextPage();
  }, [hasNextPage, isFetchingNextPage, fetchNextPage]);

  /** Only the first page is asked for again, however far one has scrolled. */
  const refresh = () => {
    client.setQueryData<InfiniteData<PageOfVideos>>(queryKey, (old) =>
      old && { pages: old.pages.slice(0, 1), pageParams: old.pageParams.slice(0, 1) },
    );
    void pages.refetch();
  };
  const forget = (ids: ReadonlySet<string>) =>
    client.setQueryData<InfiniteData<PageOfVideos>>(queryKey, (old) =>
      old && {
        ...old,
        pages: old.pages.map((page) => ({ ...page, data: page.data.filter(({ id }) => !ids.has(id)) })),
      },
    );
  return {
    videos,
    error: pages.error,
    isPending: pages.isPending,
    hasMore: hasNextPage,
    newer: newest.data?.first_id != null && !videos.some(({ id }) => id === newest.data?.first_id),
    more,
    refresh,
    forget,
  };
};
