import { useMutation, useQueryClient } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { Rocket } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { api, body, type Schemas, type Video } from "@/api/client";
import { asApiError } from "@/api/errors";
import { useContent, useModels, useVideo } from "@/api/queries";
import { Problem } from "@/components/problem";
import { Button } from "@/components/ui/button";
import { Card, Page, Skeleton } from "@/components/ui/display";
import { Field, Input, Select } from "@/components/ui/field";
import { PromptField } from "@/pages/create/prompt-field";

type Kind = "remix" | "extend" | "edit";
type Change = { prompt: string; seconds: string; model: string; seed: string };

/** A new video from a finished one. */
export const DerivePage = ({ videoId, kind }: { videoId: string; kind: Kind }) => {
  const { t } = useTranslation();
  const source = useVideo(videoId);
  return (
    <Page title={t(`derive.${kind}.title`)} hint={t(`derive.${kind}.hint`)}>
      {source.error && <Problem error={source.error} onRetry={() => source.refetch()} />}
      {source.isPending && <Skeleton className="h-80" />}
      {source.data && <Form source={source.data} kind={kind} />}
    </Page>
  );
};

const send = async (source: Video, kind: Kind, change: Change): Promise<Video> => {
  const shared = {
    prompt: change.prompt.trim(),
    priority: source.priority as Schemas["RemixBody"]["priority"],
    output: source.output,
    ...(change.model ? { model: change.model } : {}),
    ...(change.seed ? { seed: Number(change.seed) } : {}),
  } as const;
  const params = { header: { "Idempotency-Key": crypto.randomUUID() } };
  if (kind === "remix") {
    return body(
      await api.POST("/v1/videos/{video_id}/remix", { params: { ...params, path: { video_id: source.id } }, body: shared }),
    );
  }
  const from = { ...shared, video: { id: source.id } };
  if (kind === "edit") return body(await api.POST("/v1/videos/edits", { params, body: from }));
  return body(await api.POST("/v1/videos/extensions", { params, body: { ...from, seconds: change.seconds } }));
};

const Form = ({ source, kind }: { source: Video; kind: Kind }) => {
  const { t } = useTranslation();
  const navigate = useNavigate();
  const client = useQueryClient();
  const models = useModels().data?.data ?? [];
  const [change, setChange] = useState<Change>({ prompt: source.prompt, seconds: source.seconds, model: "", seed: "" });
  const still = useContent(source.id, "thumbnail", source.outputs !== null);
  const sending = useMutation({
    meta: { shown: true },
    mutationFn: () => send(source, kind, change),
    onSuccess: (video) => {
      void client.invalidateQueries({ queryKey: ["get", "/v1/videos"] });
      void navigate({ to: "/videos/$videoId", params: { videoId: video.id } });
    },
  });
  const error = sending.error && asApiError(sending.error);
  const errorAt = (param: string) => (error?.param === param ? error.message : undefined);
  const able = models.filter((model) => kind === "remix" || model.tasks.includes("image-to-video"));
  return (
    <div className="grid items-start gap-6 lg:grid-cols-[20rem_minmax(0,1fr)]">
      <Card className="grid gap-3">
        {still.data && <img src={still.data.url} alt={source.prompt} className="w-full rounded-xl" />}
        <p className="line-clamp-4 text-sm text-quiet">{source.prompt}</p>
        <Link to="/videos/$videoId" params={{ videoId: source.id }} className="text-sm text-accent underline underline-offset-2">
          {t("derive.back")}
        </Link>
      </Card>
      <div className="grid gap-5">
        {error && !["prompt", "seconds", "model", "seed"].includes(error.param ?? "") && <Problem error={error} />}
        <PromptField
          value={change.prompt}
          model={models.find(({ id }) => id === source.model)}
          error={errorAt("prompt")}
          onChange={(prompt) => setChange({ ...change, prompt })}
        />
        <div className="grid gap-5 sm:grid-cols-3">
          {kind === "extend" && (
            <Field label={t("derive.seconds")} hint={t("derive.secondsHint")} error={errorAt("seconds") ?? null}>
              {(control) => (
                <Input
                  {...control}
                  inputMode="decimal"
                  value={change.seconds}
                  onChange={(event) => setChange({ ...change, seconds: event.target.value })}
                />
              )}
            </Field>
          )}
          <Field label={t("create.model")} error={errorAt("model") ?? null}>
            {(control) => (
              <Select
                {...control}
                value={change.model}
                onChange={(event) => setChange({ ...change, model: event.target.value })}
              >
                <option value="">{t("derive.sameModel")}</option>
                {able.map((model) => (
                  <option key={model.id} value={model.id} disabled={model.runnable === false}>
                    {model.title}
                  </option>
                ))}
              </Select>
            )}
          </Field>
          <Field label={t("create.seed")} error={errorAt("seed") ?? null}>
            {(control) => (
              <Input
                {...control}
                inputMode="numeric"
                placeholder={t("create.seedAny")}
                value={change.seed}
                onChange={(event) => setChange({ ...change, seed: event.target.value.replace(/\D/g, "") })}
              />
            )}
          </Field>
        </div>
        <Button
          look="primary"
          size="large"
          className="justify-self-start"
          disabled={!change.prompt.trim() || sending.isPending}
          onClick={() => sending.mutate()}
        >
          <Rocket />
          {sending.isPending ? t("quote.sending") : t("quote.submit")}
        </Button>
      </div>
    </div>
  );
};
