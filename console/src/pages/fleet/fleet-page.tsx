import { lazy, Suspense } from "react";
import { useTranslation } from "react-i18next";
import type { Schemas } from "@/api/client";
import { $api } from "@/api/client";
import { useFleet } from "@/api/queries";
import { Problem } from "@/components/problem";
import { Bar, Card, CardTitle, Notice, Page, Skeleton } from "@/components/ui/display";
import { number, percent, span, usd } from "@/lib/format";
import { Instances } from "@/pages/fleet/instances";
import { daySpend } from "@/pages/fleet/spend";
import { Tile } from "@/pages/fleet/tile";

const Plots = lazy(() => import("@/pages/fleet/plots"));
const LOOK_EVERY_MS = 4_000;
type Fleet = Schemas["FleetView"];

export const FleetPage = () => {
  const { t } = useTranslation();
  const fleet = useFleet(LOOK_EVERY_MS);
  return (
    <Page title={t("fleet.title")} hint={t("fleet.hint")}>
      {fleet.error && !fleet.data && <Problem error={fleet.error} onRetry={() => fleet.refetch()} />}
      {fleet.isPending && <Skeleton className="h-40" />}
      {fleet.data && (
        <div className="grid gap-6">
          <Tiles fleet={fleet.data} />
          <Reasons fleet={fleet.data} />
          <div className="grid items-start gap-6 xl:grid-cols-[minmax(0,1fr)_22rem]">
            <Instances instances={fleet.data.instances} />
            <div className="grid gap-6">
              <Backlog fleet={fleet.data} />
              <Spend fleet={fleet.data} />
            </div>
          </div>
          <Suspense fallback={<Skeleton className="h-72" />}>
            <Plots />
          </Suspense>
        </div>
      )}
    </Page>
  );
};

const total = (by: Record<string, number>) => Object.values(by).reduce((sum, each) => sum + each, 0);

const Tiles = ({ fleet }: { fleet: Fleet }) => {
  const { t } = useTranslation();
  const slots = fleet.instances.flatMap((instance) => instance.slots ?? []);
  const busy = slots.filter((slot) => slot.busy).length;
  return (
    <dl className="grid grid-cols-2 gap-3 lg:grid-cols-4">
      <Tile
        label={t("fleet.instances")}
        value={number(fleet.instances.length)}
        note={fleet.plan ? t("fleet.desired", { count: fleet.plan.spot.desired + fleet.plan.on_demand.desired }) : undefined}
      />
      <Tile
        label={t("fleet.busySlots")}
        value={`${busy} / ${slots.length}`}
        note={slots.length ? percent(busy / slots.length) : t("fleet.asleep")}
      />
      <Tile
        label={t("fleet.backlog")}
        value={span(total(fleet.backlog_seconds))}
        note={t("fleet.jobs", { queued: number(total(fleet.queued)), running: number(total(fleet.running)) })}
      />
      <Tile
        label={t("fleet.rate")}
        value={fleet.plan ? usd(fleet.plan.spend.usd_per_hour) : "—"}
        note={t("fleet.perHour")}
      />
    </dl>
  );
};

/** Why the fleet is not as large as its backlog asks for. */
const Reasons = ({ fleet }: { fleet: Fleet }) => {
  const { t } = useTranslation();
  const { plan } = fleet;
  if (!plan) return <Notice tone="info" title={t("fleet.noPlan")} />;
  const holds = plan.holds ?? [];
  const failures = plan.failures ?? [];
  return (
    <>
      {plan.spend.stopped && <Notice tone="bad" title={t("fleet.stopped")} />}
      {holds.length > 0 && (
        <Notice tone="warn" title={t("fleet.held")}>
          <ul className="list-disc pl-5">
            {holds.map((hold) => (
              <li key={hold}>{t(`fleet.holds.${hold}`)}</li>
            ))}
          </ul>
        </Notice>
      )}
      {failures.map((failure) => (
        <Notice key={failure.market} tone="bad" title={t(`fleet.failures.${failure.kind}`, { market: failure.market })}>
          {failure.message}
        </Notice>
      ))}
    </>
  );
};

const Backlog = ({ fleet }: { fleet: Fleet }) => {
  const { t } = useTranslation();
  const models = [...new Set([...Object.keys(fleet.queued), ...Object.keys(fleet.running)])].sort();
  const most = Math.max(1, ...Object.values(fleet.backlog_seconds));
  return (
    <Card aria-label={t("fleet.byModel")}>
      <CardTitle className="mb-3">{t("fleet.byModel")}</CardTitle>
      {models.length === 0 && <p className="text-sm text-quiet">{t("fleet.nothingWaits")}</p>}
      <ul className="grid gap-3 text-sm">
        {models.map((model) => (
          <li key={model} className="grid gap-1.5">
            <div className="flex justify-between gap-2">
              <span className="truncate font-medium">{model}</span>
              <span className="numbers shrink-0 text-quiet">{span(fleet.backlog_seconds[model] ?? 0)}</span>
            </div>
            <Bar value={(fleet.backlog_seconds[model] ?? 0) / most} label={model} />
            <span className="numbers text-xs text-quiet">
              {t("fleet.jobs", { queued: number(fleet.queued[model] ?? 0), running: number(fleet.running[model] ?? 0) })}
            </span>
          </li>
        ))}
      </ul>
    </Card>
  );
};

const Spend = ({ fleet }: { fleet: Fleet }) => {
  const { t } = useTranslation();
  const samples = $api.useQuery("get", "/v1/fleet/history", { params: { query: { hours: 24 } } }, { staleTime: 55_000 });
  const spend = fleet.plan?.spend;
  if (!spend) return null;
  const today = samples.data && daySpend(samples.data.data, spend);
  const rows = [
    { label: t("fleet.today"), value: today, limit: spend.max_usd_per_hour == null ? null : 24 * spend.max_usd_per_hour },
    { label: t("fleet.month"), value: spend.month_usd, limit: spend.max_usd_per_month },
    { label: t("fleet.hour"), value: spend.usd_per_hour, limit: spend.max_usd_per_hour },
  ];
  return (
    <Card aria-label={t("fleet.spend")}>
      <CardTitle className="mb-3">{t("fleet.spend")}</CardTitle>
      <div className="grid gap-3.5 text-sm">
        {rows.map(({ label, value, limit }) => (
          <div key={label} className="grid gap-1.5">
            <div className="numbers flex justify-between gap-2">
              <span>{label}</span>
              <span className="text-quiet">
                <span className="font-semibold text-ink">{value === undefined ? "—" : usd(value)}</span>
                {limit != null && ` ${t("fleet.of", { limit: usd(limit) })}`}
              </span>
            </div>
            {limit != null && value !== undefined && (
              <Bar value={value / limit} label={label} tone={value > 0.9 * limit ? "bad" : value > 0.7 * limit ? "warn" : "good"} />
            )}
          </div>
        ))}
      </div>
      <p className="mt-3 text-xs text-quiet">{t("fleet.spendHint")}</p>
    </Card>
  );
};
