import { Link } from "@tanstack/react-router";
import { Moon } from "lucide-react";
import { useTranslation } from "react-i18next";
import type { Schemas } from "@/api/client";
import { Badge, Card, CardTitle, Empty, type Tone } from "@/components/ui/display";
import { ago, usd } from "@/lib/format";

type Instance = Schemas["InstanceView"];
const tones: Record<Instance["state"], Tone> = { starting: "info", idle: "neutral", busy: "accent", draining: "warn" };

export const Instances = ({ instances }: { instances: Instance[] }) => {
  const { t } = useTranslation();
  if (instances.length === 0) {
    return <Empty icon={<Moon />} title={t("fleet.asleep")} hint={t("fleet.asleepHint")} />;
  }
  return (
    <Card aria-label={t("fleet.instances")} className="grid gap-4">
      <CardTitle>{t("fleet.instances")}</CardTitle>
      {instances.map((instance) => (
        <article key={instance.id} className="rounded-xl border p-4">
          <header className="flex flex-wrap items-center justify-between gap-2">
            <div className="flex flex-wrap items-center gap-2">
              <h3 className="font-mono text-sm font-semibold">{instance.id}</h3>
              <Badge tone={tones[instance.state]}>{t(`fleet.states.${instance.state}`)}</Badge>
              <Badge>{instance.kind}</Badge>
              {instance.kind !== "local" && <Badge tone="info">{instance.spot ? "Spot" : "On-Demand"}</Badge>}
            </div>
            <p className="numbers text-xs text-quiet">
              {[
                t("fleet.since", { time: ago(instance.started_at) }),
                instance.usd_per_hour == null ? "" : `${usd(instance.usd_per_hour)} ${t("fleet.perHour")}`,
                ...(instance.accelerators ?? []),
              ]
                .filter(Boolean)
                .join(" · ")}
            </p>
          </header>
          <ul className="mt-3 grid gap-2 sm:grid-cols-2">
            {(instance.slots ?? []).map((slot) => (
              <li key={slot.name} className="flex items-center justify-between gap-3 rounded-lg bg-raised px-3 py-2 text-sm">
                <span className="min-w-0">
                  <span className="block text-xs text-quiet">{t("fleet.slot", { name: slot.name })}</span>
                  <span className="block truncate font-medium">{slot.loaded_model ?? t("fleet.nothingLoaded")}</span>
                </span>
                {slot.job_id ? (
                  <Link
                    to="/videos/$videoId"
                    params={{ videoId: slot.job_id }}
                    className="shrink-0 text-accent underline underline-offset-2"
                  >
                    {t("fleet.job")}
                  </Link>
                ) : (
                  <span className="shrink-0 text-xs text-quiet">{t(slot.busy ? "fleet.states.busy" : "fleet.states.idle")}</span>
                )}
              </li>
            ))}
          </ul>
        </article>
      ))}
    </Card>
  );
};
