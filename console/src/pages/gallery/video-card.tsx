import { Link } from "@tanstack/react-router";
import { Ban, CircleX, Clapperboard } from "lucide-react";
import { memo, useState } from "react";
import { useTranslation } from "react-i18next";
import type { Video } from "@/api/client";
import { hasEnded, useContent, useVideo } from "@/api/queries";
import { StateBadge } from "@/components/state-badge";
import { Bar } from "@/components/ui/display";
import { Checkbox } from "@/components/ui/inputs";
import { cn } from "@/lib/cn";
import { ago, span } from "@/lib/format";
import { Spritesheet } from "@/pages/gallery/spritesheet";

type Props = { video: Video; selected: boolean; onToggle: (id: string, on: boolean) => void };

export const VideoCard = memo(({ video: listed, selected, onToggle }: Props) => {
  const { t } = useTranslation();
  const [hovered, setHovered] = useState(false);
  // A list does not tell how far a job is: the cards on the screen ask for themselves until it has ended.
  const live = useVideo(listed.id, listed, !hasEnded(listed.status));
  const video = live.data ?? listed;
  const title = video.prompt || video.shots?.[0]?.prompt || video.id;
  return (
    <article
      className={cn(
        "group flex h-full flex-col overflow-hidden rounded-2xl border bg-surface transition-shadow hover:shadow-lg",
        selected && "border-accent ring-1 ring-accent",
      )}
      onMouseEnter={() => setHovered(true)}
      onMouseLeave={() => setHovered(false)}
      onFocus={() => setHovered(true)}
      onBlur={() => setHovered(false)}
    >
      <div className="relative aspect-[16/10] shrink-0 overflow-hidden bg-raised">
        <Picture video={video} hovered={hovered} />
        <Checkbox
          label={t("gallery.select", { title })}
          checked={selected}
          onChange={(on) => onToggle(video.id, on)}
          className={cn(
            "absolute top-2 left-2 z-10 shadow group-focus-within:opacity-100 group-hover:opacity-100 pointer-coarse:opacity-100",
            selected ? "opacity-100" : "opacity-0",
          )}
        />
        {video.status === "completed" && (
          <span className="numbers absolute right-2 bottom-2 rounded-md bg-black/70 px-1.5 py-0.5 text-xs font-medium text-white">
            {span(Number(video.seconds))}
          </span>
        )}
      </div>
      <div className="flex min-h-0 flex-1 flex-col justify-between gap-1.5 p-3">
        <Link
          to="/videos/$videoId"
          params={{ videoId: video.id }}
          className="line-clamp-2 text-sm leading-snug font-medium after:absolute after:inset-0"
        >
          {title}
        </Link>
        <div className="flex items-center justify-between gap-2 text-xs text-quiet">
          {video.status === "completed" ? <span className="truncate">{video.model}</span> : <StateBadge state={video.status} />}
          <time dateTime={new Date(video.created_at * 1000).toISOString()} className="shrink-0">
            {ago(video.created_at)}
          </time>
        </div>
      </div>
    </article>
  );
});

const Picture = ({ video, hovered }: { video: Video; hovered: boolean }) => {
  const { t } = useTranslation();
  const still = useContent(video.id, "thumbnail", video.status === "completed");
  if (video.status === "completed") {
    return (
      <>
        {still.data && (
          <>
            <img src={still.data.url} alt="" aria-hidden className="absolute size-full scale-110 object-cover blur-xl" />
            <img src={still.data.url} alt="" className="absolute size-full object-contain" />
          </>
        )}
        {hovered && <Spritesheet video={video} />}
      </>
    );
  }
  if (hasEnded(video.status)) {
    return (
      <div className="grid size-full place-items-center text-quiet">
        {video.status === "failed" ? <CircleX className="size-8 text-bad" /> : <Ban className="size-8" />}
      </div>
    );
  }
  return (
    <div className="grid size-full content-center gap-3 px-6 text-center text-xs text-quiet">
      <Clapperboard className="mx-auto size-7 text-accent" />
      <Bar value={video.progress / 100} label={t("video.progress")} />
      <span className="numbers">
        {video.status === "queued" && video.queue_position != null
          ? t("video.position", { position: video.queue_position })
          : `${video.progress}%`}
        {video.eta_seconds != null && ` · ${t("video.left", { time: span(video.eta_seconds) })}`}
      </span>
    </div>
  );
};
