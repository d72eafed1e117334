import { useMutation, useQueryClient } from "@tanstack/react-query";
import { Plus, RefreshCw, Send, Trash2, Webhook } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { toast } from "sonner";
import { $api, api, body, type Schemas } from "@/api/client";
import { Problem } from "@/components/problem";
import { SecretOnce } from "@/components/secret-once";
import { Button } from "@/components/ui/button";
import { Badge, Card, Empty, Page, Skeleton } from "@/components/ui/display";
import { Confirm, Modal } from "@/components/ui/overlay";
import { ago } from "@/lib/format";
import { Deliveries } from "@/pages/access/deliveries";
import { WebhookForm } from "@/pages/access/webhook-form";

type Endpoint = Schemas["WebhookView"];

export const WebhooksPage = () => {
  const { t } = useTranslation();
  const endpoints = $api.useQuery("get", "/v1/webhooks", { params: { query: { limit: 100 } } });
  const [making, setMaking] = useState(false);
  const make = (
    <Button look="primary" onClick={() => setMaking(true)}>
      <Plus />
      {t("webhooks.make")}
    </Button>
  );
  return (
    <Page title={t("webhooks.title")} hint={t("webhooks.hint")} aside={endpoints.data && make}>
      {endpoints.error && <Problem error={endpoints.error} onRetry={() => endpoints.refetch()} />}
      {endpoints.isPending && <Skeleton className="h-48" />}
      {endpoints.data?.data.length === 0 && (
        <Empty icon={<Webhook />} title={t("webhooks.none")} hint={t("webhooks.noneHint")} />
      )}
      <ul className="grid gap-3">
        {endpoints.data?.data.map((endpoint) => (
          <li key={endpoint.id}>
            <EndpointCard endpoint={endpoint} />
          </li>
        ))}
      </ul>
      <Modal open={making} onOpen={setMaking} title={t("webhooks.make")}>
        <WebhookForm onDone={() => setMaking(false)} />
      </Modal>
    </Page>
  );
};

const useEndpoint = (endpoint: Endpoint) => {
  const { t } = useTranslation();
  const client = useQueryClient();
  const path = { path: { webhook_id: endpoint.id } };
  const reload = () => client.invalidateQueries({ queryKey: ["get", "/v1/webhooks"] });
  const kind = endpoint.event_types[0] as Schemas["WebhookType"];
  return {
    test: useMutation({
      mutationFn: async () =>
        body(await api.POST("/v1/webhooks/{webhook_id}/test", { params: path, body: { event_type: kind } })),
      onSuccess: (answer) => toast.success(t("webhooks.answered", { status: answer.status_code })),
    }),
    rotate: useMutation({
      mutationFn: async () =>
        body(
          await api.POST("/v1/webhooks/{webhook_id}/rotate_secret", {
            params: path,
            body: { keep_old_secret_active_for_24_hours: true },
          }),
        ),
      onSuccess: reload,
    }),
    enable: useMutation({
      mutationFn: () => api.POST("/v1/webhooks/{webhook_id}", { params: path, body: { enabled: !endpoint.enabled } }),
      onSuccess: reload,
    }),
    remove: useMutation({
      mutationFn: () => api.DELETE("/v1/webhooks/{webhook_id}", { params: path }),
      onSuccess: reload,
    }),
  };
};

const EndpointCard = ({ endpoint }: { endpoint: Endpoint }) => {
  const { t } = useTranslation();
  const { test, rotate, enable, remove } = useEndpoint(endpoint);
  const [open, setOpen] = useState(false);
  return (
    <Card className="grid gap-4">
      <div className="flex flex-wrap items-start justify-between gap-3">
        <div className="min-w-0">
          <h2 className="flex flex-wrap items-center gap-2 font-medium">
            {endpoint.name || t("webhooks.unnamed")}
            <Badge tone={endpoint.enabled ? "good" : "bad"}>{t(endpoint.enabled ? "webhooks.on" : "webhooks.off")}</Badge>
          </h2>
          <p className="mt-0.5 font-mono text-xs break-all text-quiet">{endpoint.url}</p>
          <p className="mt-2 flex flex-wrap gap-1.5">
            {endpoint.event_types.map((kind) => (
              <Badge key={kind}>{kind}</Badge>
            ))}
          </p>
          {endpoint.disabled_reason && <p className="mt-2 text-sm text-bad">{endpoint.disabled_reason}</p>}
          {endpoint.failing_since != null && (
            <p className="mt-2 text-sm text-warn">{t("webhooks.failing", { time: ago(endpoint.failing_since) })}</p>
          )}
        </div>
        <div className="flex flex-wrap gap-2">
          <Button size="small" disabled={test.isPending} onClick={() => test.mutate()}>
            <Send />
            {test.isPending ? t("webhooks.testing") : t("webhooks.test")}
          </Button>
          <Button size="small" aria-expanded={open} onClick={() => setOpen(!open)}>
            {t("webhooks.deliveries")}
          </Button>
          <Confirm
            trigger={
              <Button size="small">
                <RefreshCw />
                {t("webhooks.rotate")}
              </Button>
            }
            title={t("webhooks.rotateTitle")}
            hint={t("webhooks.rotateHint")}
            action={t("webhooks.rotate")}
            onConfirm={() => rotate.mutate()}
          />
          <Button size="small" disabled={enable.isPending} onClick={() => enable.mutate()}>
            {t(endpoint.enabled ? "webhooks.disable" : "webhooks.enable")}
          </Button>
          <Confirm
            trigger={
              <Button look="ghost" size="icon" className="size-8" aria-label={t("common.delete")}>
                <Trash2 />
              </Button>
            }
            title={t("webhooks.deleteTitle")}
            hint={t("webhooks.deleteHint")}
            action={t("common.delete")}
            onConfirm={() => remove.mutate()}
          />
        </div>
      </div>
      {rotate.data?.signing_secret && <SecretOnce secret={rotate.data.signing_secret} onDone={rotate.reset} />}
      {open && <Deliveries webhookId={endpoint.id} />}
    </Card>
  );
};
