import { useQueryClient } from "@tanstack/react-query";
import { CloudOff, Hourglass, Timer } from "lucide-react";
import { type ReactNode, useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import { useHealth } from "@/api/health";
import { Button } from "@/components/ui/button";
import { cn } from "@/lib/cn";
import { span } from "@/lib/format";

const Strip = ({ tone, icon, children }: { tone: "bad" | "warn"; icon: ReactNode; children: ReactNode }) => (
  <div
    role="status"
    className={cn(
      "flex flex-wrap items-center gap-2.5 border-b px-4 py-2 text-sm sm:px-8 [&_svg]:size-4",
      tone === "bad" ? "bg-bad-soft text-bad" : "bg-warn-soft text-warn",
    )}
  >
    {icon}
    {children}
  </div>
);

/** Says above every page that the API is down, slow, or wants us to wait. */
export const HealthBanner = () => {
  const { t } = useTranslation();
  const { down, slow, limitedUntil } = useHealth();
  const client = useQueryClient();
  const left = useSecondsUntil(limitedUntil);
  if (down) {
    return (
      <Strip tone="bad" icon={<CloudOff />}>
        <span className="font-medium">{t("health.down")}</span>
        <span>{t("health.downHint")}</span>
        <Button size="small" onClick={() => client.refetchQueries({ type: "active" })}>
          {t("common.retry")}
        </Button>
      </Strip>
    );
  }
  if (left > 0) {
    return (
      <Strip tone="warn" icon={<Timer />}>
        <span className="font-medium">{t("health.limited")}</span>
        <span>{t("health.limitedHint", { wait: span(left) })}</span>
      </Strip>
    );
  }
  if (slow) {
    return (
      <Strip tone="warn" icon={<Hourglass />}>
        <span className="font-medium">{t("health.slow")}</span>
        <span>{t("health.slowHint")}</span>
      </Strip>
    );
  }
  return null;
};

const useSecondsUntil = (at: number): number => {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    setNow(Date.now());
    if (at <= Date.now()) return;
    const timer = setInterval(() => setNow(Date.now()), 1000);
    return () => clearInterval(timer);
  }, [at]);
  return Math.max(0, Math.ceil((at - now) / 1000));
};
