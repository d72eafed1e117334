import { keepPreviousData, useMutation, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import { toast } from "sonner";
import { $api, api, body, type Model } from "@/api/client";
import { type ApiError, asApiError } from "@/api/errors";
import { DRAFT } from "@/api/session";
import { bodyOf, type Draft, does, EMPTY, fitted, newShot } from "@/pages/create/draft";
import { useDebounced } from "@/lib/use-debounced";

const QUOTE_AFTER_MS = 350;
const QUOTE_AGAIN_MS = 15_000; // the queue moves while one writes

const remembered = (): { draft: Draft; modelId: string } => {
  try {
    const found = JSON.parse(sessionStorage.getItem(DRAFT) ?? "null") as { draft: Draft; modelId: string } | null;
    return found ? { ...found, draft: { ...EMPTY, ...found.draft, picture: null } } : { draft: EMPTY, modelId: "" };
  } catch {
    return { draft: EMPTY, modelId: "" };
  }
};

/** The request that is being written: its model, its quote as it changes, what is wrong with it, and the way to send it. */
export const useComposer = (models: Model[]) => {
  const { t } = useTranslation();
  const navigate = useNavigate();
  const client = useQueryClient();
  const [{ draft: raw, modelId }, setState] = useState(remembered);
  const able = models.filter((each) => does(each, raw.mode));
  const model = able.find(({ id }) => id === modelId) ?? proposed(able, raw.mode);
  const draft = model ? withShots(fitted(raw, model), model) : raw;

  useEffect(() => {
    sessionStorage.setItem(DRAFT, JSON.stringify({ draft: { ...draft, picture: null }, modelId }));
  }, [draft, modelId]);

  const request = model ? bodyOf(draft, model) : null;
  const settled = useDebounced(request === null ? null : JSON.stringify({ ...request, seed: undefined }), QUOTE_AFTER_MS);
  const quote = $api.useQuery(
    "post",
    "/v1/videos/estimate",
    { body: settled === null ? { continuity: "cut", priority: "normal", output: EMPTY_OUTPUT } : JSON.parse(settled) },
    {
      enabled: settled !== null,
      staleTime: 30_000,
      refetchInterval: ({ state }) => (state.error ? false : QUOTE_AGAIN_MS),
      placeholderData: keepPreviousData,
    },
  );
  const send = useMutation({
    meta: { shown: true },
    mutationFn: async (sent: NonNullable<typeof request>) =>
      body(await api.POST("/v1/videos", { body: sent, params: { header: { "Idempotency-Key": crypto.randomUUID() } } })),
    onSuccess: (video) => {
      toast.success(t("create.accepted"));
      setState({ draft: { ...draft, prompt: "", shots: [], seed: null }, modelId });
      void client.invalidateQueries({ queryKey: ["get", "/v1/videos"] });
      void navigate({ to: "/videos/$videoId", params: { videoId: video.id } });
    },
  });

  const error = send.error ?? (request === null ? null : quote.error);
  const problem: ApiError | null = error ? asApiError(error) : null;
  const missing = request !== null ? null : draft.mode === "image" && !draft.picture ? "picture" : draft.mode === "shots" ? "shots" : "prompt";
  return {
    models,
    model,
    draft,
    quote: { data: request === null ? undefined : quote.data },
    fresh: !quote.isPlaceholderData && settled === JSON.stringify({ ...request, seed: undefined }),
    problem,
    missing: missing as "picture" | "shots" | "prompt" | null,
    sending: send.isPending,
    ready: request !== null && problem === null && quote.data?.feasible !== false && !send.isPending,
    change: (part: Partial<Draft>) => {
      send.reset();
      setState({ draft: { ...draft, ...part }, modelId });
    },
    choose: (id: string) => {
      send.reset();
      setState({ draft: model ? untouched(draft, model) : draft, modelId: id });
    },
    submit: () => request !== null && send.mutate(request),
    /** The API's words about a field, or about what is inside it. */
    errorAt: (param: string) =>
      problem?.param && (problem.param === param || problem.param.startsWith(`${param}.`) || problem.param.startsWith(`${param}[`))
        ? problem.message
        : undefined,
  };
};

/** What still stands as the model proposed it is left to the next one; what was chosen stays. */
const untouched = (draft: Draft, model: Model): Draft => ({
  ...draft,
  size: draft.size === model.default_size ? "" : draft.size,
  frames: draft.frames === model.default_num_frames ? 0 : draft.frames,
  steps: draft.steps === model.default_num_inference_steps ? 0 : draft.steps,
});

/** The model to begin with: one that runs here; for one shot rather one that is not made for several, and the reverse. */
const proposed = (able: Model[], mode: Draft["mode"]): Model | undefined => {
  const running = able.filter(({ runnable }) => runnable !== false);
  const wanted = mode === "shots" ? "native" : "per-shot";
  return running.find(({ multi_shot }) => multi_shot === wanted) ?? running[0] ?? able[0];
};

export type Composer = ReturnType<typeof useComposer>;
const EMPTY_OUTPUT = { codec: "h264", upscale: 1, interpolate: 1 } as const;

const withShots = (draft: Draft, model: Model): Draft =>
  draft.mode === "shots" && draft.shots.length === 0
    ? { ...draft, shots: [0, 1, 2].slice(0, Math.max(1, Math.min(3, model.max_shots))).map((at) => newShot(model, at)) }
    : draft;
