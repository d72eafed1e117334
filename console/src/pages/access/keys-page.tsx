import { useMutation, useQueryClient } from "@tanstack/react-query";
import { KeyRound, Plus } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { toast } from "sonner";
import { $api, api, type Schemas } from "@/api/client";
import { Problem } from "@/components/problem";
import { Button } from "@/components/ui/button";
import { Badge, Card, Empty, Page, Skeleton } from "@/components/ui/display";
import { Confirm, Modal } from "@/components/ui/overlay";
import { ago, number, usd } from "@/lib/format";
import { KeyForm } from "@/pages/access/key-form";
import { KeyUsage } from "@/pages/access/key-usage";

type Key = Schemas["KeyView"];

export const KeysPage = () => {
  const { t } = useTranslation();
  const keys = $api.useQuery("get", "/v1/keys");
  const [making, setMaking] = useState(false);
  const make = (
    <Button look="primary" onClick={() => setMaking(true)}>
      <Plus />
      {t("keys.make")}
    </Button>
  );
  const active = keys.data?.data.filter((key) => key.revoked_at == null) ?? [];
  const revoked = keys.data?.data.filter((key) => key.revoked_at != null) ?? [];
  return (
    <Page title={t("keys.title")} hint={t("keys.hint")} aside={keys.data && make}>
      {keys.error && <Problem error={keys.error} onRetry={() => keys.refetch()} />}
      {keys.isPending && <Skeleton className="h-48" />}
      {keys.data?.data.length === 0 && <Empty icon={<KeyRound />} title={t("keys.none")} hint={t("keys.hint")} />}
      <ul className="grid gap-3">
        {[...active, ...revoked].map((key) => (
          <KeyRow key={key.id} record={key} />
        ))}
      </ul>
      <Modal open={making} onOpen={setMaking} title={t("keys.make")} hint={t("keys.makeHint")}>
        <KeyForm onDone={() => setMaking(false)} />
      </Modal>
    </Page>
  );
};

const KeyRow = ({ record }: { record: Key }) => {
  const { t } = useTranslation();
  const client = useQueryClient();
  const [open, setOpen] = useState(false);
  const revoke = useMutation({
    mutationFn: () => api.DELETE("/v1/keys/{key_id}", { params: { path: { key_id: record.id } } }),
    onSuccess: () => {
      toast.success(t("keys.revokedNow", { name: record.name }));
      return client.invalidateQueries({ queryKey: ["get", "/v1/keys"] });
    },
  });
  const gone = record.revoked_at != null;
  return (
    <li>
      <Card>
        <div className="flex flex-wrap items-center justify-between gap-3">
          <div className="min-w-0">
            <h2 className="flex flex-wrap items-center gap-2 font-medium">
              {record.name}
              {gone ? <Badge tone="bad">{t("keys.revoked")}</Badge> : record.scopes.map((scope) => <Badge key={scope}>{t(`keys.scopes.${scope}`)}</Badge>)}
            </h2>
            <p className="mt-0.5 text-xs text-quiet">
              {t("keys.of", { owner: record.owner, time: ago(record.created_at) })}
              {limitsOf(record, t).map((each) => ` · ${each}`)}
            </p>
          </div>
          <div className="flex gap-2">
            <Button size="small" aria-expanded={open} onClick={() => setOpen(!open)}>
              {t("keys.usage")}
            </Button>
            {!gone && (
              <Confirm
                trigger={
                  <Button look="danger" size="small" disabled={revoke.isPending}>
                    {t("keys.revoke")}
                  </Button>
                }
                title={t("keys.revokeTitle", { name: record.name })}
                hint={t("keys.revokeHint")}
                action={t("keys.revoke")}
                onConfirm={() => revoke.mutate()}
              />
            )}
          </div>
        </div>
        {open && <KeyUsage keyId={record.id} budget={record.limits.monthly_budget_usd ?? null} />}
      </Card>
    </li>
  );
};

type Translate = ReturnType<typeof useTranslation>["t"];

const limitsOf = ({ limits }: Key, t: Translate): string[] =>
  [
    limits.requests_per_minute != null && t("keys.limits.perMinute", { count: limits.requests_per_minute, shown: number(limits.requests_per_minute) }),
    limits.max_concurrent_jobs != null && t("keys.limits.atOnce", { count: limits.max_concurrent_jobs, shown: number(limits.max_concurrent_jobs) }),
    limits.max_daily_jobs != null && t("keys.limits.perDay", { count: limits.max_daily_jobs, shown: number(limits.max_daily_jobs) }),
    limits.monthly_budget_usd != null && t("keys.limits.budget", { usd: usd(limits.monthly_budget_usd) }),
  ].filter((each) => each !== false);
