import { useTranslation } from "react-i18next";
import type { Video } from "@/api/client";
import { Bar, Card } from "@/components/ui/display";
import { clock, number, span } from "@/lib/format";

/** How far a job is, when it will be done, and what it waits for. */
export const ProgressCard = ({ video }: { video: Video }) => {
  const { t } = useTranslation();
  const attempts = video.attempts ?? [];
  const running = video.status === "in_progress";
  const what = video.cancel_requested
    ? t("video.cancelling")
    : running
      ? t(`phases.${video.phase ?? "load"}`)
      : attempts.length > 0
        ? t("video.waitsToResume", { step: attempts.at(-1)?.last_step ?? 0 })
        : t("video.waits");
  return (
    <Card aria-label={t("video.progress")} className="grid gap-5 p-6 sm:p-8">
      <div className="flex items-end justify-between gap-4">
        <p className="text-base font-medium" aria-live="polite">
          {what}
        </p>
        <p className="numbers text-4xl font-semibold tracking-tight">{video.progress}%</p>
      </div>
      <Bar value={video.progress / 100} label={t("video.progress")} className="h-3" />
      <dl className="numbers grid grid-cols-2 gap-4 text-sm sm:grid-cols-4 [&_dd]:mt-0.5 [&_dd]:font-semibold [&_dt]:text-xs [&_dt]:text-quiet">
        <div>
          <dt>{t("video.eta")}</dt>
          <dd>{video.eta_seconds == null ? t("common.unknown") : `≈ ${span(video.eta_seconds)}`}</dd>
        </div>
        <div>
          <dt>{t("video.doneAt")}</dt>
          <dd>{video.eta_seconds == null ? "—" : `≈ ${clock(Date.now() / 1000 + video.eta_seconds)}`}</dd>
        </div>
        <div>
          <dt>{t("video.queuePosition")}</dt>
          <dd>{video.queue_position == null ? "—" : number(video.queue_position)}</dd>
        </div>
        <div>
          <dt>{t("video.step")}</dt>
          <dd>{video.total_steps > 0 ? `${video.step} / ${video.total_steps}` : "—"}</dd>
        </div>
      </dl>
    </Card>
  );
};
