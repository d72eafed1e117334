import { CircleCheck, CirclePause, CircleSlash, CircleX, LoaderCircle } from "lucide-react";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import type { Schemas, Video } from "@/api/client";
import { Badge, Card, CardTitle, type Tone } from "@/components/ui/display";
import { clock, span, usd } from "@/lib/format";

type Attempt = Schemas["AttemptView"];
type Look = { tone: Tone; icon: ReactNode };
const looks: Record<Attempt["outcome"], Look> = {
  running: { tone: "accent", icon: <LoaderCircle className="animate-spin" /> },
  completed: { tone: "good", icon: <CircleCheck /> },
  interrupted: { tone: "warn", icon: <CirclePause /> },
  lost: { tone: "warn", icon: <CirclePause /> },
  crashed: { tone: "bad", icon: <CircleX /> },
  failed: { tone: "bad", icon: <CircleX /> },
  cancelled: { tone: "neutral", icon: <CircleSlash /> },
};
const ink: Record<Tone, string> = {
  neutral: "text-quiet",
  accent: "text-accent",
  good: "text-good",
  warn: "text-warn",
  bad: "text-bad",
  info: "text-info",
};

/** What happened to the job, try by try: on which instance, from which step to which, and why it ended. */
export const Attempts = ({ video }: { video: Video }) => {
  const { t } = useTranslation();
  const attempts = video.attempts ?? [];
  return (
    <Card aria-label={t("attempts.title")}>
      <CardTitle className="mb-4">{t("attempts.title")}</CardTitle>
      <ol className="relative grid gap-5 before:absolute before:inset-y-2 before:left-[0.6rem] before:w-px before:bg-line">
        <Entry icon={<CircleCheck />} tone="info" at={video.created_at} title={t(`attempts.door.${video.source.door}`)}>
          {video.source.key && (
            <span className="break-all">{t("attempts.file", { key: video.source.key, line: video.source.line ?? 1 })}</span>
          )}
        </Entry>
        {attempts.map((attempt) => (
          <AttemptEntry key={attempt.number} attempt={attempt} total={video.total_steps} />
        ))}
        {video.status === "cancelled" && video.completed_at != null && (
          <Entry icon={<CircleSlash />} tone="neutral" at={video.completed_at} title={t("states.cancelled")} />
        )}
        {video.status === "failed" && attempts.length === 0 && video.completed_at != null && (
          <Entry icon={<CircleX />} tone="bad" at={video.completed_at} title={t("states.failed")} />
        )}
      </ol>
    </Card>
  );
};

type EntryProps = { icon: ReactNode; tone: Tone; at: number; title: string; children?: ReactNode };

const Entry = ({ icon, tone, at, title, children }: EntryProps) => (
  <li className="relative flex gap-4">
    <span className={`z-10 grid size-5 shrink-0 place-items-center bg-surface [&_svg]:size-5 ${ink[tone]}`}>{icon}</span>
    <div className="min-w-0 flex-1 text-sm">
      <div className="flex flex-wrap items-baseline justify-between gap-x-4">
        <span className="font-medium">{title}</span>
        <time className="numbers text-xs text-quiet">{clock(at)}</time>
      </div>
      {children && <div className="mt-1 grid gap-1 text-quiet">{children}</div>}
    </div>
  </li>
);

const AttemptEntry = ({ attempt, total }: { attempt: Attempt; total: number }) => {
  const { t } = useTranslation();
  const look = looks[attempt.outcome];
  const start =
    attempt.resumed_from_step > 0
      ? t("attempts.resumed", { n: attempt.number, step: attempt.resumed_from_step })
      : t("attempts.started", { n: attempt.number });
  return (
    <Entry icon={look.icon} tone={look.tone} at={attempt.started_at} title={start}>
      <p className="flex flex-wrap items-center gap-2">
        <Badge tone={look.tone}>
          {t(`attempts.outcome.${attempt.outcome}`, { step: attempt.last_step, total })}
        </Badge>
        <span className="font-mono text-xs">
          {attempt.instance_id} · {attempt.slot}
        </span>
      </p>
      <p className="numbers text-xs">
        {[
          t("attempts.steps", { count: attempt.steps_done }),
          attempt.steps_lost > 0 ? t("attempts.lost", { count: attempt.steps_lost }) : "",
          attempt.seconds == null ? "" : span(attempt.seconds),
          attempt.cost_usd == null ? "" : usd(attempt.cost_usd),
        ]
          .filter(Boolean)
          .join(" · ")}
      </p>
      {attempt.reason && <p className="text-xs break-words">{attempt.reason}</p>}
    </Entry>
  );
};
